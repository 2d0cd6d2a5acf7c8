//! `reviews -i`: one review at a time, one key for each answer.
//!
//! What is pressed before a review could be read was meant for another one: keys that come
//! within [`ARMING`] of a review's appearing decide nothing, and neither does a key held down
//! (`keys.rs`).

mod keys;
mod page;

use std::collections::HashSet;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use self::keys::Keys;
use self::page::{help, page};
use crate::args::ReviewsArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::print::{Look, safe};
use protocol::{
    ApiError, DecideRequest, Moment, ReviewRequest, ReviewStatus, ReviewView, ReviewsRequest,
    ReviewsStatus, SnoozeRequest, UndoRequest,
};

/// As in the window: what is pressed this soon after a review appears decides nothing.
const ARMING: Duration = Duration::from_millis(500);

/// As in the window: a decision takes effect after this, and can be undone until then.
const GRACE_MS: u32 = 5_000;

/// How long `s` puts a review off.
const SNOOZE_S: u64 = 2 * 3600;

/// How often the queue is looked at while nobody presses anything.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Whether keys can be read one by one.
pub(super) fn possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// What was done here last, and can be undone for a while.
struct Done {
    review: String,
    title: String,
    effective_at: Option<Moment>,
}

/// One sitting.
struct Sitting<'a> {
    context: &'a Context,
    client: client::Client,
    keys: Keys,
    run: Option<String>,
    /// Passed over with `j`, until nothing else is left.
    skipped: HashSet<String>,
    /// What came before the one shown, for `k`.
    passed: Vec<String>,
    last: Option<Done>,
    decided: u32,
}

/// What a key leads to.
enum Next {
    /// The same review, as it stands.
    Stay,
    /// Whatever is next in the queue.
    On,
    /// This one.
    Back(String),
    Quit,
}

pub(super) async fn sit(context: &Context, args: ReviewsArgs) -> Result<u8, Failure> {
    if !possible() {
        return Err(Failure::usage(
            "there is no terminal to press keys at",
            "`longhaul reviews` lists them; `longhaul approve` and `longhaul answer` decide",
        ));
    }
    let mut sitting = Sitting {
        context,
        client: context.client().await?,
        keys: Keys::new()?,
        run: args.run,
        skipped: HashSet::new(),
        passed: Vec::new(),
        last: None,
        decided: 0,
    };
    let mut wanted = None;
    loop {
        let Some(review) = sitting.next(wanted.take()).await? else {
            let left = sitting.skipped.len();
            let words = match left {
                0 => "nothing needs a decision".to_owned(),
                n => format!("nothing else needs a decision; {n} passed over"),
            };
            context.print.line(&words)?;
            sitting.last_chance().await?;
            break;
        };
        match sitting.show(&review).await? {
            Next::Quit => break,
            Next::Back(id) => wanted = Some(id),
            Next::On | Next::Stay => {}
        }
    }
    let words = format!("{} decided", sitting.decided);
    context
        .print
        .line(&context.print.look(&words, Look::Faint))?;
    Ok(0)
}

impl Sitting<'_> {
    async fn queue(&self) -> Result<Vec<ReviewView>, Failure> {
        let request = ReviewsRequest {
            run: self.run.clone(),
            status: ReviewsStatus::Open,
            ..ReviewsRequest::default()
        };
        Ok(self.client.reviews(request).await?.reviews)
    }

    /// The one wanted, else the longest waiting that was not passed over.
    async fn next(&self, wanted: Option<String>) -> Result<Option<ReviewView>, Failure> {
        let queue = self.queue().await?;
        let named = wanted.and_then(|id| queue.iter().find(|r| r.id.to_string() == id).cloned());
        let first = || {
            let fresh = |r: &&ReviewView| !self.skipped.contains(&r.id.to_string());
            queue.iter().find(fresh).cloned()
        };
        Ok(named.or_else(first))
    }

    /// Shows one review until a key decides what is next.
    async fn show(&mut self, review: &ReviewView) -> Result<Next, Failure> {
        let id = review.id.to_string();
        let request = ReviewRequest { review: id.clone() };
        let detail = self.client.review(request).await?;
        let left = self.queue().await?.len();
        self.context
            .print
            .line(&page(self.context, &detail, left))?;
        self.keys.forget()?;
        let shown = Instant::now();
        let mut looked = Instant::now();
        loop {
            if let Some(key) = self.keys.pressed().await? {
                let armed = shown.elapsed() >= ARMING;
                let next = match key {
                    b'q' | 3 | 4 => Next::Quit,
                    b'j' => {
                        self.skipped.insert(id.clone());
                        self.passed.push(id.clone());
                        Next::On
                    }
                    b'k' => match self.passed.pop() {
                        Some(before) => {
                            self.skipped.remove(&before);
                            Next::Back(before)
                        }
                        None => Next::Stay,
                    },
                    b'u' => self.undo().await?,
                    b'?' => {
                        self.context.print.line(&help(&detail.review))?;
                        Next::Stay
                    }
                    _ if !armed => Next::Stay,
                    key => self.answer(&detail.review, key).await?,
                };
                match next {
                    Next::Stay => {}
                    next => return Ok(next),
                }
            }
            if looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                if let Some(words) = self.gone(&id).await? {
                    self.context.print.line(&words)?;
                    return Ok(Next::On);
                }
            }
        }
    }

    /// What became of a review that somebody else decided meanwhile.
    async fn gone(&self, id: &str) -> Result<Option<String>, Failure> {
        let request = ReviewRequest {
            review: id.to_owned(),
        };
        let review = self.client.review(request).await?.review;
        Ok(match (review.state, &review.answer) {
            (ReviewStatus::Open, _) => None,
            (_, Some(answer)) => Some(format!(
                "decided elsewhere: {} by {}",
                safe(&answer.choice),
                safe(&answer.by)
            )),
            _ => Some("no longer needs a decision".to_owned()),
        })
    }

    async fn answer(&mut self, review: &ReviewView, key: u8) -> Result<Next, Failure> {
        let offers = |choice: &str| review.choices.iter().any(|c| c.id == choice);
        let request = match key {
            b'a' if offers("approve") => Some(decision(review, "approve", None)),
            b'r' | b'd' if offers("reject") => {
                let note = self
                    .line("why not (for the agent; empty is fine, Esc goes back): ")
                    .await?;
                note.map(|note| decision(review, "reject", Some(note)))
            }
            b'e' if review.editable && offers("approve") => self.edited(review).await?,
            b's' => return self.snooze(review).await,
            b'1'..=b'9' => {
                let numbered: Vec<_> = numbered(review).collect();
                let choice = numbered.get(usize::from(key - b'1'));
                choice.map(|choice| decision(review, &choice.id, None))
            }
            b'\r' | b'\n' if review.choices.is_empty() => {
                let text = self.line("your answer: ").await?;
                let text = text.filter(|text| !text.is_empty());
                text.map(|text| decision(review, &text, None))
            }
            _ => None,
        };
        let Some(request) = request else {
            return Ok(Next::Stay);
        };
        self.decide(review, request).await
    }

    async fn decide(
        &mut self,
        review: &ReviewView,
        request: DecideRequest,
    ) -> Result<Next, Failure> {
        let words = match self.client.decide(request).await {
            Ok(decided) => {
                self.decided += 1;
                let id = review.id.to_string();
                self.skipped.remove(&id);
                self.last = Some(Done {
                    review: id,
                    title: review.title.clone(),
                    effective_at: decided.effective_at,
                });
                let print = &self.context.print;
                let choice = print.look(&safe(&decided.choice), Look::Good);
                format!("{choice}; u undoes it for 5 s")
            }
            Err(error) => refusal(error)?,
        };
        self.context.print.line(&words)?;
        Ok(Next::On)
    }

    /// Approves with other arguments, typed as the line that is to be run or as JSON.
    async fn edited(&mut self, review: &ReviewView) -> Result<Option<DecideRequest>, Failure> {
        let arguments = review.arguments.as_deref().unwrap_or("{}");
        let parsed: Result<serde_json::Map<_, _>, _> = serde_json::from_str(arguments);
        let mut parsed = parsed.unwrap_or_default();
        let command = ["command", "cmd"].into_iter().find(|name| {
            let value = parsed.get(*name);
            value.is_some_and(serde_json::Value::is_string)
        });
        let prompt = match command {
            Some(_) => "run instead: ",
            None => "arguments instead, a JSON object: ",
        };
        let Some(text) = self
            .line(prompt)
            .await?
            .filter(|text| !text.trim().is_empty())
        else {
            return Ok(None);
        };
        match command {
            Some(name) => {
                parsed.insert(name.to_owned(), text.into());
            }
            None => match serde_json::from_str(&text) {
                Ok(object) => parsed = object,
                Err(_) => {
                    let words = "that is not a JSON object; nothing was decided";
                    self.context.print.line(words)?;
                    return Ok(None);
                }
            },
        }
        let mut request = decision(review, "approve", None);
        request.arguments = Some(parsed);
        Ok(Some(request))
    }

    async fn snooze(&mut self, review: &ReviewView) -> Result<Next, Failure> {
        let request = SnoozeRequest {
            review: review.id.to_string(),
            seconds: SNOOZE_S,
        };
        let words = match self.client.snooze(request).await {
            Ok(_) => "put off for 2 h, which is not a no".to_owned(),
            Err(error) => refusal(error)?,
        };
        self.context.print.line(&words)?;
        Ok(Next::On)
    }

    /// Takes the last decision made here back.
    async fn undo(&mut self) -> Result<Next, Failure> {
        let Some(done) = self.last.take() else {
            self.context.print.line("there is nothing to undo")?;
            return Ok(Next::Stay);
        };
        let request = UndoRequest {
            review: done.review.clone(),
            effective_at: done.effective_at,
            by: Some("cli".to_owned()),
        };
        match self.client.undo(request).await {
            Ok(_) => {
                self.decided = self.decided.saturating_sub(1);
                let words = format!("open again: {}", safe(&done.title));
                self.context.print.line(&words)?;
                Ok(Next::Back(done.review))
            }
            Err(error) => {
                let words = refusal(error)?;
                self.context.print.line(&words)?;
                Ok(Next::Stay)
            }
        }
    }

    /// The queue is empty: the last decision can be undone as long as any other could.
    async fn last_chance(&mut self) -> Result<(), Failure> {
        let Some(until) = self.last.as_ref().and_then(|done| done.effective_at) else {
            return Ok(());
        };
        let left = until.0.ms_since(self.context.now());
        let Ok(left) = u64::try_from(left) else {
            return Ok(());
        };
        let print = &self.context.print;
        print.line(&print.look("u undoes the last one; any other key ends", Look::Faint))?;
        let end = Instant::now() + Duration::from_millis(left);
        while Instant::now() < end {
            match self.keys.pressed().await? {
                Some(b'u') => {
                    self.undo().await?;
                    return Ok(());
                }
                Some(_) => return Ok(()),
                None => {}
            }
        }
        Ok(())
    }

    /// A line typed by the user; `None` if they changed their mind (Escape).
    async fn line(&mut self, prompt: &str) -> Result<Option<String>, Failure> {
        self.context.print.raw(prompt)?;
        let print = &self.context.print;
        let line = self.keys.line(|shown| print.raw(shown)).await?;
        self.context.print.raw("\r\n")?;
        Ok(line)
    }
}

/// Choices without a letter of their own.
pub(super) fn numbered(review: &ReviewView) -> impl Iterator<Item = &protocol::ChoiceView> {
    let lettered = |id: &str| id == "approve" || id == "reject";
    review.choices.iter().filter(move |c| !lettered(&c.id))
}

fn decision(review: &ReviewView, choice: &str, note: Option<String>) -> DecideRequest {
    DecideRequest {
        review: review.id.to_string(),
        choice: choice.to_owned(),
        note: note.filter(|note| !note.trim().is_empty()),
        by: "cli".to_owned(),
        grace_ms: GRACE_MS,
        ..DecideRequest::default()
    }
}

/// What the daemon refused, in a line: somebody was faster, or the words do not fit.
fn refusal(error: client::ClientError) -> Result<String, Failure> {
    match error {
        client::ClientError::Refused(ApiError { message, hint, .. }) => {
            Ok(format!("{}; {}", safe(&message), safe(&hint)))
        }
        other => Err(other.into()),
    }
}

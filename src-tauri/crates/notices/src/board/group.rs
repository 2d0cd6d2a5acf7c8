//! Several things to tell become as few notices as possible.

use std::collections::BTreeMap;

use domain::{RunId, Timestamp};
use protocol::{Notice, NoticeAction, NoticeKind};

use crate::news::{After, News, Offer, What};
use crate::words::{BODY, INBOX, clean, name, names, review_link, run_link, span};

/// One notice for each run, or one for several runs with the same kind of news.
pub(super) fn notices(news: Vec<News>, now: Timestamp) -> Vec<(Notice, Vec<News>)> {
    let mut runs: BTreeMap<RunId, Vec<News>> = BTreeMap::new();
    for one in news {
        runs.entry(one.run).or_default().push(one);
    }
    // The most pressing news leads: kinds are declared in that order.
    let mut kinds: BTreeMap<NoticeKind, Vec<Vec<News>>> = BTreeMap::new();
    for mut of_run in runs.into_values() {
        of_run.sort_by_key(|news| (news.what.kind(), news.gseq));
        let lead = of_run[0].what.kind();
        kinds.entry(lead).or_default().push(of_run);
    }
    let made = kinds.into_iter().map(|(kind, mut runs)| {
        runs.sort_by_key(|of_run| of_run[0].gseq);
        let notice = match runs.as_slice() {
            [one] => single(one, now),
            several => group(kind, several, now),
        };
        (notice, runs.into_iter().flatten().collect())
    });
    made.collect()
}

/// What makes one notice different from another.
struct Text {
    title: String,
    body: String,
    actions: Vec<NoticeAction>,
    link: String,
}

fn single(news: &[News], now: Timestamp) -> Notice {
    use NoticeAction::{Approve, Open, Reject, Resume};
    let lead = &news[0];
    let name = name(&lead.title);
    let mut review = None;
    let mut text = Text {
        title: String::new(),
        body: String::new(),
        actions: vec![Open],
        link: run_link(lead.run),
    };
    match &lead.what {
        What::NeedsYou {
            review: id,
            asked,
            offer,
        } => {
            let others = asked_for(news) - 1;
            text.title = format!("{name} needs you");
            text.link = review_link(*id);
            text.body = if others == 0 {
                asked.clone()
            } else {
                format!("{asked} (and {others} more)")
            };
            review = Some(*id);
            if *offer == Offer::Decide && others == 0 {
                text.actions = vec![Approve, Reject, Open];
            }
        }
        What::Failed { why } => {
            text.title = format!("{name} failed");
            text.body.clone_from(why);
        }
        What::Interrupted { why, after } => {
            text.title = format!("{name} was interrupted");
            text.body = match after {
                After::WentOn => sentence(why, "It went on by itself."),
                After::Waits => sentence(why, "It waits for you to resume it."),
            };
            if *after == After::Waits {
                text.actions = vec![Resume, Open];
            }
        }
        What::Budget => {
            text.title = format!("{name} is near its budget");
            text.body = "90 % is used; the agent was told to wrap up.".to_owned();
        }
        What::Limit { until, why } => {
            text.title = format!("{name} waits for a limit");
            text.body = sentence(why, &ends(*until, now));
        }
        What::Finished => {
            text.title = format!("{name} is finished");
            text.body = "Its work is ready to be looked at.".to_owned();
        }
    }
    if lead.what.kind() != NoticeKind::Budget && news.iter().any(|n| n.what == What::Budget) {
        text.body.push_str(" 90 % of its budget is used.");
    }
    let slot = format!("run:{}", lead.run);
    finish(slot, text, review, news.iter(), now)
}

fn group(kind: NoticeKind, runs: &[Vec<News>], now: Timestamp) -> Notice {
    use NoticeAction::{Open, Resume};
    let leads: Vec<&News> = runs.iter().map(|of_run| &of_run[0]).collect();
    let count = leads.len();
    let titles: Vec<&str> = leads.iter().map(|news| news.title.as_str()).collect();
    let mut text = Text {
        title: String::new(),
        body: names(&titles),
        actions: vec![Open],
        link: run_link(leads[0].run),
    };
    match kind {
        NoticeKind::NeedsYou => {
            text.title = format!("{count} runs need you");
            text.link = INBOX.to_owned();
        }
        NoticeKind::Failed => text.title = format!("{count} runs failed"),
        NoticeKind::Budget => text.title = format!("{count} runs are near their budgets"),
        NoticeKind::Limit => text.title = format!("{count} runs wait for a limit"),
        NoticeKind::Finished | NoticeKind::Reply => {
            text.title = format!("{count} runs are finished");
        }
        NoticeKind::Interrupted => {
            text.title = format!("{count} runs were interrupted");
            let waiting: Vec<&str> = leads
                .iter()
                .filter(|n| waits(n))
                .map(|n| &*n.title)
                .collect();
            let on = count - waiting.len();
            text.body = match (on, waiting.len()) {
                (_, 0) => sentence(&text.body, "They went on by themselves."),
                (0, _) => sentence(&text.body, "They wait for you to resume them."),
                (on, left) => format!(
                    "{on} went on by {}, {left} {} for you: {}.",
                    if on == 1 { "itself" } else { "themselves" },
                    if left == 1 { "waits" } else { "wait" },
                    names(&waiting)
                ),
            };
            if let Some(first) = leads.iter().find(|n| waits(n)) {
                text.actions = vec![Resume, Open];
                text.link = run_link(first.run);
            }
        }
    }
    let slot = format!("group:{}", leads[0].gseq);
    finish(slot, text, None, runs.iter().flatten(), now)
}

fn finish<'a>(
    slot: String,
    text: Text,
    review: Option<domain::ReviewId>,
    news: impl Iterator<Item = &'a News> + Clone,
    now: Timestamp,
) -> Notice {
    let kind = news.clone().map(|n| n.what.kind()).min();
    let newest = news.clone().map(|n| n.gseq).max().unwrap_or_default();
    let mut runs: Vec<RunId> = news.map(|n| n.run).collect();
    runs.sort_unstable();
    runs.dedup();
    Notice {
        // An event is in one notice only; a limit's wait is no event of its own.
        id: format!("{newest}-{}", now.0),
        slot,
        kind: kind.unwrap_or(NoticeKind::Reply),
        title: text.title,
        body: clean(&text.body, BODY + 40).text,
        actions: text.actions,
        review,
        runs,
        link: text.link,
        at: now.into(),
    }
}

fn asked_for(news: &[News]) -> usize {
    let asked = |news: &&News| news.what.kind() == NoticeKind::NeedsYou;
    news.iter().filter(asked).count()
}

fn waits(news: &News) -> bool {
    matches!(
        news.what,
        What::Interrupted {
            after: After::Waits,
            ..
        }
    )
}

fn ends(until: Option<Timestamp>, now: Timestamp) -> String {
    match until {
        Some(until) if until > now => {
            format!(
                "It goes on by itself in about {}.",
                span(until.ms_since(now))
            )
        }
        _ => "It goes on by itself when the limit is over.".to_owned(),
    }
}

/// Two parts as two sentences.
fn sentence(first: &str, then: &str) -> String {
    let first = first.trim_end_matches('.');
    if first.is_empty() {
        then.to_owned()
    } else {
        format!("{}. {then}", capital(first))
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

//! What an agent is told that cannot go on with its session: a new one has heard nothing.

use std::fmt::Write as _;

use agents::ChatMessage;
use domain::{MessageOrigin, OpOutcome, OpState, Run};
use store::OpRow;

use crate::conversation::Conversation;
use crate::journal::Halt;
use crate::worker::Worker;

/// Calls that are told of: what was done last says most about where it was.
const CALLS: usize = 40;

/// Words of the user that are repeated, the prompt apart.
const WORDS: usize = 20;

/// The agent's last words that are repeated, in bytes.
const ANSWER_MAX: usize = 4_000;

impl Worker {
    /// All of it: what was asked for, what was done, and what is new (`unheard`).
    pub(crate) async fn told_anew(
        &self,
        run: &Run,
        conversation: &mut Conversation,
        unheard: &[ChatMessage],
    ) -> Result<Vec<ChatMessage>, Halt> {
        if run.session.is_none() {
            return Ok(Vec::new());
        }
        let calls = self.journal.recent_calls(run, CALLS).await?;
        let answer = conversation.last_model_text(&self.journal).await?;
        let mut told = vec![ChatMessage::User {
            origin: MessageOrigin::Briefing,
            text: story(&calls, answer.as_deref()),
        }];
        let news = unheard.iter().filter(|message| is_briefing(message));
        told.extend(news.cloned());
        if run.messages > 0 {
            told.extend(self.journal.messages(0..1).await?);
        }
        // The prompt is message 0.
        let said = conversation.unheard(1);
        let said: Vec<_> = said.into_iter().filter(|m| !is_briefing(m)).collect();
        told.extend(said.into_iter().rev().take(WORDS).rev());
        Ok(told)
    }
}

fn is_briefing(message: &ChatMessage) -> bool {
    matches!(message, ChatMessage::User { origin, .. } if *origin == MessageOrigin::Briefing)
}

fn story(calls: &[OpRow], answer: Option<&str>) -> String {
    let mut text = "Longhaul: this work was begun in another session, which cannot be gone on with. You find its task \
                    below, and its files as it left them."
        .to_owned();
    if !calls.is_empty() {
        text.push_str(" What it did last:");
    }
    let newest = calls.len().saturating_sub(CALLS);
    for call in &calls[newest..] {
        let _ = write!(
            text,
            "\n- {} {}: {}",
            call.name,
            call.summary,
            came_of(call)
        );
    }
    if let Some(answer) = answer {
        let cut = answer.floor_char_boundary(ANSWER_MAX);
        let _ = write!(text, "\nIts last words were: {}", &answer[..cut]);
    }
    text.push_str(
        "\nLook at the current state of the files before you go on; do not repeat what is done.",
    );
    text
}

fn came_of(call: &OpRow) -> &'static str {
    match (call.state, call.outcome) {
        (OpState::Finished, Some(OpOutcome::Ok)) => "done",
        (OpState::Finished, _) => "it ended with an error",
        (OpState::Failed, _) => "it was not done, or its outcome is unknown",
        _ => "not done",
    }
}

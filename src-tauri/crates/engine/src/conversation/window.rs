//! What of a conversation is sent when it has become longer than the model's context:
//! the prompt and the newest messages, cut only where an answer begins, so that no
//! call is sent without its result or the other way round.

use agents::ChatMessage;
use domain::Run;

use super::{Conversation, briefing};
use crate::journal::{Halt, Journal};

/// Bytes of a usual token: English has a little more, code a little less. Where this
/// is too many, the provider says so, and less is sent ([`Conversation::too_long`]).
const BYTES_A_TOKEN: u64 = 4;

/// The context of a model whose limits are not known: the most that models have today,
/// for the reason above.
const USUAL_WINDOW: u64 = 1_000_000;

/// Of a full window this much is kept, so that the requests after it have the same
/// beginning, which the provider's cache knows, and not a new one each.
const KEPT: (usize, usize) = (7, 8);

/// How much may be sent, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room(pub(crate) usize);

impl Room {
    /// The room of a model whose context takes `window` tokens, beside `answer` tokens
    /// of answer and `frame` bytes of instructions.
    pub(crate) fn of(window: Option<u64>, answer: u64, frame: usize) -> Self {
        let window = window.unwrap_or(USUAL_WINDOW);
        // However small the window is, most of it is for the conversation.
        let tokens = window - answer.min(window / 4);
        let bytes = usize::try_from(tokens.saturating_mul(BYTES_A_TOKEN)).unwrap_or(usize::MAX);
        Self(bytes.saturating_sub(frame))
    }
}

impl Conversation {
    /// Reads as much as the next call can be sent, and lets go of the rest.
    pub(crate) async fn fit(
        &mut self,
        journal: &Journal,
        run: &Run,
        room: Room,
    ) -> Result<(), Halt> {
        self.catch_up(journal, run).await?;
        let room = self.refused.map_or(room.0, |refused| refused.min(room.0));
        while self.from > run.sent_from && self.newest_bytes() <= room {
            self.page_back(journal, run.sent_from).await?;
        }
        if self.from < run.sent_from {
            self.let_go(run.sent_from - self.from);
        }
        if self.prompt.is_none() {
            let first = journal.messages(0..run.messages.min(1)).await?;
            self.prompt = first.into_iter().next();
        }
        let room = room.saturating_sub(self.prompt.as_ref().map_or(0, length));
        if self.from > run.sent_from || self.newest_bytes() > room {
            let keep = room / KEPT.1 * KEPT.0;
            // Results alone fill the room: back to the answer that asked for them.
            while !self.has_answer() && self.from > run.sent_from {
                self.page_back(journal, run.sent_from).await?;
            }
            let at = self.cut_at(keep);
            self.let_go(at);
        }
        Ok(())
    }

    /// The number of the first message that is sent after the prompt; 0 where all are.
    pub(crate) fn sent_from(&self) -> u32 {
        if self.from > 1 { self.from } else { 0 }
    }

    /// Rough size in bytes of what is sent, for estimates.
    pub(crate) fn bytes(&self) -> usize {
        let prompt = self.prompt.as_ref().filter(|_| self.from > 0);
        prompt.map_or(0, length) + self.newest_bytes()
    }

    /// The provider found this too long: whether less can be sent.
    pub(crate) fn too_long(&mut self) -> bool {
        let keep = self.newest_bytes() / 4 * 3;
        self.refused = Some(keep);
        self.cut_at(keep) > 0
    }

    fn has_answer(&self) -> bool {
        self.newest
            .iter()
            .any(|message| matches!(message, ChatMessage::Model { .. }))
    }

    fn newest_bytes(&self) -> usize {
        self.newest.iter().map(length).sum()
    }

    /// How many of the newest messages go, so that about `keep` bytes are left: up to an
    /// answer of the model, because what it asks for and what came of it stay together.
    fn cut_at(&self, keep: usize) -> u32 {
        let mut bytes = 0;
        let fitting = self.newest.iter().rev().take_while(|message| {
            bytes += length(message);
            bytes <= keep
        });
        let first = self.newest.len() - fitting.count();
        let is_answer = |at: &usize| matches!(self.newest[*at], ChatMessage::Model { .. });
        // None behind it: the last exchange alone is too long, and cannot be divided.
        let at = (first..self.newest.len())
            .find(is_answer)
            .or_else(|| (0..first).rev().find(is_answer))
            .unwrap_or(0);
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn let_go(&mut self, messages: u32) {
        self.newest.drain(..messages as usize);
        self.from += messages;
    }
}

fn length(message: &ChatMessage) -> usize {
    match message {
        ChatMessage::User { text, .. } | ChatMessage::ToolResult { text, .. } => text.len(),
        ChatMessage::Model { content } => content.len(),
    }
}

/// What the model is told in the place of `messages` messages.
pub(super) fn left_out(messages: u32) -> ChatMessage {
    briefing(format!(
        "Longhaul: {messages} earlier messages of this conversation are left out here, because it has become longer \
         than your context. Look at the files for what was done in them."
    ))
}

/// What the timeline is told when more is left out than before.
pub(crate) fn noted(sent_from: u32, messages: u32) -> String {
    format!(
        "the conversation ({messages} messages) is longer than the model's context: messages 2 to {sent_from} are left \
         out from here on; the prompt and the {} newest are sent",
        messages.saturating_sub(sent_from)
    )
}

#[cfg(test)]
mod tests {
    use domain::OpOutcome;

    use super::*;

    fn user(bytes: usize) -> ChatMessage {
        briefing("u".repeat(bytes))
    }

    fn answer(bytes: usize) -> ChatMessage {
        ChatMessage::Model {
            content: "m".repeat(bytes),
        }
    }

    fn result(bytes: usize) -> ChatMessage {
        ChatMessage::ToolResult {
            call_id: "toolu_1".to_owned(),
            text: "r".repeat(bytes),
            outcome: OpOutcome::Ok,
        }
    }

    fn of(newest: Vec<ChatMessage>) -> Conversation {
        Conversation {
            newest: newest.into(),
            ..Conversation::default()
        }
    }

    #[test]
    fn a_cut_falls_where_an_answer_begins() {
        let talk = of(vec![
            user(10),
            answer(10),
            result(10),
            user(10),
            result(10),
            answer(10),
            result(10),
        ]);
        assert_eq!(
            talk.cut_at(1_000),
            1,
            "the first answer; the prompt is apart"
        );
        for keep in [20, 30, 40, 49] {
            assert_eq!(talk.cut_at(keep), 5, "{keep}");
        }
        assert_eq!(talk.cut_at(60), 1);
        assert_eq!(talk.cut_at(5), 5, "the last exchange is never divided");
    }

    #[test]
    fn what_is_found_too_long_shrinks_until_nothing_can_go() {
        let mut talk = of((0..40).flat_map(|_| [answer(100), result(100)]).collect());
        let mut times = 0;
        while talk.too_long() {
            let at = talk.cut_at(talk.refused.unwrap());
            assert!(at > 0);
            talk.let_go(at);
            times += 1;
            assert!(times < 40);
        }
        assert_eq!(talk.newest.len(), 2, "one exchange is left");
    }

    #[test]
    fn a_small_window_is_mostly_for_the_conversation() {
        assert_eq!(Room::of(Some(1_000), 32_000, 0), Room(3_000));
        assert_eq!(
            Room::of(Some(1_000_000), 32_000, 4_000),
            Room(968_000 * 4 - 4_000)
        );
        assert_eq!(Room::of(None, 0, 0), Room(4_000_000));
    }
}

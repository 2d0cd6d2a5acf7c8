//! The conversation with the model, built from the journal's messages and extended
//! as they come. Never the whole of a long run: the end of it tells what is next, and
//! a call is sent the prompt and the newest messages that fit the model's context.

#[cfg(test)]
mod tests;
mod window;

use std::collections::VecDeque;

use agents::ChatMessage;
use domain::{Message, MessageOrigin, Run, Speaker};

use crate::journal::{Halt, Journal};

pub(crate) use window::{Room, noted as left_out_words};

/// Messages read in one go, back from the newest.
const PAGE: u32 = 128;

/// How far back the model's last words are looked for: what it does without a word for
/// longer tells a reader more than what it said before.
const WORDS_WITHIN: u32 = 8 * PAGE;

/// The messages read so far.
#[derive(Default)]
pub(crate) struct Conversation {
    /// The task's prompt, once it is read: it is sent whatever is left out.
    prompt: Option<ChatMessage>,
    /// The newest messages, without a gap.
    newest: VecDeque<ChatMessage>,
    /// The number of the first of them.
    from: u32,
    /// The number after the last of them.
    to: u32,
    /// Less room than the window has, because the provider found a request too long.
    refused: Option<usize>,
}

impl Conversation {
    /// Reads what the run has and this does not. The first time it is only the end.
    pub(crate) async fn catch_up(&mut self, journal: &Journal, run: &Run) -> Result<(), Halt> {
        if self.to == 0 {
            self.from = run.messages.saturating_sub(PAGE);
            self.to = self.from;
        }
        if self.to < run.messages {
            let read = journal.messages(self.to..run.messages).await?;
            self.newest.extend(read);
            self.to = run.messages;
        }
        Ok(())
    }

    /// Reads back until the message of this number is there.
    pub(crate) async fn reach(&mut self, journal: &Journal, number: u32) -> Result<(), Halt> {
        while self.from > number {
            self.page_back(journal, number).await?;
        }
        Ok(())
    }

    async fn page_back(&mut self, journal: &Journal, down_to: u32) -> Result<(), Halt> {
        let first = self.from.saturating_sub(PAGE).max(down_to);
        let read = journal.messages(first..self.from).await?;
        for message in read.into_iter().rev() {
            self.newest.push_front(message);
        }
        self.from = first;
        Ok(())
    }

    /// What the next model call is sent: the prompt, word of what is left out, and the
    /// newest messages. Only after [`Conversation::fit`].
    pub(crate) fn to_send(&self) -> Vec<ChatMessage> {
        let mut all = Vec::with_capacity(self.newest.len() + 2);
        if self.from > 0 {
            all.extend(self.prompt.clone());
        }
        if self.from > 1 {
            all.push(window::left_out(self.from - 1));
        }
        all.extend(self.newest.iter().cloned());
        all
    }

    /// Users' messages from this number on: what has not been heard yet.
    pub(crate) fn unheard(&self, heard: u32) -> Vec<ChatMessage> {
        self.newest
            .iter()
            .skip(heard.saturating_sub(self.from) as usize)
            .filter(|message| matches!(message, ChatMessage::User { .. }))
            .cloned()
            .collect()
    }

    /// Whether the model spoke last, with nothing for it to react to.
    pub(crate) fn model_spoke_last(&self) -> bool {
        matches!(self.newest.back(), Some(ChatMessage::Model { .. }))
    }

    /// The readable text of what the model last said, if it said anything lately.
    pub(crate) async fn last_model_text(
        &mut self,
        journal: &Journal,
    ) -> Result<Option<String>, Halt> {
        let end = self.to.saturating_sub(WORDS_WITHIN);
        loop {
            let said = self.newest.iter().rev().find_map(|message| match message {
                ChatMessage::Model { content } => {
                    Some(readable(content)).filter(|text| !text.is_empty())
                }
                _ => None,
            });
            if said.is_some() || self.from <= end {
                return Ok(said);
            }
            self.page_back(journal, end).await?;
        }
    }
}

pub(crate) fn chat_message(message: &Message, text: String) -> ChatMessage {
    match message.speaker {
        Speaker::User(origin) => ChatMessage::User { origin, text },
        Speaker::Model => ChatMessage::Model { content: text },
        Speaker::Tool(outcome) => ChatMessage::ToolResult {
            call_id: message.call_id.clone().unwrap_or_default(),
            text,
            outcome,
        },
    }
}

/// The text blocks of a model message, joined.
fn readable(content: &str) -> String {
    let blocks: Vec<serde_json::Value> = serde_json::from_str(content).unwrap_or_default();
    let texts: Vec<&str> = blocks
        .iter()
        .filter_map(|block| block.get("text")?.as_str())
        .collect();
    texts.join("\n")
}

/// A text of Longhaul's own.
fn briefing(text: String) -> ChatMessage {
    ChatMessage::User {
        origin: MessageOrigin::Briefing,
        text,
    }
}

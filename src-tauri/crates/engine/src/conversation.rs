//! The conversation with the model, built from the journal's messages and
//! extended as they come, so that a step does not read the whole run again.

use agents::ChatMessage;
use domain::{Message, Run, Speaker};

use crate::journal::{Halt, Journal};

/// The messages read so far.
#[derive(Default)]
pub(crate) struct Conversation {
    messages: Vec<ChatMessage>,
}

impl Conversation {
    /// Reads what the run has and this does not.
    pub(crate) async fn catch_up(&mut self, journal: &Journal, run: &Run) -> Result<(), Halt> {
        let have = u32::try_from(self.messages.len()).unwrap_or(u32::MAX);
        if have < run.messages {
            for message in journal.messages(have).await? {
                let text = journal.text(&message.text).await?;
                self.messages.push(chat_message(&message, text));
            }
        }
        Ok(())
    }

    pub(crate) fn all(&self) -> &[ChatMessage] {
        &self.messages
    }

    /// What an agent has not been sent yet.
    pub(crate) fn unheard(&self, heard: u32) -> Vec<ChatMessage> {
        self.messages
            .iter()
            .skip(heard as usize)
            .filter(|message| matches!(message, ChatMessage::User { .. }))
            .cloned()
            .collect()
    }

    /// Whether the model spoke last, with nothing for it to react to.
    pub(crate) fn model_spoke_last(&self) -> bool {
        matches!(self.messages.last(), Some(ChatMessage::Model { .. }))
    }

    /// The readable text of what the model last said, if it said anything.
    pub(crate) fn last_model_text(&self) -> Option<String> {
        self.messages
            .iter()
            .rev()
            .find_map(|message| match message {
                ChatMessage::Model { content } => {
                    Some(readable(content)).filter(|text| !text.is_empty())
                }
                _ => None,
            })
    }

    /// Rough size in bytes, for estimates.
    pub(crate) fn bytes(&self) -> usize {
        self.messages
            .iter()
            .map(|message| match message {
                ChatMessage::User { text, .. } | ChatMessage::ToolResult { text, .. } => text.len(),
                ChatMessage::Model { content } => content.len(),
            })
            .sum()
    }
}

fn chat_message(message: &Message, text: String) -> ChatMessage {
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

//! What the agent says and hears, in its language.

use serde_json::Value;

/// What a message to the agent means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is to work.
    Prompt,
    /// Its question is answered.
    Answer { allowed: bool },
    /// It is to stop.
    Interrupt,
    /// Nothing but what was answered at once.
    Nothing,
}

/// One language. What is to be said is put into `out`.
pub(super) trait Voice {
    /// Hears a message, and answers what has an answer at once.
    fn hear(&mut self, message: &Value, out: &mut Vec<Value>) -> Heard;

    /// Its session, once there is a prompt.
    fn session(&self) -> String;

    /// What it was told to do.
    fn prompt(&self) -> String;

    /// Where it keeps sessions, below the home.
    fn folder(&self) -> &'static str;

    /// The turn begins.
    fn begin(&mut self, out: &mut Vec<Value>);

    /// A whole message.
    fn text(&mut self, text: &str, out: &mut Vec<Value>);

    /// A piece of one.
    fn chunk(&mut self, text: &str, out: &mut Vec<Value>);

    /// A command is about to be run.
    fn call_begins(&mut self, call: &str, command: &str, out: &mut Vec<Value>);

    /// May it?
    fn ask(&mut self, question: &str, call: &str, command: &str, out: &mut Vec<Value>);

    /// The command is over.
    fn call_ended(&mut self, call: &str, output: &str, fine: bool, out: &mut Vec<Value>);

    /// The turn is over.
    fn end(&mut self, interrupted: bool, out: &mut Vec<Value>);
}

//! What the model's answers of a turn consumed, counted from the lines that tell of
//! them: the turn's own report comes last, and not at all from an agent that is killed.

use domain::{Tokens, UsagePart};
use serde_json::{Value, json};

use super::protocol::{Line, main_loop_tokens, text};
use crate::driver::Usage;

/// Bytes that are certainly no fewer than one token's.
const BYTES_A_TOKEN: u64 = 3;

/// Tokens of the first prompt of a session: instructions and tools of the program's
/// own (about 20,000 in the recordings), and some for the task.
const FIRST_PROMPT: u64 = 25_000;

/// One answer.
#[derive(Clone, Debug)]
struct Answer {
    id: String,
    model: String,
    tokens: Tokens,
    /// Bytes of it that were streamed.
    streamed: u64,
    /// Its own last count of tokens came.
    counted: bool,
}

/// The answers of one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    answers: Vec<Answer>,
    /// A request was sent and nothing of its answer seen.
    pub(crate) asked: bool,
}

impl Tally {
    /// What a line says of it; whether it changed what was consumed.
    pub(crate) fn line(&mut self, line: &Line) -> Changed {
        match line {
            Line::System(subtype, message)
                if subtype == "status" && text(message, "status") == "requesting" =>
            {
                self.asked = true;
                Changed::No
            }
            Line::Stream(event, _) => self.stream(event),
            Line::Assistant(message, _) => self.answer(&message["message"]),
            _ => Changed::No,
        }
    }

    fn stream(&mut self, event: &Value) -> Changed {
        match text(event, "type") {
            "message_start" => return self.answer(&event["message"]),
            "content_block_delta" => {
                let delta = &event["delta"];
                let bytes = ["text", "thinking", "partial_json"].map(|f| text(delta, f).len());
                if let Some(answer) = self.answers.last_mut() {
                    answer.streamed += bytes.iter().sum::<usize>() as u64;
                }
            }
            "message_delta" => {
                if let Some(answer) = self.answers.last_mut() {
                    answer.tokens = most(answer.tokens, main_loop_tokens(&event["usage"]));
                    answer.counted = true;
                    return Changed::Yes;
                }
            }
            _ => {}
        }
        Changed::No
    }

    /// The beginning of an answer, or a block of it: told several times.
    fn answer(&mut self, message: &Value) -> Changed {
        let (id, model) = (text(message, "id"), text(message, "model"));
        if id.is_empty() || model.is_empty() || model == "<synthetic>" {
            return Changed::No;
        }
        self.asked = false;
        let tokens = main_loop_tokens(&message["usage"]);
        match self.answers.iter_mut().rev().find(|known| known.id == id) {
            Some(known) => known.tokens = most(known.tokens, tokens),
            None => self.answers.push(Answer {
                id: id.to_owned(),
                model: model.to_owned(),
                tokens,
                streamed: 0,
                counted: false,
            }),
        }
        Changed::Yes
    }

    /// What was consumed so far, the answer under way by what was streamed of it.
    /// None if nothing was answered.
    pub(crate) fn so_far(&self) -> Option<Usage> {
        self.with(None)
    }

    /// What a turn may be billed that ends here: a request on its way counts too, with
    /// a prompt as long as the one before it and its answer.
    pub(crate) fn at_an_end(&self) -> Option<Usage> {
        let prompt = || match self.answers.last() {
            Some(last) => last.tokens.prompt() + last.output(),
            None => FIRST_PROMPT,
        };
        self.with(self.asked.then(prompt))
    }

    /// Whether more was seen than a report says.
    pub(crate) fn exceeds(&self, reported: &Tokens) -> bool {
        let seen = self
            .answers
            .iter()
            .fold(Tokens::default(), |sum, answer| sum.plus(&answer.tokens));
        seen.prompt() > reported.prompt() || seen.output > reported.output
    }

    fn with(&self, on_its_way: Option<u64>) -> Option<Usage> {
        let mut parts: Vec<UsagePart> = self.answers.iter().map(Answer::part).collect();
        parts.extend(on_its_way.map(|prompt| UsagePart {
            model: self.model(),
            tokens: Tokens {
                input: prompt,
                ..Tokens::default()
            },
            ..UsagePart::default()
        }));
        if parts.is_empty() {
            return None;
        }
        Some(Usage {
            parts,
            raw: json!({"counted_from": "the answers seen", "answers": self.answers.len()}),
            ..Usage::default()
        })
    }

    fn model(&self) -> String {
        self.answers
            .last()
            .map(|answer| answer.model.clone())
            .unwrap_or_default()
    }
}

impl Answer {
    fn output(&self) -> u64 {
        if self.counted {
            self.tokens.output
        } else {
            self.tokens
                .output
                .max(self.streamed.div_ceil(BYTES_A_TOKEN))
        }
    }

    fn part(&self) -> UsagePart {
        UsagePart {
            model: self.model.clone(),
            tokens: Tokens {
                output: self.output(),
                ..self.tokens
            },
            ..UsagePart::default()
        }
    }
}

/// Whether anything was consumed since the line before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It was.
    Yes,
    /// It was not, as far as is known.
    No,
}

/// Counts only grow: a block repeats what the beginning said.
fn most(one: Tokens, other: Tokens) -> Tokens {
    Tokens {
        input: one.input.max(other.input),
        output: one.output.max(other.output),
        cache_read: one.cache_read.max(other.cache_read),
        cache_write: one.cache_write.max(other.cache_write),
        cache_write_long: one.cache_write_long.max(other.cache_write_long),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[Value]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.line(&Line::parse(line.to_string().as_bytes()));
        }
        tally
    }

    fn requesting() -> Value {
        json!({"type": "system", "subtype": "status", "status": "requesting"})
    }

    fn started(id: &str) -> Value {
        json!({"type": "stream_event", "event": {"type": "message_start", "message": {"id": id, "model": "m",
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 900, "output_tokens": 1}}}})
    }

    fn streamed(text: &str) -> Value {
        json!({"type": "stream_event", "event": {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}})
    }

    fn counted(output: u64) -> Value {
        json!({"type": "stream_event", "event": {"type": "message_delta", "usage": {"output_tokens": output}}})
    }

    fn total(usage: Option<Usage>) -> Tokens {
        usage
            .unwrap()
            .parts
            .iter()
            .fold(Tokens::default(), |sum, part| sum.plus(&part.tokens))
    }

    #[test]
    fn answers_are_counted_once_and_the_one_under_way_by_what_was_streamed() {
        let block = json!({"type": "assistant", "message": {"id": "a", "model": "m", "content": [],
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 900, "output_tokens": 1}}});
        let lines = [
            requesting(),
            started("a"),
            streamed(&"x".repeat(300)),
            block,
            counted(70),
            requesting(),
            started("b"),
            streamed(&"x".repeat(300)),
        ];
        let tally = tally(&lines);
        let tokens = total(tally.so_far());
        assert_eq!((tokens.input, tokens.cache_read), (20, 1800));
        assert_eq!(tokens.output, 70 + 100);
        assert_eq!(tally.so_far(), tally.at_an_end(), "nothing is on its way");
    }

    #[test]
    fn a_request_on_its_way_may_be_billed() {
        assert_eq!(tally(&[]).at_an_end(), None, "nothing was asked");
        let first = tally(&[requesting()]);
        assert_eq!(first.so_far(), None);
        assert_eq!(total(first.at_an_end()).input, FIRST_PROMPT);
        let second = tally(&[requesting(), started("a"), counted(70), requesting()]);
        assert_eq!(total(second.at_an_end()).input, 10 + (910 + 70));
    }

    #[test]
    fn what_is_no_answer_of_a_model_is_not_counted() {
        let synthetic = json!({"type": "assistant", "message": {"id": "a", "model": "<synthetic>", "content": [],
            "usage": {"input_tokens": 5, "output_tokens": 5}}});
        assert_eq!(tally(&[synthetic]).so_far(), None);
    }

    #[test]
    fn a_report_of_less_than_was_seen_is_noticed() {
        let tally = tally(&[started("a"), counted(70)]);
        assert!(tally.exceeds(&Tokens::default()));
        assert!(!tally.exceeds(&Tokens {
            input: 10,
            cache_read: 900,
            output: 70,
            ..Tokens::default()
        }));
    }
}

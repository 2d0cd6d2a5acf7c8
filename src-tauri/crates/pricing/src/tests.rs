mod amounts;
mod overrides;
mod properties;

use domain::{Timestamp, Tokens, UsagePart};

/// Noon UTC of a day, in milliseconds.
pub(super) fn noon(date: &str) -> Timestamp {
    at(&format!("{date}T12:00:00Z"))
}

pub(super) fn at(moment: &str) -> Timestamp {
    let moment: jiff::Timestamp = moment.parse().expect("test moment");
    Timestamp(moment.as_millisecond())
}

pub(super) fn part(model: &str, input: u64, output: u64) -> UsagePart {
    UsagePart {
        model: model.to_owned(),
        tokens: Tokens {
            input,
            output,
            ..Tokens::default()
        },
        ..UsagePart::default()
    }
}

//! Times and durations as people say them.

use domain::Timestamp;

/// `12s`, `4m`, `3h 20m`, `5d 2h`.
pub(crate) fn duration(seconds: u64) -> String {
    let two = |a: u64, au: &str, b: u64, bu: &str| {
        if b == 0 {
            format!("{a}{au}")
        } else {
            format!("{a}{au} {b}{bu}")
        }
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => two(
            seconds / 60,
            "m",
            if seconds < 600 { seconds % 60 } else { 0 },
            "s",
        ),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// `now`, `4m ago`, `in 2h`.
pub(crate) fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now.0 - at.0) / 1000;
    match seconds {
        -1..=1 => "now".to_owned(),
        2.. => format!("{} ago", duration(seconds.unsigned_abs())),
        _ => format!("in {}", duration(seconds.unsigned_abs())),
    }
}

/// Time of day in the user's own zone, for lines of a log.
pub(crate) fn clock(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|t| {
            t.to_zoned(jiff::tz::TimeZone::system())
                .strftime("%H:%M:%S")
                .to_string()
        })
        .unwrap_or_default()
}

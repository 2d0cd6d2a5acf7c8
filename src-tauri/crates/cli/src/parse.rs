//! Arguments with a meaning of their own, and the words for what is wrong with them.

use domain::NanoUsd;

/// A positive amount of dollars.
pub(crate) fn dollars(text: &str) -> Result<NanoUsd, String> {
    let amount: NanoUsd = text
        .parse()
        .map_err(|e: domain::ParseMoneyError| e.to_string())?;
    if amount <= NanoUsd::ZERO {
        return Err("a cost cap must be more than 0 dollars".to_owned());
    }
    Ok(amount)
}

/// Hunks of one file: their numbers, and how their digests begin as far as that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hunks {
    /// The file, as the diff names it.
    pub(crate) path: String,
    /// Which of its hunks.
    pub(crate) hunks: Vec<(u32, String)>,
}

/// `PATH:N`, `PATH:N,M` or `PATH:N@DIGEST`.
pub(crate) fn hunks(text: &str) -> Result<Hunks, String> {
    let wrong = || {
        format!("'{text}' names no hunk: say which file and which of its hunks, such as src/a.rs:2")
    };
    let (path, numbers) = text.rsplit_once(':').ok_or_else(wrong)?;
    let one = |part: &str| {
        let (number, digest) = part.split_once('@').unwrap_or((part, ""));
        let number: u32 = number.trim().parse().ok().filter(|n| *n > 0)?;
        Some((number, digest.to_ascii_lowercase()))
    };
    let hunks: Option<Vec<_>> = numbers.split(',').map(one).collect();
    let hunks = hunks.filter(|_| !path.is_empty()).ok_or_else(wrong)?;
    let path = path.to_owned();
    Ok(Hunks { path, hunks })
}

/// Where browsers are listened to: an address of this machine with a port.
pub(crate) fn listen(text: &str) -> Result<std::net::SocketAddr, String> {
    let wrong = || format!("'{text}' is not an address, such as 127.0.0.1:7700");
    let text = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    let address: std::net::SocketAddr = text.parse().map_err(|_| wrong())?;
    if !address.ip().is_loopback() {
        return Err(format!(
            "{address} can be reached from other machines; give 127.0.0.1:PORT, and forward it over ssh where needed"
        ));
    }
    Ok(address)
}

/// A positive count.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    match text.replace('_', "").parse::<i128>() {
        Ok(n) if n <= 0 => Err("it must be more than 0".to_owned()),
        Ok(n) if n <= i64::MAX.into() => Ok(n as u64),
        _ => Err(format!("'{text}' is not a whole number")),
    }
}

/// A positive duration in seconds: `90s`, `30m`, `1h30m`, `2d`; a bare number is seconds.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a duration, such as 90s, 30m, 1h30m or 2d");
    let (mut total, mut number) = (0_u64, String::new());
    for c in text.trim().chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(wrong()),
        };
        let n: u64 = number.parse().map_err(|_| wrong())?;
        total = n
            .checked_mul(unit)
            .and_then(|s| total.checked_add(s))
            .ok_or_else(wrong)?;
        number.clear();
    }
    if !number.is_empty() {
        if total > 0 {
            return Err(wrong());
        }
        total = number.parse().map_err(|_| wrong())?;
    }
    // A century; more is a slip of the finger and would overflow later sums.
    match total {
        0 => Err("a duration must be more than 0".to_owned()),
        1..=3_155_760_000 => Ok(total),
        _ => Err(wrong()),
    }
}

/// A word of one of the domain's closed sets.
pub(crate) fn word<T: std::str::FromStr<Err = String>>(text: &str) -> Result<T, String> {
    text.parse()
}

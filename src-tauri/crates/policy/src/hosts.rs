//! The other machines a command names, by its words alone.

use crate::shell::Word;

/// Programs whose every plain word may name a machine.
const FETCHERS: &[&str] = &[
    "curl", "wget", "http", "https", "xh", "ssh", "scp", "sftp", "rsync", "ping", "nc", "ncat",
    "telnet", "dig", "host", "nslookup",
];

/// The machines these words of a program name. Rather one too many than one too few: a
/// rule that allows must name them all.
pub(crate) fn hosts(program: &str, args: &[Word]) -> Vec<String> {
    let any = FETCHERS.contains(&program);
    let mut found: Vec<String> = args
        .iter()
        .filter_map(|word| host(&word.text, any))
        .collect();
    found.sort();
    found.dedup();
    found
}

fn host(word: &str, any: bool) -> Option<String> {
    let (scheme, rest) = match word.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, word),
    };
    let first = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, machine) = match first.rsplit_once('@') {
        Some((_, machine)) => (true, machine),
        None => (false, first),
    };
    let name = match machine.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => machine.split(':').next().unwrap_or_default(),
    };
    // `git@host:path` and `host:path`.
    let remote = !scheme && (user && machine.contains(':'));
    let plain = any && !word.starts_with('-');
    (scheme || remote || plain)
        .then(|| name.to_ascii_lowercase())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_found_in_words() {
        let of = |program: &str, words: &[&str]| {
            let words: Vec<Word> = words.iter().map(|word| Word::plain(*word)).collect();
            hosts(program, &words)
        };
        assert_eq!(of("curl", &["-s", "https://docs.rs/x"]), ["docs.rs"]);
        assert_eq!(of("curl", &["Example.com/x"]), ["example.com"]);
        assert_eq!(
            of("curl", &["https://docs.rs@evil.example/"]),
            ["evil.example"]
        );
        assert_eq!(
            of("curl", &["-x", "proxy", "https://docs.rs"]),
            ["docs.rs", "proxy"]
        );
        assert_eq!(of("git", &["clone", "git@github.com:a/b"]), ["github.com"]);
        assert_eq!(of("git", &["push", "origin", "main"]), Vec::<String>::new());
        assert_eq!(
            of("npm", &["i", "--registry=http://evil.example:80/"]),
            ["evil.example"]
        );
        assert_eq!(of("ssh", &["[::1]"]), ["::1"]);
    }
}

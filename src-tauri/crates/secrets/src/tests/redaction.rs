use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use crate::{MARKER, Redactor, Secret, contains_marker};

const KEY: &str = "test-key/not+real\"1";

fn redactor(keys: &[&str]) -> Redactor {
    let redactor = Redactor::new();
    keys.iter().for_each(|key| redactor.add(&Secret::new(*key)));
    redactor
}

#[test]
fn every_usual_form_of_a_key_is_removed() {
    let redactor = redactor(&[KEY]);
    let json = serde_json::to_string(&serde_json::json!({"key": KEY})).expect("json");
    let nested = serde_json::to_string(&json).expect("json");
    let mut texts = vec![
        KEY.to_owned(),
        json.replace('/', "\\/"),
        json,
        nested,
        "test-key%2Fnot%2Breal%221".to_owned(),
        "test-key%2fnot%2breal%221".to_owned(),
    ];
    for user in ["", "u", "us", "user:"] {
        texts.push(STANDARD.encode(format!("{user}{KEY}:more")));
        texts.push(URL_SAFE.encode(format!("{user}{KEY}")));
    }
    for text in texts {
        let clean = redactor.redact(&text);
        assert!(contains_marker(&clean), "{text} -> {clean}");
        assert!(
            !clean.contains("real") && !clean.contains("cmVhb"),
            "{text} -> {clean}"
        );
    }
}

#[test]
fn a_key_is_found_across_the_lines_of_base64_and_hex() {
    let long = "test-key-not-real-".repeat(5);
    for key in [KEY, long.as_str()] {
        let redactor = redactor(&[key]);
        let hex: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
        let base64 = STANDARD.encode(format!("us:{key}"));
        let base64 = base64.trim_end_matches('=');
        for (text, rest_of_group) in [
            (hex.as_str(), 0),
            (hex.to_uppercase().as_str(), 0),
            (base64, 6),
        ] {
            for (width, newline) in [
                (1, "\n"),
                (5, "\r\n"),
                (7, "\\n"),
                (60, "\n"),
                (76, "\\r\\n"),
            ] {
                let lines: Vec<&str> = text
                    .as_bytes()
                    .chunks(width)
                    .map(|line| std::str::from_utf8(line).expect("ASCII"))
                    .collect();
                let lines = lines.join(newline);
                let clean = redactor.redact(&lines);
                let left = clean.replace(MARKER, "").replace(newline, "");
                assert!(
                    contains_marker(&clean) && left.len() <= rest_of_group,
                    "{lines:?} -> {clean:?}"
                );
                let mut stream = redactor.stream();
                let mut out: Vec<u8> = lines
                    .bytes()
                    .flat_map(|byte| stream.push(&[byte]))
                    .collect();
                out.extend(stream.finish());
                assert_eq!(String::from_utf8(out).expect("UTF-8"), clean);
            }
        }
    }
}

#[test]
fn a_line_that_only_begins_like_a_wrapped_key_is_kept() {
    let redactor = redactor(&[KEY]);
    let begun = &STANDARD.encode(KEY)[..12];
    for text in [
        format!("{begun}\n\n\n\n\n{begun}\n"),
        format!("{begun}\\"),
        format!("{begun} \n"),
    ] {
        assert_eq!(redactor.redact(&text), text);
    }
}

#[test]
fn ordinary_text_is_borrowed_and_short_values_are_ignored() {
    let redactor = redactor(&["main"]);
    assert!(matches!(
        redactor.redact("the main branch"),
        std::borrow::Cow::Borrowed(_)
    ));
    let clone = redactor.clone();
    redactor.add(&Secret::new(KEY));
    assert_eq!(clone.redact(KEY), MARKER);
}

#[test]
fn overlapping_secrets_leave_no_tail() {
    let redactor = redactor(&["abcdefghij", "ghijklmnop"]);
    assert_eq!(redactor.redact("<abcdefghijklmnop>"), format!("<{MARKER}>"));
    let mut stream = redactor.stream();
    let mut out = stream.push(b"<abcdefghij");
    out.extend(stream.push(b"klmnop>"));
    out.extend(stream.finish());
    assert_eq!(out, format!("<{MARKER}>").into_bytes());
}

#[test]
fn a_stream_passes_on_at_once_what_cannot_be_a_secret() {
    let mut stream = redactor(&[KEY]).stream();
    assert_eq!(stream.push(b"hello test"), b"hello ");
    assert_eq!(stream.push(b"ing\xff"), b"testing\xff");
    assert_eq!(stream.push(b"test-key"), b"");
    assert_eq!(stream.finish(), b"test-key");
}

proptest! {
    #[test]
    fn no_secret_survives_any_chunking(
        keys in prop::collection::vec("[a-c/+\"\\\\]{8,20}", 1..4),
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 1..6),
        cuts in prop::collection::vec(0..200usize, 0..12),
    ) {
        let mut bytes = Vec::new();
        for (at, part) in noise.iter().enumerate() {
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(keys[at % keys.len()].as_bytes());
        }
        let all: Vec<&str> = keys.iter().map(String::as_str).collect();
        let redactor = redactor(&all);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut stream = redactor.stream();
        let mut out: Vec<u8> = cuts.windows(2).flat_map(|w| stream.push(&bytes[w[0]..w[1]])).collect();
        out.extend(stream.finish());
        prop_assert_eq!(&out[..], &redactor.redact_bytes(&bytes)[..]);
        for key in &keys {
            prop_assert!(!out.windows(key.len()).any(|w| w == key.as_bytes()));
        }
    }
}

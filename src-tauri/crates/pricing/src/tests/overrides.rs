use super::{noon, part};
use crate::{PriceBook, PriceBookError};

#[test]
fn the_bundled_book_has_the_models_and_a_version() {
    let book = PriceBook::bundled();
    assert_eq!(book.models().count(), 46);
    assert!(
        book.version().starts_with("2026-11-21+"),
        "{}",
        book.version()
    );
    let limits = book.limits("claude-haiku-4-5-20251001").expect("known");
    assert_eq!(
        (limits.context_window, limits.max_output_tokens),
        (Some(200_000), Some(64_000))
    );
    assert!(!book.known("llama-at-home"));
}

#[test]
fn an_override_replaces_prices_and_keeps_limits() {
    let book = PriceBook::bundled()
        .with_overrides(
            r#"{"models":[{"id":"claude-opus-5-5","prices":[{"input":"1","output":2}]},
            {"id":"llama-at-home","prices":[{"input":"0","output":"0"}],"context_window":32768}]}"#,
        )
        .expect("valid");
    let now = noon("2026-11-21");
    let cost = book
        .price(&[part("claude-opus-5-5", 1_000_000, 1_000_000)], now)
        .cost;
    assert_eq!(cost.expect("priced").to_string(), "3");
    let mut fast = part("claude-opus-5-5", 1, 1);
    fast.speed = Some("fast".to_owned());
    assert_eq!(
        book.price(&[fast], now).cost,
        None,
        "the book's fast rate does not fit the user's base"
    );
    assert_eq!(
        book.limits("claude-opus-5-5")
            .and_then(|l| l.max_output_tokens),
        Some(128_000)
    );
    assert_eq!(
        book.price(&[part("llama-at-home", 5, 5)], now)
            .cost
            .expect("priced")
            .to_string(),
        "0"
    );
    assert!(book.version().contains("+user."));
    assert_ne!(book.version(), PriceBook::bundled().version());
}

#[test]
fn an_override_may_add_limits_or_a_geography_alone() {
    let book = PriceBook::bundled()
        .with_overrides(r#"{"models":[{"id":"claude-fable-5-2","max_output_tokens":99,"multipliers":{"us":1.1}}]}"#)
        .expect("valid");
    let mut us = part("claude-fable-5-2", 1_000_000, 0);
    us.geo = Some("us".to_owned());
    assert_eq!(
        book.price(&[us], noon("2026-11-21"))
            .cost
            .expect("priced")
            .to_string(),
        "8.8"
    );
    assert_eq!(
        book.limits("claude-fable-5-2")
            .and_then(|l| l.max_output_tokens),
        Some(99)
    );
}

#[test]
fn a_mistake_names_the_entry() {
    let refuse = |json: &str| {
        PriceBook::bundled()
            .with_overrides(json)
            .expect_err("must be refused")
            .to_string()
    };
    assert!(matches!(
        PriceBook::bundled().with_overrides("[]"),
        Err(PriceBookError::NotAPriceFile(_))
    ));
    let typo = refuse(r#"{"models":[{"id":"a","prices":[{"inptu":"1","output":"2"}]}]}"#);
    assert!(
        typo.contains("entry 1 ('a')") && typo.contains("inptu"),
        "{typo}"
    );
    let negative = refuse(r#"{"models":[{"id":"a","prices":[{"input":"-1","output":"2"}]}]}"#);
    assert!(negative.contains("'-1' is not a price"), "{negative}");
    let fine = refuse(r#"{"models":[{"id":"a","prices":[{"input":"0.0000001","output":"2"}]}]}"#);
    assert!(fine.contains("six decimals"), "{fine}");
    let half = refuse(
        r#"{"models":[{"id":"ok","prices":[{"input":"1","output":"2"}]},{"id":"b","prices":[{"input":"1"}]}]}"#,
    );
    assert!(
        half.contains("entry 2 ('b')") && half.contains("'output'"),
        "{half}"
    );
    let none = refuse(r#"{"models":[{"id":"new-one","context_window":5}]}"#);
    assert!(none.contains("needs 'prices'"), "{none}");
    let date =
        refuse(r#"{"models":[{"id":"a","prices":[{"from":"soon","input":"1","output":"2"}]}]}"#);
    assert!(date.contains("'soon' is not a date"), "{date}");
    let anonymous = refuse(r#"{"models":[{"prices":[]}]}"#);
    assert!(anonymous.contains("no id"), "{anonymous}");
}

//! Amounts computed by hand from the published prices.

use domain::{Figure, Tokens, UsagePart};

use super::{at, noon, part};
use crate::PriceBook;

fn dollars(part: &UsagePart, moment: &str) -> String {
    let priced = PriceBook::bundled().price(std::slice::from_ref(part), at(moment));
    assert_eq!(priced.why, None);
    assert_eq!(priced.figure, Figure::Priced);
    priced.cost.expect("priced").to_string()
}

fn refused(part: &UsagePart) -> String {
    let priced = PriceBook::bundled().price(std::slice::from_ref(part), noon("2026-11-21"));
    assert_eq!((priced.cost, priced.figure), (None, Figure::Unpriced));
    priced.why.expect("a reason")
}

const NOW: &str = "2026-11-21T12:00:00Z";

#[test]
fn haiku_has_a_cliff_that_applies_to_every_token() {
    assert_eq!(
        dollars(&part("claude-haiku-5-5", 100_000, 1_000), NOW),
        "0.0105"
    );
    // 100,001 × 0.5 + 1,000 × 2.5, per million
    assert_eq!(
        dollars(&part("claude-haiku-5-5", 100_001, 1_000), NOW),
        "0.0525005"
    );
    // Cached tokens count toward the size of the prompt.
    let mut cached = part("claude-haiku-5-5", 1, 0);
    cached.tokens.cache_read = 100_000;
    assert_eq!(dollars(&cached, NOW), "0.0050005");
}

fn opus_with_everything() -> UsagePart {
    UsagePart {
        model: "claude-opus-5-5".to_owned(),
        tokens: Tokens {
            input: 1_000,
            output: 500,
            cache_read: 90_240,
            cache_write: 1_000,
            cache_write_long: 1_000,
        },
        web_searches: 2,
        ..UsagePart::default()
    }
}

#[test]
fn opus_with_both_kinds_of_write_and_two_searches() {
    // 0.004 + 0.010 + 0.018048 + 0.005 + 0.008 + 0.020
    assert_eq!(dollars(&opus_with_everything(), NOW), "0.065048");
}

#[test]
fn the_us_factor_covers_tokens_but_not_searches() {
    let us = UsagePart {
        geo: Some("us".to_owned()),
        ..opus_with_everything()
    };
    // 0.045048 × 1.1 + 0.020
    assert_eq!(dollars(&us, NOW), "0.0695528");
    let anywhere = UsagePart {
        geo: Some("global".to_owned()),
        ..opus_with_everything()
    };
    assert_eq!(dollars(&anywhere, NOW), "0.065048");
    let untold = UsagePart {
        geo: Some("not_available".to_owned()),
        ..opus_with_everything()
    };
    assert_eq!(dollars(&untold, NOW), "0.065048");
}

#[test]
fn fast_costs_what_the_fast_table_says() {
    let fast = UsagePart {
        speed: Some("fast".to_owned()),
        ..part("claude-opus-5-5", 1_000_000, 100_000)
    };
    assert_eq!(dollars(&fast, NOW), "12"); // 8 + 4
    let mut fast_search = fast;
    fast_search.web_searches = 1;
    assert_eq!(dollars(&fast_search, NOW), "12.01");
}

#[test]
fn prices_change_at_midnight_utc() {
    let mut reads = part("claude-sonnet-5-5", 0, 0);
    reads.tokens.cache_read = 1_000_000;
    assert_eq!(dollars(&reads, "2026-10-06T23:59:59Z"), "0.2");
    assert_eq!(dollars(&reads, "2026-10-07T00:00:00Z"), "0.1");
    let argon = part("gemini-4-argon", 100_000, 10_000);
    assert_eq!(dollars(&argon, "2026-11-30T23:59:59Z"), "0.3");
    assert_eq!(dollars(&argon, "2026-12-01T00:00:00Z"), "0.6");
}

#[test]
fn daily_windows_include_their_start_and_exclude_their_end() {
    let call = part("deepseek-v4-pro", 1_000_000, 0);
    assert_eq!(dollars(&call, "2026-11-21T00:59:59Z"), "0.66");
    assert_eq!(dollars(&call, "2026-11-21T01:00:00Z"), "1.32");
    assert_eq!(dollars(&call, "2026-11-21T04:00:00Z"), "0.66");
    assert_eq!(dollars(&call, "2026-11-21T09:59:59Z"), "1.32");
}

#[test]
fn tiers_of_a_reported_service_tier() {
    let batch = UsagePart {
        tier: Some("batch".to_owned()),
        ..part("claude-haiku-5-5", 200_000, 0)
    };
    assert_eq!(dollars(&batch, NOW), "0.05");
    let flex = UsagePart {
        tier: Some("flex".to_owned()),
        ..part("gpt-6.1-sol", 272_001, 0)
    };
    assert_eq!(dollars(&flex, NOW), "0.544002");
    for standard in ["standard", "auto", "default", ""] {
        let call = UsagePart {
            tier: Some(standard.to_owned()),
            ..part("gpt-6.1-sol", 272_000, 0)
        };
        assert_eq!(dollars(&call, NOW), "0.544");
    }
}

#[test]
fn fractions_of_a_nano_are_rounded_once_half_up() {
    let mut reads = part("deepseek-v4-pro", 0, 0);
    // 0.003625 dollars a million until 2026-08-17: 3.625 nano a token
    reads.tokens.cache_read = 4;
    assert_eq!(dollars(&reads, "2026-08-01T12:00:00Z"), "0.000000015"); // 14.5
    reads.tokens.cache_read = 2;
    assert_eq!(dollars(&reads, "2026-08-01T12:00:00Z"), "0.000000007"); // 7.25
}

#[test]
fn ids_match_exactly_or_with_a_release_date() {
    let dated = dollars(&part("claude-opus-5-5-20260922", 1_000_000, 0), NOW);
    assert_eq!(dated, "4");
    let dated = dollars(&part("gpt-5.4-2026-03-05", 100_000, 0), NOW);
    assert_eq!(dated, "0.25", "OpenAI writes dates with dashes");
    for other in [
        "gpt-5.4-2026-03",
        "gpt-5.4-20-2603-05",
        "gpt-5.4-pro-2026-03-05",
        "claude-opus-5-5-max",
        "claude-opus-5-50",
        "claude-opus-5-5-2026",
        "claude-opus",
        "",
    ] {
        assert!(
            refused(&part(other, 1, 1)).contains("no price is known for model"),
            "{other}"
        );
    }
}

#[test]
fn what_is_not_known_is_unpriced_and_says_why() {
    let turbo = UsagePart {
        speed: Some("turbo".to_owned()),
        ..part("claude-opus-5-5", 1, 1)
    };
    assert!(refused(&turbo).contains("speed 'turbo'"));
    let slow_only = UsagePart {
        speed: Some("fast".to_owned()),
        ..part("claude-sonnet-5-5", 1, 1)
    };
    assert!(refused(&slow_only).contains("speed 'fast'"));
    let priority = UsagePart {
        tier: Some("priority".to_owned()),
        ..part("claude-opus-5-5", 1, 1)
    };
    assert!(refused(&priority).contains("service tier 'priority'"));
    let both = UsagePart {
        tier: Some("batch".to_owned()),
        speed: Some("fast".to_owned()),
        ..part("claude-opus-5-5", 1, 1)
    };
    assert!(refused(&both).contains("together"));
    for geo in ["eu", "fast"] {
        let elsewhere = UsagePart {
            geo: Some(geo.to_owned()),
            ..part("claude-opus-5-5", 1, 1)
        };
        assert!(refused(&elsewhere).contains("inference in"), "{geo}");
    }
    let mut uncached = part("gpt-5.5-pro", 1, 1);
    uncached.tokens.cache_read = 1;
    assert!(refused(&uncached).contains("cache reads"));
    let mut search = part("grok-4.7", 1, 1);
    search.web_searches = 1;
    assert!(refused(&search).contains("web searches"));
    let huge = part("claude-opus-5-5", u64::MAX, u64::MAX);
    assert!(refused(&huge).contains("too large"));
}

#[test]
fn one_unpriced_part_makes_the_call_unpriced() {
    let book = PriceBook::bundled();
    let parts = [part("claude-opus-5-5", 1, 1), part("mystery", 1, 1)];
    assert_eq!(book.price(&parts, noon("2026-11-21")).cost, None);
    assert_eq!(book.price(&[], noon("2026-11-21")).cost, None);
}

#[test]
fn the_worst_case_takes_the_dearest_rate_tier_window_and_geography() {
    let book = PriceBook::bundled();
    let worst = |model, prompt, output| {
        book.worst_case(model, prompt, output, noon("2026-11-21"))
            .map(|cost| cost.to_string())
    };
    // 1h writes at 8, output at 20, inference in the US × 1.1
    assert_eq!(
        worst("claude-opus-5-5", 100_000, 10_000).as_deref(),
        Some("1.1")
    );
    // Haiku: 100,001 × 1.00 + 1,000 × 2.5, × 1.1
    assert_eq!(
        worst("claude-haiku-5-5", 100_001, 1_000).as_deref(),
        Some("0.1127511")
    );
    // DeepSeek at noon costs half of what a call that slips into a peak window does.
    assert_eq!(
        worst("deepseek-v4-pro", 1_000_000, 0).as_deref(),
        Some("1.32")
    );
    assert_eq!(worst("mystery", 1, 1), None);
    assert_eq!(worst("claude-opus-5-5", u64::MAX, u64::MAX), None);
}

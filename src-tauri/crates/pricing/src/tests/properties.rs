use domain::{NanoUsd, Tokens, UsagePart};
use proptest::prelude::*;

use super::{noon, part};
use crate::PriceBook;

#[test]
fn every_model_in_the_book_prices_and_reserves() {
    let book = PriceBook::bundled();
    for day in ["2024-01-01", "2026-03-12", "2026-11-21", "2027-06-01"] {
        for model in book.models() {
            for size in [0, 1, 100_000, 100_001, 300_000] {
                let cost = book.price(&[part(model, size, 1_000)], noon(day)).cost;
                let worst = book.worst_case(model, size, 1_000, noon(day));
                assert!(cost.expect(model) > NanoUsd::ZERO, "{model}");
                assert!(
                    worst.expect(model) >= cost.expect(model),
                    "{model} on {day}"
                );
            }
        }
    }
}

fn anthropic_call() -> impl Strategy<Value = UsagePart> {
    let tokens = (
        0..40_000u64,
        0..40_000u64,
        0..20_000u64,
        0..20_000u64,
        0..20_000u64,
    );
    let model = prop::sample::select(vec![
        "claude-haiku-5-5",
        "claude-opus-5-5",
        "claude-sonnet-5-5",
    ]);
    (
        model,
        tokens,
        0..5u64,
        prop::option::of(Just("us".to_owned())),
    )
        .prop_map(|(model, t, web_searches, geo)| UsagePart {
            model: model.to_owned(),
            tokens: Tokens {
                input: t.0,
                output: t.1,
                cache_read: t.2,
                cache_write: t.3,
                cache_write_long: t.4,
            },
            web_searches,
            geo,
            ..UsagePart::default()
        })
}

proptest! {
    /// 100,000 prompt tokens are the lowest tier boundary; these stay below it.
    #[test]
    fn more_tokens_never_cost_less_within_a_tier(call in anthropic_call(), field in 0..5usize, more in 0..1_000u64) {
        let book = PriceBook::bundled();
        let mut larger = call.clone();
        let t = &mut larger.tokens;
        *[&mut t.input, &mut t.output, &mut t.cache_read, &mut t.cache_write, &mut t.cache_write_long][field] += more;
        prop_assume!(larger.tokens.prompt() <= 100_000);
        let cost = |call| book.price(&[call], noon("2026-11-21")).cost.expect("priced");
        prop_assert!(cost(larger) >= cost(call));
    }

    #[test]
    fn a_call_costs_the_sum_of_its_parts_and_never_more_than_its_worst_case(calls in prop::collection::vec(anthropic_call(), 1..5)) {
        let book = PriceBook::bundled();
        let now = noon("2026-11-21");
        let each: Vec<NanoUsd> =
            calls.iter().map(|c| book.price(std::slice::from_ref(c), now).cost.expect("priced")).collect();
        prop_assert_eq!(book.price(&calls, now).cost, Some(each.iter().copied().sum()));
        for (call, cost) in calls.iter().zip(each) {
            let searches = NanoUsd(call.web_searches as i64 * 10_000_000);
            let worst = book.worst_case(&call.model, call.tokens.prompt(), call.tokens.output, now).expect("known");
            prop_assert!(cost <= worst + searches);
        }
    }
}

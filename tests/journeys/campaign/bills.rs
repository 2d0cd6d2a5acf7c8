//! The ledger against the vendor's bill: every settled call exactly as billed, every
//! billed call booked.

use std::collections::BTreeMap;

use domain::{Charge, Figure, NanoUsd, RunId};
use protocol::{LogEntry, RunView};
use testkit::model_server::{Delivered, LedgerRow};

/// What is wrong with the booking of one run.
pub(crate) fn check(
    run: &RunView,
    entries: &[LogEntry],
    server: &[LedgerRow],
    complaints: &mut Vec<String>,
) {
    let charges: Vec<&Charge> = entries.iter().filter_map(|e| e.event.charge()).collect();
    let by_request: BTreeMap<&str, &LedgerRow> = server
        .iter()
        .map(|row| (row.request_id.as_str(), row))
        .collect();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut sum = NanoUsd::ZERO;
    for charge in charges
        .iter()
        .filter(|charge| charge.figure == Figure::Priced)
    {
        sum += charge.cost.unwrap_or_default();
        let Some(request) = charge.request_id.as_deref() else {
            complaints.push(format!(
                "run {}: a priced call without a request id",
                run.id
            ));
            continue;
        };
        *seen.entry(request).or_default() += 1;
        match by_request.get(request) {
            Some(row) if row.delivered == Delivered::Full => {
                compare(run.id, charge, row, complaints)
            }
            other => complaints.push(format!(
                "run {}: request {request} is booked as settled, and the vendor has {other:?}",
                run.id
            )),
        }
    }
    for (request, times) in seen.into_iter().filter(|(_, times)| *times > 1) {
        complaints.push(format!(
            "run {}: request {request} is booked {times} times",
            run.id
        ));
    }
    if sum != run.cost_usd {
        complaints.push(format!(
            "run {}: its calls cost {sum}, and it shows {}",
            run.id, run.cost_usd
        ));
    }
    all_booked(run.id, &charges, server, complaints);
}

fn compare(run: RunId, charge: &Charge, row: &LedgerRow, complaints: &mut Vec<String>) {
    let billed = |field: &str| row.usage[field].as_u64().unwrap_or(0);
    let tokens = &charge.tokens;
    let booked = [
        tokens.input,
        tokens.output,
        tokens.cache_read,
        tokens.cache_write + tokens.cache_write_long,
    ];
    let on_the_bill = [
        billed("input_tokens"),
        billed("output_tokens"),
        billed("cache_read_input_tokens"),
        billed("cache_creation_input_tokens"),
    ];
    if booked != on_the_bill {
        complaints.push(format!(
            "run {run}: request {} is booked with {booked:?} tokens and billed with {on_the_bill:?}",
            row.request_id
        ));
    }
}

/// A call that was billed and lost in a crash must be booked as one that may have been.
fn all_booked(run: RunId, charges: &[&Charge], server: &[LedgerRow], complaints: &mut Vec<String>) {
    let billed = server.iter().filter(|row| !row.usage.is_null()).count() as u64;
    let booked: u64 = charges.iter().map(|charge| charge.requests).sum();
    if billed > booked {
        complaints.push(format!(
            "run {run}: {billed} calls were billed and {booked} booked"
        ));
    }
}

//! What was spent, and what holds runs back.

use domain::NanoUsd;
use protocol::{CostBy, CostReport, CostRequest, CostRow, Moment};

use crate::args::{By, CostArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::print::Look;
use crate::table::{Align, Table, cell, looking};

pub(super) async fn cost(context: &Context, args: CostArgs) -> Result<u8, Failure> {
    let by = match args.by {
        By::Day => CostBy::Day,
        By::Model => CostBy::Model,
        By::Backend => CostBy::Backend,
        By::Project => CostBy::Project,
        By::Run => CostBy::Run,
    };
    let since = args.since.and_then(|s| i64::try_from(s).ok());
    let since = since.map(|s| Moment(context.now().plus_ms(-s.saturating_mul(1000))));
    let report = context
        .client()
        .await?
        .cost(CostRequest {
            by,
            since,
            ..CostRequest::default()
        })
        .await?;
    if args.csv {
        context.print.raw(&csv(&report))?;
    } else {
        context.print.either(&report, || table(context, &report))?;
    }
    Ok(0)
}

const COLUMNS: &str = "key,requests,input,output,cache_read,cache_write,cost_usd,reported_usd,\
                       estimated_usd,unsettled_cost_usd,unpriced_requests";

/// RFC 4180; the total is left to whoever reads it.
pub(crate) fn csv(report: &CostReport) -> String {
    let mut text = format!("{COLUMNS}\r\n");
    for row in &report.rows {
        let usage = &row.usage;
        text.push_str(&format!(
            "{},{},{},{},{},{},{},{},{},{},{}\r\n",
            field(&row.key),
            usage.requests,
            usage.input,
            usage.output,
            usage.cache_read,
            usage.cache_write,
            row.cost_usd,
            row.reported_usd,
            row.estimated_usd,
            row.unsettled_cost_usd,
            row.unpriced_requests
        ));
    }
    text
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

fn table(context: &Context, report: &CostReport) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("", Left),
        ("REQUESTS", Right),
        ("INPUT", Right),
        ("OUTPUT", Right),
        ("CACHED", Right),
        ("COST", Right),
        ("UNSETTLED", Right),
        ("NOTES", Left),
    ]);
    let mut row = |row: &CostRow, name: &str, look: Look| {
        let money = |amount: NanoUsd| {
            if amount == NanoUsd::ZERO {
                "-".to_owned()
            } else {
                format!("${amount}")
            }
        };
        // What has no known price must not look free.
        let all_unpriced = row.unpriced_requests > 0 && row.cost_usd == NanoUsd::ZERO;
        let cost = if all_unpriced {
            "unknown".to_owned()
        } else {
            format!("${}", row.cost_usd)
        };
        table.row(vec![
            looking(name, look),
            cell(row.usage.requests.to_string()),
            cell(row.usage.input.to_string()),
            cell(row.usage.output.to_string()),
            cell(row.usage.cache_read.to_string()),
            looking(cost, look),
            cell(money(row.unsettled_cost_usd)),
            cell(notes(row)),
        ]);
    };
    for one in &report.rows {
        row(one, &one.key, Look::Plain);
    }
    row(&report.total, "total", Look::Bold);
    table.show(&context.print)
}

fn notes(row: &CostRow) -> String {
    let mut notes = Vec::new();
    if row.unpriced_requests > 0 {
        notes.push(format!("{} unpriced", row.unpriced_requests));
    }
    if row.reported_usd != NanoUsd::ZERO {
        notes.push(format!("${} as reported", row.reported_usd));
    }
    if row.estimated_usd != NanoUsd::ZERO {
        notes.push(format!("${} estimated", row.estimated_usd));
    }
    notes.join(", ")
}

//! `doctor`, `backup`, `restore`

use protocol::{BackupRequest, DoctorRequest, FindingLevel, RestoreRequest};

use super::input;
use crate::args::{BackupArgs, RestoreArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::print::Look;

pub(super) async fn doctor(context: &Context) -> Result<u8, Failure> {
    let report = context.client().await?.doctor(DoctorRequest {}).await?;
    let print = &context.print;
    print.either(&report, || {
        let line = |finding: &protocol::Finding| {
            let (mark, look) = match finding.level {
                FindingLevel::Ok => ("✓", Look::Good),
                FindingLevel::Warning => ("!", Look::Attention),
                FindingLevel::Problem => ("✗", Look::Bad),
            };
            let advice = finding.advice.as_deref().map(|a| format!("\n    {a}"));
            let advice = advice.unwrap_or_default();
            format!(
                "{} {}: {}{advice}",
                print.look(mark, look),
                finding.area,
                finding.what
            )
        };
        report
            .findings
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    Ok(if report.ok { 0 } else { 1 })
}

pub(super) async fn backup(context: &Context, args: BackupArgs) -> Result<u8, Failure> {
    let file = args
        .file
        .map(|path| input::file(context, &path))
        .transpose()?;
    let made = context
        .client()
        .await?
        .backup(BackupRequest { file })
        .await?;
    context.print.either(&made, || {
        let warning = made.warning.as_deref().map(|w| format!("\nwarning: {w}"));
        format!(
            "{} ({} bytes){}",
            made.file,
            made.bytes,
            warning.unwrap_or_default()
        )
    })?;
    Ok(0)
}

pub(super) async fn restore(context: &Context, args: RestoreArgs) -> Result<u8, Failure> {
    let file = input::file(context, &args.file)?;
    let client = context.client().await?;
    let restored = client.restore(RestoreRequest { file }).await?;
    // The daemon ends; the next command starts one on what was restored.
    super::daemon::until_gone(&client).await?;
    context.print.either(&restored, || {
        let kept = restored
            .kept
            .as_deref()
            .map(|k| format!("; what was there is kept in {k}"));
        format!(
            "restored from {}{}",
            restored.file,
            kept.unwrap_or_default()
        )
    })?;
    Ok(0)
}

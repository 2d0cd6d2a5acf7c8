//! The offline tour (`longhaul rehearse`): a real daemon, real keepers, real tools and a
//! real crash, in a throwaway home. Only the model is scripted, and said to be so.
//!
//! Every command line it shows is run as it is shown, by this same binary.

mod approval;
mod chapters;
mod stage;
mod survivors;

use std::path::PathBuf;

use protocol::{ApiError, ErrorCode};
use testkit::TestHome;
pub(crate) use testkit::rehearsal::Pace;
use tokio::signal::unix::{SignalKind, signal};

use crate::context::Context;
use crate::failure::Failure;
use crate::print::Look;
use stage::Stage;

/// Exit code of a tour that was ended from outside (DESIGN §6: cancelled).
const ENDED: u8 = 8;

/// How the tour came to its end.
enum Curtain {
    /// It was told.
    Told,
    /// Ctrl-C, the end of the terminal, or the end of the session.
    Cut,
}

/// Plays the tour; returns the exit code. Whatever happens, nothing of it is left.
pub(crate) async fn rehearse(context: &Context, pace: Pace) -> Result<u8, Failure> {
    // Before anything is made that would have to be removed.
    let cut = cut()?;
    let mut stage = Stage::new(context, pace)?;
    let played = tokio::select! {
        played = Box::pin(chapters::play(&mut stage)) => played.map(|()| Curtain::Told),
        () = cut => Ok(Curtain::Cut),
    };
    let place = stage.place();
    let failure = match played {
        Ok(curtain) => {
            let print = stage.print;
            clear(stage.into_home())?;
            return farewell(context, print.json, &curtain);
        }
        Err(Failure::Told(error)) => error,
        Err(gone @ Failure::PipeClosed) => {
            clear(stage.into_home())?;
            return Err(gone);
        }
    };
    let home = stage.into_home();
    let logs = keep_logs(&home);
    clear(home)?;
    Err(Failure::Told(ApiError::new(
        ErrorCode::Internal,
        format!("the rehearsal failed in {place}: {}", failure.message),
        match logs {
            Some(path) => format!("the daemon's logs were kept in {}", path.display()),
            None => failure.hint,
        },
    )))
}

fn farewell(context: &Context, json: bool, curtain: &Curtain) -> Result<u8, Failure> {
    let (words, code) = match curtain {
        Curtain::Told => ("The throwaway home is gone, and nothing runs on.", 0),
        Curtain::Cut => (
            "Stopped. The throwaway home is gone, and nothing runs on.",
            ENDED,
        ),
    };
    if !json {
        let words = context.print.look(words, Look::Faint);
        // A terminal that is gone cannot be told.
        context
            .print
            .line(&format!("\n{words}"))
            .or_else(|e| if code == ENDED { Ok(()) } else { Err(e) })?;
    }
    Ok(code)
}

/// Ready when the user, the terminal or the system wants the tour to end.
fn cut() -> Result<impl Future<Output = ()>, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Ends everything that runs in the home, by process id, and removes it.
fn clear(home: TestHome) -> Result<(), Failure> {
    home.kill_everything().map_err(stage::told)
}

/// Copies the daemon's logs to where they stay; where that is.
fn keep_logs(home: &TestHome) -> Option<PathBuf> {
    let logs = std::fs::read_dir(home.path().join("logs")).ok()?;
    let kept = tempfile::Builder::new()
        .prefix("longhaul-rehearsal-")
        .tempdir()
        .ok()?
        .keep();
    for log in logs.flatten() {
        std::fs::copy(log.path(), kept.join(log.file_name())).ok()?;
    }
    Some(kept)
}

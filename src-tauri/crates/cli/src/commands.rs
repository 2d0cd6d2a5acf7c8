//! What each command does.

mod apply;
mod backend;
mod cost;
mod daemon;
mod health;
mod input;
mod interactive;
mod limits;
mod lineage;
mod looking;
mod policy;
mod reviews;
mod run;
mod runs;
mod service;
mod show;
mod steer;
mod wait;
mod webhook;

#[cfg(test)]
pub(crate) use cost::csv;
#[cfg(test)]
pub(crate) use input::check;

use clap::CommandFactory;
use protocol::{ApiError, ErrorCode};

use crate::args::{Cli, Command, DaemonCommand};
use crate::context::Context;
use crate::failure::Failure;
use crate::rehearse::{self, Pace};

/// Carries out the command; returns the exit code.
pub(crate) fn run(cli: Cli, context: Context) -> Result<u8, Failure> {
    match cli.command {
        Command::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "longhaul", &mut script);
            context.print.raw(&String::from_utf8_lossy(&script))?;
            Ok(0)
        }
        // The daemon makes its own runtime.
        Command::Daemon(DaemonCommand::Run { detached, listen }) => {
            daemon::run(&context, detached, listen)
        }
        Command::Service(command) => service::run(&context, command),
        command => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.map_err(|e| {
                ApiError::new(
                    ErrorCode::Internal,
                    format!("cannot start: {e}"),
                    "try again",
                )
            })?;
            let code = runtime.block_on(Box::pin(call(&context, command)));
            // A read of standard input that was given up must not hold the program.
            runtime.shutdown_background();
            code
        }
    }
}

async fn call(context: &Context, command: Command) -> Result<u8, Failure> {
    match command {
        Command::Run(args) => run::run(context, *args).await,
        Command::Runs(args) => runs::runs(context, args).await,
        Command::Show(args) => show::show(context, args).await,
        Command::Logs(args) => wait::logs(context, args).await,
        Command::Wait(args) => wait::wait(context, args).await,
        Command::Resume(args) => steer::resume(context, args).await,
        Command::Pause(args) => steer::pause(context, args).await,
        Command::Cancel(args) => steer::cancel(context, args).await,
        Command::Fork(args) => lineage::fork(context, args).await,
        Command::Rollback(args) => lineage::rollback(context, args).await,
        Command::Policy(command) => policy::policy(context, command).await,
        Command::Message(args) => steer::message(context, args).await,
        Command::Diff(args) => steer::diff(context, args).await,
        Command::Apply(args) => apply::apply(context, args).await,
        Command::Discard(args) => steer::discard(context, args).await,
        Command::CatchUp(args) => looking::catch_up(context, args).await,
        Command::Reviews(args) if args.interactive => interactive::sit(context, args).await,
        Command::Reviews(args) if args.stats => looking::figures(context, args.since).await,
        Command::Reviews(args) => reviews::list(context, args).await,
        Command::Approve(args) => reviews::approve(context, args).await,
        Command::Reject(args) => reviews::reject(context, args).await,
        Command::Undo(args) => reviews::undo(context, args).await,
        Command::Answer(args) => reviews::answer(context, args).await,
        Command::Snooze(args) => reviews::snooze(context, args).await,
        Command::Backend(command) => backend::run(context, command).await,
        Command::Webhook(command) => webhook::run(context, command).await,
        Command::Cost(args) => cost::cost(context, args).await,
        Command::Limits(args) => limits::limits(context, args).await,
        Command::Throttle(args) => limits::throttle(context, args).await,
        Command::Daemon(command) => daemon::control(context, command).await,
        Command::Doctor => health::doctor(context).await,
        Command::Backup(args) => health::backup(context, args).await,
        Command::Restore(args) => health::restore(context, args).await,
        Command::Rehearse(args) => {
            let pace = if args.fast { Pace::Fast } else { Pace::Reading };
            rehearse::rehearse(context, pace).await
        }
        Command::Completions(_) | Command::Service(_) => Ok(0),
    }
}

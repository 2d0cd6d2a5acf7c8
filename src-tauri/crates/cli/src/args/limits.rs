//! `limits`, `throttle` and their arguments.

use clap::{Args, Subcommand};

use crate::parse;

/// `limits`
#[derive(Debug, Args)]
pub(crate) struct LimitsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LimitsCommand>,
}

/// `limits …`
#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// Make a bucket for calls of something outside, or give one other caps: those not named are
    /// lifted
    Set(BucketSetArgs),
    /// Forget a bucket and what was used of it
    Remove(BucketRemoveArgs),
}

/// `limits set`
#[derive(Debug, Args)]
pub(crate) struct BucketSetArgs {
    /// Its name, such as the API's
    pub(crate) bucket: String,
    /// Calls in any minute
    #[arg(long, value_name = "N")]
    pub(crate) per_minute: Option<u32>,
    /// Calls in a day (of UTC)
    #[arg(long, value_name = "N")]
    pub(crate) per_day: Option<u32>,
    /// Calls in a calendar month (of UTC)
    #[arg(long, value_name = "N")]
    pub(crate) per_month: Option<u32>,
    /// Set --per-day calls of the bucket aside for this project folder: it gets these and no more,
    /// and nobody else gets them
    #[arg(long = "for", value_name = "DIR", requires = "per_day", conflicts_with_all = ["per_minute", "per_month"])]
    pub(crate) project: Option<std::path::PathBuf>,
}

/// `limits remove`
#[derive(Debug, Args)]
pub(crate) struct BucketRemoveArgs {
    /// Its name
    pub(crate) bucket: String,
    /// Only what it sets aside for this project folder
    #[arg(long = "for", value_name = "DIR")]
    pub(crate) project: Option<std::path::PathBuf>,
}

/// `throttle`
#[derive(Debug, Args)]
pub(crate) struct ThrottleArgs {
    /// The bucket, as `limits set` made it
    pub(crate) bucket: String,
    /// Give up after waiting for so long, such as 10m (exit code 7)
    #[arg(long, value_name = "TIME", value_parser = parse::seconds)]
    pub(crate) max_wait: Option<u64>,
    /// The command and its arguments, after `--`; it begins when the bucket has room
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

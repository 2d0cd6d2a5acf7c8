//! `policy` and its arguments.

use clap::{Args, Subcommand};
use domain::Preset;

use crate::parse;

/// `policy`
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say what would be decided about a command, and which rule says so; nothing is run
    Test(PolicyTestArgs),
    /// List the rules in force, layer by layer, with the files they are in
    Show(PolicyShowArgs),
    /// Let a project's own rules, as they are now, also allow
    Trust(PolicyTrustArgs),
    /// Let a project's own rules only ask for more and refuse more
    Distrust(PolicyTrustArgs),
    /// Take one of your own rules back
    Remove(PolicyRemoveArgs),
}

/// `policy show`
#[derive(Debug, Args)]
pub(crate) struct PolicyShowArgs {
    /// The project folder, whose rules count too [default: this one]
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<std::path::PathBuf>,
    /// The preset [default: yours]
    #[arg(long, visible_alias = "policy", value_parser = parse::word::<Preset>)]
    pub(crate) preset: Option<Preset>,
}

/// `policy trust`, `policy distrust`
#[derive(Debug, Args)]
pub(crate) struct PolicyTrustArgs {
    /// The project folder [default: this one]
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<std::path::PathBuf>,
}

/// `policy remove`
#[derive(Debug, Args)]
pub(crate) struct PolicyRemoveArgs {
    /// The rule's id, as `policy show` lists it
    pub(crate) rule: String,
    /// Only where it is for this project folder
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<std::path::PathBuf>,
}

/// `policy test`
#[derive(Debug, Args)]
pub(crate) struct PolicyTestArgs {
    /// The shell command
    #[arg(allow_hyphen_values = true)]
    pub(crate) command: String,
    /// The preset [default: yours]
    #[arg(long, visible_alias = "policy", value_parser = parse::word::<Preset>)]
    pub(crate) preset: Option<Preset>,
    /// The project folder, whose rules count too [default: this one]
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<std::path::PathBuf>,
}

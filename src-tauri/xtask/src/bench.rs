//! `cargo xtask bench [NAME…] [--quick]`: measures a release build. Figures and their
//! names are in `tests/bench`.

use crate::chores::{cargo, step};
use crate::packages;

pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    packages::ensure(&[packages::RUN, packages::TEST])?;
    step(
        "build",
        &mut cargo(&["build", "--release", "--package", "longhaul", "--bins"]),
    )?;
    let mut bench = cargo(&["bench", "--package", "longhaul", "--bench", "figures", "--"]);
    bench.args(args);
    step("bench", &mut bench)
}

//! `cargo xtask bench`: runs the benches in a release build.

use crate::chores::{cargo, step};
use crate::packages;

pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    packages::ensure(packages::TEST)?;
    step(
        "build",
        &mut cargo(&["build", "--release", "--workspace", "--bins"]),
    )?;
    let mut bench = cargo(&[
        "run",
        "--release",
        "--package",
        "longhaul-testkit",
        "--bin",
        "bench",
        "--",
    ]);
    bench.args(args);
    step("bench", &mut bench)
}

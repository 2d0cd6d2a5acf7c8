//! The workspace as `cargo metadata` sees it.

use anyhow::Context as _;
use serde_json::Value;

use crate::chores::cargo;

/// A crate of ours.
pub(crate) struct Member {
    pub(crate) name: String,
    /// Names of the members it depends on, tests excluded.
    pub(crate) uses: Vec<String>,
    /// Every dependency outside the workspace, tests excluded.
    pub(crate) outside: Vec<String>,
}

pub(crate) fn members() -> anyhow::Result<Vec<Member>> {
    let output = cargo(&[
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ])
    .output()?;
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata did not answer in JSON")?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let short = |name: &str| name.strip_prefix("longhaul-").unwrap_or(name).to_owned();
    let names: Vec<String> = packages
        .iter()
        .filter_map(|p| p["name"].as_str())
        .map(short)
        .collect();
    let member = |package: &Value| {
        let dependencies = package["dependencies"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let normal = dependencies.iter().filter(|d| d["kind"].is_null());
        let all: Vec<String> = normal
            .filter_map(|d| d["name"].as_str())
            .map(short)
            .collect();
        let (uses, outside) = all.into_iter().partition(|name| names.contains(name));
        Member {
            name: package["name"].as_str().map(short).unwrap_or_default(),
            uses,
            outside,
        }
    };
    Ok(packages.iter().map(member).collect())
}

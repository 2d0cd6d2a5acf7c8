//! The repository's own rules, as a program. ARCHITECTURE.md names each.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::chores::root;
use crate::metadata::{Member, members};

/// Crates in layers, lowest first. A crate may use only crates of lower layers.
const LAYERS: &[&[&str]] = &[
    &["domain", "faults"],
    &[
        "store",
        "secrets",
        "pricing",
        "limiter",
        "workspace",
        "keeper",
        "policy",
        "protocol",
        "testkit",
    ],
    &["agents", "client", "notices"],
    &["gateway"],
    &["engine"],
    &["daemon"],
    &["cli"],
    &["longhaul", "xtask"],
];

/// What the pure core must never depend on.
const IMPURE: &[&str] = &[
    "tokio", "reqwest", "sqlx", "rustix", "axum", "tracing", "hyper",
];

/// The crates the desktop shell may name. It is a thin client: what needs more belongs
/// into the daemon.
const SHELL: &[&str] = &["client", "protocol", "domain", "notices"];

/// Longest source file, in lines.
const LINES: usize = 500;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "misc", "manager",
];

/// What may stand at the top.
const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "LICENSE",
    "rust-toolchain.toml",
    "src-tauri",
    "ui",
    "migrations",
    "icons",
    "tests",
    "tauri.conf.json",
];

pub(crate) fn run() -> anyhow::Result<()> {
    let mut found = Vec::new();
    check_layers(&members()?, &mut found);
    for file in tracked_files()? {
        check_file(&file, &mut found);
    }
    check_journeys(&mut found)?;
    check_shell(&mut found)?;
    if found.is_empty() {
        println!("tidy: layers, file lengths and names are in order");
        return Ok(());
    }
    for finding in &found {
        println!("tidy: {finding}");
    }
    bail!("{} findings", found.len())
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

fn check_layers(members: &[Member], found: &mut Vec<String>) {
    for member in members {
        let Some(own) = layer(&member.name) else {
            found.push(format!(
                "crate {} has no layer: add it to xtask's tidy.rs",
                member.name
            ));
            continue;
        };
        for used in &member.uses {
            if layer(used).is_none_or(|theirs| theirs >= own) {
                found.push(format!(
                    "{} uses {used}, which is not in a lower layer",
                    member.name
                ));
            }
        }
        for outside in &member.outside {
            if member.name == "domain" && IMPURE.contains(&outside.as_str()) {
                found.push(format!("domain is pure and may not use {outside}"));
            }
            if outside == "sqlx" && member.name != "store" {
                found.push(format!(
                    "only store speaks SQL, and {} uses sqlx",
                    member.name
                ));
            }
            if outside == "tauri" && member.name != "longhaul" {
                found.push(format!("{} must not know the desktop shell", member.name));
            }
        }
    }
}

fn tracked_files() -> anyhow::Result<Vec<PathBuf>> {
    let output = std::process::Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(PathBuf::from)
        .collect())
}

fn check_file(file: &Path, found: &mut Vec<String>) {
    let first = file
        .components()
        .next()
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    if let Some(first) = first
        && !first.starts_with('.')
        && !TOP.contains(&first.as_str())
    {
        found.push(format!("{first} does not belong at the top"));
    }
    if file.extension().is_none_or(|ending| ending != "rs") {
        return;
    }
    let stem = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    if stem == "mod" {
        found.push(format!(
            "{}: name the file after its module, not mod.rs",
            file.display()
        ));
    }
    if EMPTY_NAMES.contains(&stem.as_str()) {
        found.push(format!("{}: the name says nothing", file.display()));
    }
    let Ok(text) = std::fs::read_to_string(root().join(file)) else {
        return;
    };
    let lines = text.lines().count();
    if lines > LINES {
        found.push(format!(
            "{}: {lines} lines (at most {LINES})",
            file.display()
        ));
    }
}

/// `tests/journeys/main.rs` lists every file beside it: a forgotten one never runs.
fn check_journeys(found: &mut Vec<String>) -> anyhow::Result<()> {
    let folder = root().join("tests/journeys");
    let main = std::fs::read_to_string(folder.join("main.rs"))?;
    for entry in std::fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".rs").filter(|stem| *stem != "main") else {
            continue;
        };
        if !main.contains(&format!("mod {stem};")) {
            found.push(format!(
                "tests/journeys/{name} is not in main.rs and never runs"
            ));
        }
    }
    Ok(())
}

/// The root package has the shell and the command line's entry in it, so `Cargo.toml`
/// cannot tell their dependencies apart: their sources must.
fn check_shell(found: &mut Vec<String>) -> anyhow::Result<()> {
    let crates: Vec<String> = members()?.into_iter().map(|member| member.name).collect();
    for file in tracked_files()? {
        let Ok(inside) = file.strip_prefix("src-tauri/src") else {
            continue;
        };
        let allowed: &[&str] = if inside.starts_with("bin") {
            &["cli"]
        } else {
            SHELL
        };
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else {
            continue;
        };
        for name in &crates {
            if !allowed.contains(&name.as_str()) && names_crate(&text, name) {
                found.push(format!("{} may not use {name}", file.display()));
            }
        }
    }
    Ok(())
}

/// Whether a source names a crate: `store::…`, as a whole path's beginning. Modules of the
/// same name are reached through `crate::` or `self::`.
fn names_crate(text: &str, name: &str) -> bool {
    let path = format!("{name}::");
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.match_indices(&path).map(move |(at, _)| &line[..at]))
        .any(|before| !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':')))
}

//! System packages: said before they are installed, and only what is missing.

use std::process::{Command, Stdio};

use anyhow::bail;

/// A program that must be there, and the Debian/Ubuntu package that has it.
pub(crate) struct Needed {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

/// To build and run.
pub(crate) const RUN: &[Needed] = &[
    Needed {
        program: "cc",
        package: "build-essential",
        why: "compiles SQLite",
    },
    Needed {
        program: "git",
        package: "git",
        why: "runs work in clones",
    },
];

/// To test: besides, a keychain of its own on a private session bus.
pub(crate) const TEST: &[Needed] = &[
    Needed {
        program: "cc",
        package: "build-essential",
        why: "compiles SQLite",
    },
    Needed {
        program: "git",
        package: "git",
        why: "runs work in clones",
    },
    Needed {
        program: "dbus-daemon",
        package: "dbus",
        why: "the keychain tests' session bus",
    },
    Needed {
        program: "gnome-keyring-daemon",
        package: "gnome-keyring",
        why: "the keychain tests' keychain",
    },
    Needed {
        program: "secret-tool",
        package: "libsecret-tools",
        why: "looks into that keychain from outside",
    },
    Needed {
        program: "sqlite3",
        package: "sqlite3",
        why: "damages databases in the store's tests",
    },
];

/// Installs what is missing, with sudo only if needed.
pub(crate) fn ensure(needed: &[Needed]) -> anyhow::Result<()> {
    let missing: Vec<&Needed> = needed
        .iter()
        .filter(|needed| !is_there(needed.program))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("These system packages are missing:");
    for needed in &missing {
        println!("  {:<18} {}", needed.package, needed.why);
    }
    if !is_there("apt-get") {
        bail!("install them with your system's package manager, then run this again");
    }
    let packages: Vec<&str> = missing.iter().map(|needed| needed.package).collect();
    let privilege: &[&str] = if is_root() { &[] } else { &["sudo"] };
    apt(privilege, &["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(packages);
    apt(privilege, &install)
}

fn apt(privilege: &[&str], args: &[&str]) -> anyhow::Result<()> {
    let words: Vec<&str> = privilege
        .iter()
        .copied()
        .chain(["apt-get"])
        .chain(args.iter().copied())
        .collect();
    println!("+ {}", words.join(" "));
    let status = Command::new(words[0])
        .args(&words[1..])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        bail!("`{}` failed", words.join(" "))
    }
}

pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    folders
        .into_iter()
        .any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| out.stdout.starts_with(b"0\n"))
}

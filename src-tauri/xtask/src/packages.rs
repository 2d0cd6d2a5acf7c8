//! System packages: said before they are installed, and only what is missing.

use std::process::{Command, Stdio};

use anyhow::bail;

/// How it is seen that something is there.
enum Sign {
    /// A program on the path.
    Program(&'static str),
    /// A library one can compile against, by its pkg-config name.
    Headers(&'static str),
    /// A library the loader finds.
    Library(&'static str),
    /// Modules the system's Python can import.
    Python(&'static str),
}

/// Something that must be there, and the Debian/Ubuntu package that has it.
pub(crate) struct Needed {
    sign: Sign,
    package: &'static str,
    why: &'static str,
}

const fn needed(sign: Sign, package: &'static str, why: &'static str) -> Needed {
    Needed { sign, package, why }
}

/// To build and run.
pub(crate) const RUN: &[Needed] = &[
    needed(
        Sign::Program("cc"),
        "build-essential",
        "compiles SQLite and the window's parts",
    ),
    needed(Sign::Program("git"), "git", "runs work in clones"),
    needed(
        Sign::Program("pkg-config"),
        "pkg-config",
        "finds the libraries below",
    ),
    needed(
        Sign::Headers("webkit2gtk-4.1"),
        "libwebkit2gtk-4.1-dev",
        "the window shows its pages with WebKit",
    ),
    needed(
        Sign::Library("libayatana-appindicator3.so.1"),
        "libayatana-appindicator3-1",
        "the tray icon",
    ),
    needed(
        Sign::Program("node"),
        "nodejs",
        "builds the interface (20.19 or newer)",
    ),
    needed(
        Sign::Program("npm"),
        "npm",
        "fetches what the interface is built from",
    ),
];

/// To test: besides, a desktop of its own to look at.
pub(crate) const TEST: &[Needed] = &[
    needed(
        Sign::Program("bwrap"),
        "bubblewrap",
        "the sandbox of runs' commands",
    ),
    needed(
        Sign::Program("dbus-daemon"),
        "dbus",
        "the tests' session bus",
    ),
    needed(
        Sign::Program("dbus-run-session"),
        "dbus-daemon",
        "ends that bus with the tests",
    ),
    needed(
        Sign::Program("gnome-keyring-daemon"),
        "gnome-keyring",
        "the tests' keychain",
    ),
    needed(
        Sign::Program("secret-tool"),
        "libsecret-tools",
        "looks into that keychain from outside",
    ),
    needed(
        Sign::Program("sqlite3"),
        "sqlite3",
        "damages databases in the store's tests",
    ),
    needed(
        Sign::Program("Xvfb"),
        "xvfb",
        "a display for the window's tests",
    ),
    needed(
        Sign::Program("openbox"),
        "openbox",
        "manages the windows on it",
    ),
    needed(
        Sign::Program("WebKitWebDriver"),
        "webkit2gtk-driver",
        "drives the window",
    ),
    needed(Sign::Program("dunst"), "dunst", "shows its notifications"),
    needed(
        Sign::Program("xdotool"),
        "xdotool",
        "answers its native dialogs",
    ),
    needed(
        Sign::Program("gdbus"),
        "libglib2.0-bin",
        "looks at the session bus",
    ),
    needed(
        Sign::Python("dbus, gi"),
        "python3-dbus python3-gi",
        "plays the panel with the tray",
    ),
    needed(
        Sign::Program("chromium"),
        "chromium",
        "shows the interface as a browser does",
    ),
    needed(
        Sign::Program("fc-list"),
        "fontconfig fonts-dejavu-core",
        "letters for both",
    ),
    needed(
        Sign::Program("desktop-file-validate"),
        "desktop-file-utils",
        "checks the package's menu entry",
    ),
];

/// Installs what is missing, with sudo only if needed.
pub(crate) fn ensure(lists: &[&[Needed]]) -> anyhow::Result<()> {
    let missing: Vec<&Needed> = lists
        .iter()
        .copied()
        .flatten()
        .filter(|needed| !needed.sign.is_seen())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("These system packages are missing:");
    for needed in &missing {
        println!("  {:<28} {}", needed.package, needed.why);
    }
    if !is_there("apt-get") {
        bail!("install them with your system's package manager, then run this again");
    }
    let packages = missing
        .iter()
        .flat_map(|needed| needed.package.split_whitespace());
    let privilege: &[&str] = if is_root() { &[] } else { &["sudo"] };
    apt(privilege, &["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(packages);
    apt(privilege, &install)
}

impl Sign {
    fn is_seen(&self) -> bool {
        match self {
            Self::Program(name) => is_there(name),
            Self::Headers(name) => succeeds("pkg-config", &["--exists", name]),
            Self::Library(name) => says("/sbin/ldconfig", &["-p"]).contains(name),
            Self::Python(modules) => {
                succeeds("/usr/bin/python3", &["-c", &format!("import {modules}")])
            }
        }
    }
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

fn succeeds(program: &str, args: &[&str]) -> bool {
    let run = Command::new(program)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    run.is_ok_and(|status| status.success())
}

fn says(program: &str, args: &[&str]) -> String {
    let run = Command::new(program).args(args).output();
    run.map_or_else(
        |_| String::new(),
        |out| String::from_utf8_lossy(&out.stdout).into_owned(),
    )
}

fn is_root() -> bool {
    says("id", &["-u"]).trim() == "0"
}

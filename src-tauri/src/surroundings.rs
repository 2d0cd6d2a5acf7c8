//! What the application gets from its surroundings: the only place that reads them.

use std::path::{Path, PathBuf};

use client::{Launch, Paths};

use crate::links::{self, Route};

/// This program's version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The argument of a start at login: the tray icon alone.
pub(crate) const HIDDEN: &str = "--hidden";

/// The name on the session bus under which one application a home is known.
const BUS_NAME: &str = "app.longhaul.Longhaul";

/// Whether a start shows the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appearance {
    /// Somebody started it to see it.
    Shown,
    /// It was started at login.
    Hidden,
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) appearance: Appearance,
    /// Where a `longhaul://` link leads.
    pub(crate) route: Option<Route>,
}

impl Arguments {
    /// Reads arguments, the program's name not among them. What is not understood is
    /// passed over: desktops and webview tools add their own.
    pub(crate) fn of(arguments: impl Iterator<Item = String>) -> Self {
        let mut read = Self {
            appearance: Appearance::Shown,
            route: None,
        };
        for argument in arguments {
            if argument == HIDDEN {
                read.appearance = Appearance::Hidden;
            } else if let Some(route) = links::route_of(&argument) {
                read.route = Some(route);
            }
        }
        read
    }
}

/// Everything read from outside.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// How a daemon is started.
    pub(crate) launch: Launch,
    /// What the command line asks for.
    pub(crate) arguments: Arguments,
}

impl Surroundings {
    /// # Errors
    /// Words for the user.
    pub(crate) fn read() -> Result<Self, String> {
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let user = rustix::process::getuid().as_raw();
        let paths = Paths::find(|name| std::env::var_os(name), user, &cwd)?;
        // Read now: after an upgrade under our feet the answer is "(deleted)".
        let own = std::env::current_exe().map_err(|e| format!("cannot find myself: {e}"))?;
        let search = std::env::var_os("PATH").unwrap_or_default();
        let user_manager =
            std::env::var_os("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("systemd"));
        Ok(Self {
            launch: Launch {
                program: longhaul_of(&own, std::env::split_paths(&search)),
                paths,
                user_manager,
            },
            arguments: Arguments::of(std::env::args().skip(1)),
        })
    }

    /// A name for each home: two homes are two applications.
    pub(crate) fn bus_name(&self) -> String {
        let socket = &self.launch.paths.socket;
        let home = socket.file_stem().unwrap_or_default().to_string_lossy();
        // A part of a bus name does not begin with a digit.
        format!("{BUS_NAME}.h{home}")
    }

    /// A file of the shell's own in the home.
    pub(crate) fn desktop_file(&self, name: &str) -> PathBuf {
        self.launch.paths.home.join("desktop").join(name)
    }
}

/// The `longhaul` binary: beside this one, as every package puts it, or else on the path.
fn longhaul_of(own: &Path, search: impl Iterator<Item = PathBuf>) -> PathBuf {
    let name = format!("longhaul{}", std::env::consts::EXE_SUFFIX);
    let beside = own.with_file_name(&name);
    if beside.is_file() {
        return beside;
    }
    search
        .map(|folder| folder.join(&name))
        .find(|candidate| candidate.is_file())
        .unwrap_or(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Arguments {
        Arguments::of(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn a_start_at_login_shows_no_window() {
        assert_eq!(read(&["--hidden"]).appearance, Appearance::Hidden);
        assert_eq!(read(&[]).appearance, Appearance::Shown);
        assert_eq!(read(&["--gtk-debug=all"]).appearance, Appearance::Shown);
    }

    #[test]
    fn a_link_may_be_an_argument() {
        let asked = read(&["longhaul://run/0199aa"]);
        assert_eq!(asked.route, Some(Route::Run("0199aa".into())));
        assert_eq!(read(&["https://example.org/"]).route, None);
    }

    #[test]
    fn the_binary_beside_comes_before_the_path() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        for place in [&here, &there] {
            std::fs::create_dir(place).expect("fresh");
        }
        let own = here.join("longhaul-desktop");
        std::fs::write(there.join("longhaul"), "").expect("fresh");
        let found = || longhaul_of(&own, [there.clone()].into_iter());
        assert_eq!(found(), there.join("longhaul"));
        std::fs::write(here.join("longhaul"), "").expect("fresh");
        assert_eq!(found(), here.join("longhaul"));
    }
}

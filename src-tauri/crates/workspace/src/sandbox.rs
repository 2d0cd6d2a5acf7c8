//! Where commands run so that they can do no harm outside their workspace.
//!
//! Three parts: [`Boundary`] says what is seen and what may be written (it looks at
//! the disk to leave out what is not there), [`Sandbox::wrapper`] turns one into the
//! command line of bubblewrap (pure), and [`Sandbox::probe`] finds out by doing it
//! whether this machine can.
//!
//! What it is: a read-only system, an empty home with the user's programs and caches in
//! it, temporary folders of the run's own, a process and an IPC namespace of its own, no
//! capabilities. What it is not: a virtual machine. The kernel is shared, and so is the
//! network unless it is switched off; with the network on, sockets with abstract names
//! (some X servers have one) can be reached.

mod boundary;
mod list;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use boundary::{Boundary, Surroundings, homes, unguard_git};

/// How a path looks from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It can be read.
    Read,
    /// It can be read and written.
    Write,
    /// It is a folder that is empty, private and gone with the command.
    Empty,
    /// It is a file without contents.
    Nothing,
}

/// Whether a command can talk to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// As the user's own programs.
    #[default]
    On,
    /// With nobody but itself.
    Off,
}

/// A way to run commands behind a [`Boundary`] that was seen to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    program: PathBuf,
    root: Root,
}

/// Whether this process is the superuser, of whom more must be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Yes,
    No,
}

/// Why there is no sandbox here, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(String);

/// Where bubblewrap is looked for: not in `PATH`, which may name a folder an agent
/// can write to.
#[cfg(target_os = "linux")]
const PLACES: &[&str] = &[
    "/usr/bin/bwrap",
    "/usr/local/bin/bwrap",
    "/bin/bwrap",
    "/run/current-system/sw/bin/bwrap",
];

impl Sandbox {
    /// Whether commands can be sandboxed here: found out by running one, with the very
    /// options that are used. Takes some 10 ms and blocks.
    #[cfg(target_os = "linux")]
    pub fn probe() -> Result<Sandbox, Unavailable> {
        let found = PLACES.iter().map(Path::new).find(|place| place.is_file());
        let Some(program) = found else {
            return Err(Unavailable(
                "bubblewrap is not installed; install the package `bubblewrap`".to_owned(),
            ));
        };
        let sandbox = Sandbox {
            program: program.to_owned(),
            root: if rustix::process::geteuid().is_root() {
                Root::Yes
            } else {
                Root::No
            },
        };
        sandbox.attempt().map(|()| sandbox)
    }

    /// Whether commands can be sandboxed here: not on this system.
    #[cfg(not(target_os = "linux"))]
    pub fn probe() -> Result<Sandbox, Unavailable> {
        Err(Unavailable(
            "there is no sandbox for this operating system yet".to_owned(),
        ))
    }

    #[cfg(target_os = "linux")]
    fn attempt(&self) -> Result<(), Unavailable> {
        let temp = tempfile::tempdir()
            .map_err(|e| Unavailable(format!("no temporary folder can be made: {e}")))?;
        let boundary = Boundary::smallest(temp.path());
        let words = self.wrapper(&boundary, Path::new("/"));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["/bin/sh", "-c", ":"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        match command.output() {
            Ok(out) if out.status.success() => Ok(()),
            Ok(out) => {
                let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
                Err(Unavailable(why_not(&said)))
            }
            Err(error) => Err(Unavailable(format!(
                "bubblewrap cannot be started: {error}"
            ))),
        }
    }

    /// The program with its arguments, after which the command line follows, to run a
    /// command behind `boundary` in the folder `cwd`.
    pub fn wrapper(&self, boundary: &Boundary, cwd: &Path) -> Vec<String> {
        let mut words = Words(vec![text(&self.program)]);
        // What follows is the first process of a namespace: when it ends, or whoever
        // started it, the kernel ends everything in there. There is no terminal to be
        // kept from (`--new-session`): the keeper's session has none.
        words.add(&["--unshare-pid", "--as-pid-1", "--die-with-parent"]);
        words.add(&["--unshare-ipc"]);
        if boundary.network == Network::Off {
            words.add(&["--unshare-net"]);
        }
        if self.root == Root::Yes {
            // A user has none to begin with. These two act on what may be written only,
            // and without them unpacking an archive fails for root alone.
            words.add(&["--cap-drop", "ALL"]);
            words.add(&["--cap-add", "CAP_CHOWN", "--cap-add", "CAP_FOWNER"]);
        }
        words.add(&["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]);
        // The superuser may write kernel settings without any capability, and one of them
        // names a program that the kernel runs outside.
        words.add(&["--ro-bind", "/proc/sys", "/proc/sys"]);
        words.add(&[
            "--ro-bind-try",
            "/proc/sysrq-trigger",
            "/proc/sysrq-trigger",
        ]);
        for mount in &boundary.mounts {
            words.mount(mount);
        }
        words.add(&["--setenv", "TMPDIR", "/tmp"]);
        for name in list::NOT_PASSED_ON {
            words.add(&["--unsetenv", name]);
        }
        words.add(&["--chdir", &text(cwd), "--"]);
        words.0
    }
}

/// One path inside, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    /// Where the contents come from.
    from: PathBuf,
    /// Where they are seen, absolute.
    at: PathBuf,
    access: Access,
}

struct Words(Vec<String>);

impl Words {
    fn add(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(|word| (*word).to_owned()));
    }

    fn mount(&mut self, mount: &Mount) {
        let (from, at) = (text(&mount.from), text(&mount.at));
        match mount.access {
            Access::Read => self.add(&["--ro-bind", &from, &at]),
            Access::Write => self.add(&["--bind", &from, &at]),
            Access::Empty => self.add(&["--perms", "0700", "--tmpfs", &at]),
            Access::Nothing => self.add(&["--ro-bind", "/dev/null", &at]),
        }
    }
}

/// Paths that are no text were left out when the boundary was drawn.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// What bubblewrap's complaint means, and what to do.
#[cfg(target_os = "linux")]
fn why_not(said: &str) -> String {
    let hint = if said.contains("new namespace") || said.contains("uid map") {
        ": this system does not let programs make user namespaces. Allow them (sysctl \
         kernel.unprivileged_userns_clone=1, user.max_user_namespaces, or an AppArmor \
         profile for bwrap)"
    } else if said.contains("proc") {
        ": the container this runs in does not let /proc be mounted"
    } else {
        ""
    };
    format!("bubblewrap does not work here ({said}){hint}")
}

#[cfg(test)]
mod tests;

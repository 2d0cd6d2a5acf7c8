//! What a keeper is asked to run. Written once by the spawner, never changed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The longest path a Unix socket address can hold on Linux (`sun_path` is 108
/// bytes with its terminating zero; unix(7)).
pub const SOCKET_PATH_MAX: usize = 107;

/// The environment variable by which everything a keeper started is recognised,
/// even after it left the session and the process tree. Its value is [`Spec::id`].
pub const MARKER: &str = "LONGHAUL_KEEPER";

/// One child: what to run, where, and what bounds it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Unique among all keepers of this home, forever (a UUID). Ends up in the
    /// child's environment as [`MARKER`].
    pub id: String,
    /// The program and its arguments. The program is looked up in `env`'s `PATH`.
    pub argv: Vec<String>,
    /// A program and its arguments that run what follows them in a process namespace
    /// of its own, as its first process: a sandbox. What follows is this binary, which
    /// starts `argv` in there and tells the keeper of it. Empty: no sandbox.
    #[serde(default)]
    pub wrapper: Vec<String>,
    /// The child's working directory, absolute.
    pub cwd: PathBuf,
    /// The child's whole environment; only [`MARKER`] is added. It may hold keys, so
    /// it is handed from process to process and never written to disk.
    #[serde(skip)]
    pub env: BTreeMap<String, String>,
    /// Whether the child can be written to.
    pub stdin: Stdin,
    /// How its two output streams are spooled.
    pub streams: Streams,
    /// Running time after which the tree is terminated. Time in which the machine
    /// was suspended does not count. None: no limit.
    pub timeout_ms: Option<u64>,
    /// What happens while no client is connected.
    pub orphan: Orphan,
    /// Bytes of each spool that may be on disk at once. What comes after is
    /// counted, and the last [`crate::TAIL_BYTES`] of it kept; the child is never
    /// blocked by a full spool.
    pub max_spool_bytes: u64,
    /// What the child and all it starts may take.
    #[serde(default)]
    pub limits: Limits,
    /// Where the keeper listens: at most [`SOCKET_PATH_MAX`] bytes, in a folder
    /// that only the user can enter (created if absent).
    pub socket: PathBuf,
}

// The environment of a child may hold keys; only its names are shown.
impl std::fmt::Debug for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spec")
            .field("id", &self.id)
            .field("argv", &self.argv)
            .field("cwd", &self.cwd)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("timeout_ms", &self.timeout_ms)
            .field("orphan", &self.orphan)
            .finish_non_exhaustive()
    }
}

/// What a child and all it starts may take together. Looked at once a second; once it is
/// more, all of it is killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory that no file is behind and nobody shares, what is swapped out
    /// included (`RssAnon` and `VmSwap`, proc_pid_status(5)). None: no limit.
    pub memory_bytes: Option<u64>,
    /// Processes alive at once. None: no limit.
    pub processes: Option<u32>,
}

impl Limits {
    /// Whether there is anything to look at.
    pub fn are_set(self) -> bool {
        self != Self::default()
    }
}

/// The child's standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdin {
    /// Reads end of file at once.
    Closed,
    /// A pipe that clients write to and close.
    Open,
}

/// Which spools there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Streams {
    /// Both into `out`, in the order written: what a person at a terminal sees.
    Merged,
    /// `out` and `err`: for protocols on standard output.
    Separate,
}

/// What a keeper does with its child while nobody is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Orphan {
    /// Lets it finish within its own limits (a shell command).
    Finish,
    /// Stops it once nobody was connected for `grace_ms` milliseconds (an agent,
    /// which would wait for answers that never come, and spend).
    StopAfter {
        /// Milliseconds, counted while the machine is awake.
        grace_ms: u64,
    },
}

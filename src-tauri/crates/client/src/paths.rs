//! Where a home and its socket are. Daemon and clients must agree on both.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// `sun_path` holds 108 bytes with its terminating zero (unix(7)); macOS has 104.
const LONGEST_SOCKET: usize = 103;

/// A home and the socket its daemon answers on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The folder with all state.
    pub home: PathBuf,
    /// The socket.
    pub socket: PathBuf,
}

impl Paths {
    /// Finds both. `var` reads the environment, `user` is the numeric user id, `cwd`
    /// is what a relative `LONGHAUL_HOME` is relative to.
    ///
    /// # Errors
    /// Words for the user, where neither `LONGHAUL_HOME` nor `HOME` is set.
    pub fn find(
        var: impl Fn(&str) -> Option<OsString>,
        user: u32,
        cwd: &Path,
    ) -> Result<Self, String> {
        let set = |name: &str| var(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = match set("LONGHAUL_HOME") {
            Some(home) => cwd.join(home),
            None => data_folder(&set)
                .ok_or("neither LONGHAUL_HOME nor HOME says where Longhaul keeps its state")?
                .join("longhaul"),
        };
        // Two spellings of one folder must not make two daemons.
        let home = home.canonicalize().unwrap_or(home);
        let socket = socket_of(&home, set("XDG_RUNTIME_DIR").as_deref(), user);
        Ok(Self { home, socket })
    }

    /// The folder of the daemon's own logs.
    pub fn logs(&self) -> PathBuf {
        self.home.join("logs")
    }

    /// The file with the running daemon's process id.
    pub fn pid_file(&self) -> PathBuf {
        self.home.join("daemon.pid")
    }

    /// The file with the user's settings.
    pub fn config(&self) -> PathBuf {
        self.home.join("config.toml")
    }
}

fn data_folder(set: &dyn Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if cfg!(target_os = "macos") {
        return Some(set("HOME")?.join("Library/Application Support"));
    }
    set("XDG_DATA_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(set("HOME")?.join(".local/share")))
}

/// `$XDG_RUNTIME_DIR/longhaul/<hash of home>.sock`, or below `/tmp/longhaul-<uid>` where
/// there is no runtime folder or its name is too long for a socket's.
pub fn socket_of(home: &Path, runtime: Option<&Path>, user: u32) -> PathBuf {
    let name = format!("{:016x}.sock", fnv1a(home.as_os_str().as_bytes()));
    let preferred = runtime
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join("longhaul").join(&name))
        .filter(|path| path.as_os_str().len() <= LONGEST_SOCKET);
    preferred.unwrap_or_else(|| PathBuf::from(format!("/tmp/longhaul-{user}")).join(name))
}

/// FNV-1a, 64 bits: a name that is the same in every version (no secrecy needed).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Makes the socket's folder, or checks that it is ours alone: in `/tmp` somebody else
/// could have made it first.
///
/// # Errors
/// Words for the user: it cannot be made, is a link, or belongs to somebody else.
pub fn secure_socket_folder(socket: &Path, user: u32) -> Result<(), String> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    let folder = socket.parent().ok_or("the socket has no folder")?;
    let shown = folder.display();
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|e| format!("the folder {shown} cannot be made: {e}"))?;
    let facts = std::fs::symlink_metadata(folder)
        .map_err(|e| format!("the folder {shown} cannot be read: {e}"))?;
    if !facts.is_dir() {
        return Err(format!("{shown} is not a folder but a link or a file"));
    }
    if facts.uid() != user {
        return Err(format!(
            "the folder {shown} belongs to another user (uid {})",
            facts.uid()
        ));
    }
    if facts.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
            .map_err(|e| format!("the folder {shown} cannot be made private: {e}"))?;
    }
    Ok(())
}

//! A user with a home, keys, a repository and a session, and everything of it that must
//! be the same afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use testkit::{ModelServer, SampleProject, TestDaemon};

use crate::support::{QUICK, World, home};

/// In files of the user's that nobody may read. Obviously no keys.
pub(super) const SECRET: &str = "test-secret-not-real-4711";

/// Files of the home, each with a secret in it.
const OF_HOME: &[&str] = &[
    ".ssh/id_test",
    ".ssh/authorized_keys",
    ".aws/credentials",
    ".npmrc",
    ".netrc",
    ".cargo/credentials.toml",
    ".config/gh/hosts.yml",
    ".claude/settings.json",
    ".claude.json",
    ".bashrc",
    ".profile",
    ".gitconfig",
];

pub(super) struct Scene {
    pub(super) world: World,
    /// A folder of the user's that is neither in the home nor in /tmp.
    pub(super) elsewhere: Elsewhere,
    /// The session's sockets, under names the daemon does not look for itself: who
    /// connects is in their queues.
    sockets: Vec<(PathBuf, UnixListener)>,
    before: Tree,
}

/// Removed at the end.
pub(super) struct Elsewhere(PathBuf);

impl Elsewhere {
    /// Beside the build, or in the tester's home where the build is below `/tmp`: a command
    /// has a `/tmp` of its own, so what it writes there proves nothing.
    fn new() -> Result<Self> {
        let build = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let shared = |path: &PathBuf| !["/tmp", "/var/tmp"].iter().any(|t| path.starts_with(t));
        let place = [Some(build), home].into_iter().flatten().find(shared);
        let place = place.context("neither the build nor $HOME is outside /tmp")?;
        let folder = tempfile::Builder::new()
            .prefix(".longhaul-escapes")
            .tempdir_in(place)?;
        Ok(Self(folder.keep()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Scene {
    /// With these settings besides. None if this machine has no sandbox, which CI must.
    pub(super) async fn new(settings: &str) -> Result<Option<Self>> {
        let home = home("")?;
        // Where effects are counted elsewhere, here nothing is writable but a script of the
        // scripted agent's, which it could not read otherwise.
        let script = home.place("agent.json").display().to_string();
        home.configure(&format!(
            "sandbox_writable = \"{script}\"\n{settings}{QUICK}loop_limit = 100\n"
        ))?;
        for file in OF_HOME {
            let file = home.user_home().join(file);
            fs::create_dir_all(file.parent().context("a folder")?)?;
            fs::write(&file, format!("{SECRET}\n"))?;
        }
        let tool = home.user_home().join(".cargo/bin/users-tool");
        fs::create_dir_all(tool.parent().context("a folder")?)?;
        fs::write(&tool, "#!/bin/sh\necho the tool runs\n")?;
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755))?;
        fs::create_dir_all(home.user_home().join(".npm"))?;
        let runtime = PathBuf::from(&home.env()["XDG_RUNTIME_DIR"]);
        let sockets = ["session-bus", "keyring"].map(|name| runtime.join(name));
        let sockets: Result<Vec<_>> = sockets
            .into_iter()
            .map(|path| {
                let listener = UnixListener::bind(&path)?;
                listener.set_nonblocking(true)?;
                Ok((path, listener))
            })
            .collect();
        let elsewhere = Elsewhere::new()?;
        fs::write(elsewhere.path().join("precious"), "mine\n")?;
        let project = SampleProject::calc(elsewhere.path().join("calc"))?;
        project.git(&["gc", "--quiet"])?;
        let world = World {
            server: ModelServer::start().await?,
            daemon: TestDaemon::start(home).await?,
            project,
        };
        world.add_backend("model", "LH_TEST_KEY").await?;
        if !can_be(&world).await? {
            return Ok(None);
        }
        let before = Tree::of(&[&world.daemon.home.user_home(), elsewhere.path()])?;
        Ok(Some(Self {
            world,
            elsewhere,
            sockets: sockets?,
            before,
        }))
    }

    /// Everything of the user's is byte for byte as it was, and nobody knocked.
    pub(super) fn is_untouched(&self) -> Result<()> {
        let home = self.world.daemon.home.user_home();
        let after = Tree::of(&[&home, self.elsewhere.path()])?;
        for (path, was) in &self.before.0 {
            let is = after.0.get(path);
            ensure!(is == Some(was), "{} was {was:?}, is {is:?}", path.display());
        }
        for path in after.0.keys() {
            let known = self.before.0.contains_key(path);
            ensure!(known, "{} is new", path.display());
        }
        self.world.project.git(&["fsck", "--strict"])?;
        for (path, listener) in &self.sockets {
            ensure!(listener.accept().is_err(), "{} was called", path.display());
        }
        Ok(())
    }
}

/// Whether commands are sandboxed here. Where CI runs they must be.
#[allow(clippy::print_stderr)] // What is skipped is said.
async fn can_be(world: &World) -> Result<bool> {
    let status = world.json(&["daemon", "status"]).await?;
    if status["sandbox"]["available"] == true {
        return Ok(true);
    }
    let why = &status["sandbox"]["detail"];
    ensure!(std::env::var_os("CI").is_none(), "no sandbox on CI: {why}");
    eprintln!("SKIPPED: no sandbox here, so escapes were not tried: {why}");
    Ok(false)
}

/// Files and folders with type, mode and contents.
struct Tree(BTreeMap<PathBuf, (u32, Vec<u8>)>);

impl Tree {
    fn of(roots: &[&Path]) -> Result<Self> {
        let mut found = BTreeMap::new();
        let mut front: Vec<PathBuf> = roots.iter().map(|root| root.to_path_buf()).collect();
        while let Some(path) = front.pop() {
            let about = fs::symlink_metadata(&path)?;
            let contents = if about.is_dir() {
                let entries = fs::read_dir(&path)?;
                front.extend(
                    entries
                        .map(|e| e.map(|e| e.path()))
                        .collect::<Result<Vec<_>, _>>()?,
                );
                Vec::new()
            } else if about.is_file() {
                fs::read(&path)?
            } else {
                fs::read_link(&path)
                    .unwrap_or_default()
                    .as_os_str()
                    .as_encoded_bytes()
                    .to_owned()
            };
            found.insert(path, (about.permissions().mode(), contents));
        }
        Ok(Self(found))
    }
}

//! Making workspaces, and finding them again.
//!
//! On disk, below the folder given to [`Workspaces::new`]:
//!
//! ```text
//! <run>/work/<project's name>/   the files, but for a run in place
//! <run>/snap.git/                snapshots
//! <run>/tmp/                     temporary files of its commands
//! <run>/workspace.json           written last: without it the rest is half-made
//! ```

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use crate::along::Along;
use crate::blocking::blocking;
use crate::git::Git;
use crate::marker::{LeftOut, Marker, Mode, this_boot};
use crate::prepare_error::PrepareError;
use crate::repository::{Found, Presence, Repository};
use crate::workspace::{Flushed, Inner, Workspace, snap_store};
use crate::{clone, copy, objects, removal};

/// The largest project that is copied unless a limit is set: 2 GiB.
pub const DEFAULT_COPY_LIMIT: u64 = 2 * 1024 * 1024 * 1024;

/// All workspaces of one Longhaul home. One per process and home: it is what
/// keeps two tasks of a process from using a run's files at once.
pub struct Workspaces {
    pub(crate) root: PathBuf,
    pub(crate) git: Arc<Git>,
    pub(crate) copy_limit: u64,
    runs: Mutex<HashMap<String, Slot>>,
}

/// Locked while a workspace is made or discarded.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Weak<Inner>>>;

/// What one workspace is made from.
pub(crate) struct Plan {
    pub(crate) git: Arc<Git>,
    pub(crate) root: PathBuf,
    pub(crate) run: String,
    pub(crate) run_dir: PathBuf,
    pub(crate) project: PathBuf,
    pub(crate) mode: Mode,
    pub(crate) along: Along,
}

impl Workspaces {
    /// `root` is Longhaul's folder for workspaces; it is made when needed.
    pub fn new(root: PathBuf) -> Workspaces {
        Workspaces {
            root,
            git: Arc::new(Git::new("git".into())),
            copy_limit: DEFAULT_COPY_LIMIT,
            runs: Mutex::default(),
        }
    }

    /// Another limit for copies, in bytes.
    #[must_use]
    pub fn copy_limit(mut self, bytes: u64) -> Workspaces {
        self.copy_limit = bytes;
        self
    }

    /// Another git than the one on the PATH.
    #[must_use]
    pub fn git_program(mut self, program: OsString) -> Workspaces {
        self.git = Arc::new(Git::new(program));
        self
    }

    /// The mode for a project when the user named none: clone where git has the
    /// folder committed, else copy.
    pub async fn default_mode(&self, project: &Path) -> Result<Mode, PrepareError> {
        let project = folder(project)?;
        match Repository::find(&self.git, &project).await {
            Ok(Found::Repository(repo))
                if repo.head.is_some() && repo.project_in_head == Presence::Present =>
            {
                Ok(Mode::Clone)
            }
            Err(error) => Err(error.into()),
            Ok(_) => Ok(Mode::Copy),
        }
    }

    /// The workspace of `run`, made if it is not there. What a killed process
    /// left half-made is made again; a whole one is never touched. Goes on to
    /// its end also when the caller is dropped.
    pub async fn prepare(
        &self,
        run: &str,
        project: &Path,
        mode: Mode,
    ) -> Result<Workspace, PrepareError> {
        self.prepare_with(run, project, mode, Along::default())
            .await
    }

    /// [`Workspaces::prepare`], and what comes along beside the commit. That
    /// counts only when the workspace is made: a whole one stays as it is. In
    /// place there is nothing to bring.
    pub async fn prepare_with(
        &self,
        run: &str,
        project: &Path,
        mode: Mode,
        along: Along,
    ) -> Result<Workspace, PrepareError> {
        let plan = Plan {
            git: self.git.clone(),
            root: self.root.clone(),
            run: checked(run)?,
            run_dir: self.root.join(run),
            project: project.to_owned(),
            mode,
            along: Along {
                copy_limit: along.copy_limit.or(Some(self.copy_limit)),
                ..along
            },
        };
        let slot = self.slot(run);
        to_its_end(async move {
            let mut open = slot.lock_owned().await;
            let inner = match open.upgrade() {
                Some(inner) => plan.same_as(&inner.marker).map(|()| inner)?,
                None => Arc::new(plan.find_or_make().await?),
            };
            inner.flush_soon();
            *open = Arc::downgrade(&inner);
            Ok(Workspace::from_inner(inner))
        })
        .await
    }

    /// The workspace of `run` if it was made before.
    pub async fn open(&self, run: &str) -> Result<Option<Workspace>, PrepareError> {
        let run_dir = self.root.join(checked(run)?);
        let slot = self.slot(run);
        let mut open = slot.lock().await;
        if let Some(inner) = open.upgrade() {
            return Ok(Some(Workspace::from_inner(inner)));
        }
        let Some(marker) = whole(&run_dir)? else {
            return Ok(None);
        };
        let inner = Arc::new(Inner::open(self.git.clone(), run_dir, marker));
        inner.flush_soon();
        *open = Arc::downgrade(&inner);
        Ok(Some(Workspace::from_inner(inner)))
    }

    /// Removes the files and snapshots of `run`; the project is not touched,
    /// also in place. Done again it does nothing.
    pub async fn discard(&self, run: &str) -> Result<(), PrepareError> {
        let run_dir = self.root.join(checked(run)?);
        let slot = self.slot(run);
        let mut open = slot.lock().await;
        if let Some(inner) = open.upgrade() {
            // Or its marker could be written anew.
            *inner.flushed.lock().await = Flushed::Gone;
        }
        *open = Weak::new();
        let dir = run_dir.clone();
        blocking(move || {
            Marker::remove(&dir)?;
            removal::remove_tree(&dir)
        })
        .await
        .map_err(PrepareError::io(&run_dir))
    }

    /// Bytes on disk of the files and snapshots of `run`, 0 if there are none.
    /// Objects hard-linked with the user's repository are counted.
    pub async fn size(&self, run: &str) -> Result<u64, PrepareError> {
        let run_dir = self.root.join(checked(run)?);
        let dir = run_dir.clone();
        blocking(move || removal::allocated(&dir))
            .await
            .map_err(PrepareError::io(&run_dir))
    }

    pub(crate) fn slot(&self, run: &str) -> Slot {
        let mut runs = self
            .runs
            .lock()
            .expect("no code panics while it holds the map");
        runs.entry(run.to_owned()).or_default().clone()
    }
}

impl Plan {
    async fn find_or_make(mut self) -> Result<Inner, PrepareError> {
        if let Some(marker) = whole(&self.run_dir)? {
            self.same_as(&marker)?;
            return Ok(Inner::open(self.git, self.run_dir, marker));
        }
        self.project = folder(&self.project)?;
        if self.project.to_str().is_none() {
            let reason = "the folder's name is not valid UTF-8";
            return Err(PrepareError::unsupported(self.mode, reason));
        }
        let torn = Marker::read(&self.run_dir).map_err(PrepareError::io(&self.run_dir))?;
        let torn = torn.filter(Marker::is_torn);
        if let Some(torn) = &torn {
            tracing::warn!(
                run = self.run,
                "its files were not on the disk when the machine went down"
            );
            self.same_as(torn)?;
            self.along.base.clone_from(&torn.base_commit);
        }
        self.clear().await?;
        let marker = self.make().await?;
        match torn {
            Some(torn) if torn.base_snapshot != marker.base_snapshot => {
                Err(PrepareError::Torn(self.project))
            }
            _ => self.seal(marker).await,
        }
    }

    /// An empty folder for the run, whatever a killed process left there.
    pub(crate) async fn clear(&self) -> Result<(), PrepareError> {
        let dir = self.run_dir.clone();
        blocking(move || fresh_folder(&dir))
            .await
            .map_err(PrepareError::io(&self.run_dir))
    }

    /// Declares the workspace whole.
    pub(crate) async fn seal(self, mut marker: Marker) -> Result<Inner, PrepareError> {
        faults::crash_point("workspace.clone_made");
        // What can be made again as it is needs no disk yet.
        let again =
            marker.mode == Mode::Clone && marker.uncommitted == 0 && marker.forked_from.is_none();
        marker.unflushed = again.then(this_boot).flatten();
        let (dir, written) = (self.run_dir.clone(), marker.clone());
        blocking(move || {
            if written.unflushed.is_none() {
                flush(&dir)?;
            }
            written.write(&dir)
        })
        .await
        .map_err(PrepareError::io(&self.run_dir))?;
        faults::crash_point("workspace.marked");
        Ok(Inner::open(self.git, self.run_dir, marker))
    }

    fn same_as(&self, marker: &Marker) -> Result<(), PrepareError> {
        let project = std::fs::canonicalize(&self.project).unwrap_or_else(|_| self.project.clone());
        if marker.mode == self.mode && marker.project == project {
            return Ok(());
        }
        Err(PrepareError::Taken {
            mode: marker.mode,
            project: marker.project.clone(),
        })
    }

    async fn make(&self) -> Result<Marker, PrepareError> {
        if self.mode != Mode::Clone && self.holds_longhaul() {
            let reason =
                "Longhaul keeps its own files inside this folder; choose a folder below it";
            return Err(PrepareError::unsupported(self.mode, reason));
        }
        let mut found = Repository::find(&self.git, &self.project).await?;
        if let (Found::Repository(repo), Some(base)) = (&mut found, &self.along.base) {
            repo.head = Some(base.clone());
        }
        match (self.mode, found) {
            (_, Found::Bare) => Err(PrepareError::unsupported(
                self.mode,
                "the folder is a bare repository or the inside of .git; give a folder with files",
            )),
            (Mode::Clone, Found::Repository(repo)) => clone::make(self, *repo).await,
            (Mode::Clone, Found::Nothing) => Err(PrepareError::unsupported(
                self.mode,
                "the folder is not in a git repository; use copy",
            )),
            (Mode::Copy, _) => copy::make(self).await,
            (Mode::InPlace, found) => self.make_in_place(found).await,
        }
    }

    fn holds_longhaul(&self) -> bool {
        std::fs::canonicalize(&self.root).is_ok_and(|root| root.starts_with(&self.project))
    }

    async fn make_in_place(&self, found: Found) -> Result<Marker, PrepareError> {
        let Found::Repository(repo) = found else {
            let store = snap_store(
                self.git.clone(),
                &self.run_dir,
                &self.project,
                self.mode,
                "",
            );
            store.create("sha1", b"").await?;
            return self.finish(&store, self.marker(self.project.clone())).await;
        };
        let mut marker = self.marker(repo.top.clone());
        marker.prefix.clone_from(&repo.prefix);
        marker.object_format.clone_from(&repo.object_format);
        marker.base_commit.clone_from(&repo.head);
        let store = snap_store(
            self.git.clone(),
            &self.run_dir,
            &repo.top,
            self.mode,
            &repo.prefix,
        );
        store
            .create(&repo.object_format, &repo.own_excludes())
            .await?;
        let (from, to) = (repo.common_dir.join("objects"), store.dir.join("objects"));
        blocking(move || objects::link_store(&from, &to))
            .await
            .map_err(PrepareError::io(&repo.common_dir))?;
        clone::take_over_shallow(&repo.common_dir, &store.dir)?;
        if let Some(head) = repo
            .head
            .filter(|_| repo.project_in_head == Presence::Present)
        {
            let read = match repo.prefix.as_str() {
                "" => store.call("read-tree").arg(&head),
                prefix => store
                    .call("read-tree")
                    .arg(format!("--prefix={prefix}/"))
                    .arg(format!("{head}:{prefix}")),
            };
            self.git.run(read).await?;
            marker.left_out.submodules = clone::drop_submodules(&store).await?;
        }
        self.finish(&store, marker).await
    }

    /// Most bytes to copy.
    pub(crate) fn limit(&self) -> u64 {
        self.along.copy_limit.unwrap_or(DEFAULT_COPY_LIMIT)
    }

    /// A marker with nothing but what is common to all modes.
    pub(crate) fn marker(&self, root: PathBuf) -> Marker {
        Marker {
            version: Marker::VERSION,
            run: self.run.clone(),
            mode: self.mode,
            project: self.project.clone(),
            root,
            prefix: String::new(),
            branch: None,
            base_commit: None,
            base_snapshot: String::new(),
            object_format: "sha1".to_owned(),
            left_out: LeftOut::default(),
            uncommitted: 0,
            unflushed: None,
            forked_from: None,
        }
    }

    /// Takes snapshot 0.
    pub(crate) async fn finish(
        &self,
        store: &crate::staging::SnapStore,
        mut marker: Marker,
    ) -> Result<Marker, PrepareError> {
        let mut newest = store.newest.lock().await;
        let first = store.record(&mut newest, "start of the run").await?;
        store.point("refs/kept/base", &first.id).await?;
        marker.base_snapshot = first.id;
        Ok(marker)
    }

    /// Where the files of a clone or a copy are put: a folder named like the
    /// project, because tools take names from it.
    pub(crate) fn files_dir(&self, of: &Path) -> PathBuf {
        let name = of
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("project");
        self.run_dir.join("work").join(name)
    }
}

/// Runs `work` also when the caller is dropped.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// A run id becomes a folder's name: letters, digits, `-` and `_` only.
pub(crate) fn checked(run: &str) -> Result<String, PrepareError> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if run.is_empty() || run.len() > 64 || !run.bytes().all(fine) {
        return Err(PrepareError::BadRun(run.to_owned()));
    }
    Ok(run.to_owned())
}

/// The canonical path of a folder that can be read.
fn folder(project: &Path) -> Result<PathBuf, PrepareError> {
    let unreadable = |source| PrepareError::Unreadable {
        path: project.to_owned(),
        source,
    };
    let canonical = match std::fs::canonicalize(project) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(PrepareError::NoProject(project.to_owned()));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(PrepareError::NotAFolder(project.to_owned()));
        }
        other => other.map_err(unreadable)?,
    };
    if !canonical.is_dir() {
        return Err(PrepareError::NotAFolder(project.to_owned()));
    }
    std::fs::read_dir(&canonical).map_err(unreadable)?;
    Ok(canonical)
}

/// The marker of a whole workspace whose files are still there. One whose files may not
/// have reached the disk before the machine went down is not whole.
pub(crate) fn whole(run_dir: &Path) -> Result<Option<Marker>, PrepareError> {
    let marker = Marker::read(run_dir).map_err(PrepareError::io(run_dir))?;
    match marker {
        Some(marker) if marker.is_torn() => Ok(None),
        Some(marker) if !marker.root.is_dir() => Err(PrepareError::Lost(marker.root)),
        other => Ok(other),
    }
}

/// How often a half-made workspace is tried to be removed, and how far apart.
const REMOVALS: u32 = 20;
const REMOVAL_SPACING: std::time::Duration = std::time::Duration::from_millis(100);

fn fresh_folder(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if dir.symlink_metadata().is_ok() {
        tracing::info!(dir = %dir.display(), "a workspace was left half-made; making it again");
        // A git orphaned by a killed daemon may still be writing into it.
        let mut tries = 1;
        while let Err(error) = removal::remove_tree(dir) {
            if tries == REMOVALS {
                return Err(error);
            }
            tries += 1;
            std::thread::sleep(REMOVAL_SPACING);
        }
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

/// Everything written for the workspace reaches the disk before the marker does.
pub(crate) fn flush(dir: &Path) -> std::io::Result<()> {
    let folder = std::fs::File::open(dir)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&folder)?;
    folder.sync_all()
}

//! The clone: made piece by piece and not by `git clone`, so that nothing of
//! the user's configuration, hooks or filters comes along or is run.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::along::Uncommitted;
use crate::blocking::blocking;
use crate::bring::{self, Bringing, There};
use crate::dirty::{self, Untracked};
use crate::git::{AGENT_EMAIL, AGENT_NAME, Call, Git, GitError, zero_separated};
use crate::marker::{LeftOut, Marker};
use crate::objects;
use crate::prepare::Plan;
use crate::prepare_error::PrepareError;
use crate::repository::{Presence, Repository};
use crate::snapshot::SnapshotError;
use crate::staging::SnapStore;
use crate::workspace::snap_store;
use crate::{sparse, submodules};

pub(crate) async fn make(plan: &Plan, repo: Repository) -> Result<Marker, PrepareError> {
    let head = cloneable(plan, &repo)?;
    let dir = plan.files_dir(&repo.top);
    let branch = own_branch(&plan.run);
    let store = snap_store(plan.git.clone(), &plan.run_dir, &dir, plan.mode, "");
    store
        .create(&repo.object_format, &repo.own_excludes())
        .await?;
    take_over_objects(&repo, &store).await?;
    let refs = refs_of(&plan.git, &repo).await?;
    let kept = store.dir.join(BASE_REFS);
    std::fs::write(&kept, &refs).map_err(PrepareError::io(&kept))?;
    let clone = Clone {
        git: &plan.git,
        dir: &dir,
        branch: &branch,
        head: &head,
    };
    sparse::take_over(&plan.git, &repo, &store.dir).await?;
    clone.create(&store, &repo.object_format).await?;
    clone.check_out().await?;
    let submodules = submodules::fill(&clone, &repo, &plan.run_dir).await?;
    clone.seed_index(&store).await?;
    let sparse = sparse::drop_absent(&clone, &store).await?;
    let mut marker = plan.marker(dir.clone());
    marker.prefix.clone_from(&repo.prefix);
    marker.branch = Some(branch.clone());
    marker.base_commit = Some(head.clone());
    marker.object_format.clone_from(&repo.object_format);
    marker.left_out = LeftOut {
        submodules,
        sparse,
        lfs_pointers: clone.lfs_pointers().await?,
        ..LeftOut::default()
    };
    bring(plan, &repo, &store, &mut marker).await?;
    clone.mind_changes(plan, &repo, &mut marker).await?;
    plan.finish(&store, marker).await
}

/// First of all that comes along, because what is kept out of snapshots must
/// not come as an untracked file either.
async fn bring(
    plan: &Plan,
    repo: &Repository,
    store: &SnapStore,
    marker: &mut Marker,
) -> Result<(), PrepareError> {
    let (list, root, store) = (
        plan.along.bring.clone(),
        marker.root.clone(),
        store.dir.clone(),
    );
    let (project, prefix, limit) = (plan.project.clone(), repo.prefix.clone(), plan.limit());
    let brought = blocking(move || {
        let bringing = Bringing {
            from: &project,
            root: &root,
            prefix: &prefix,
            there: There::Committed,
            limit,
        };
        let brought = bringing.bring(&list)?;
        let excludes = [store.join("info/exclude"), root.join(".git/info/exclude")];
        bring::keep_out(
            &store,
            &excludes.each_ref().map(|f| f.as_path()),
            &brought.paths,
        )
        .map_err(PrepareError::io(&store))?;
        Ok::<_, PrepareError>(brought)
    })
    .await?;
    marker.left_out.not_brought = brought.not;
    Ok(())
}

/// The branch a run works on in its clone.
pub(crate) fn own_branch(run: &str) -> String {
    format!("longhaul/{}", run.get(..8).unwrap_or(run))
}

/// The commit to start from, or why there is none.
fn cloneable(plan: &Plan, repo: &Repository) -> Result<String, PrepareError> {
    let refused = |reason| Err(PrepareError::unsupported(plan.mode, reason));
    let Some(head) = repo.head.clone() else {
        return refused("the repository has no commit yet; commit first or use copy");
    };
    if repo.project_in_head == Presence::Absent {
        return refused(
            "the folder is not committed to the repository it lies in; commit it or use copy",
        );
    }
    if objects::lacks_objects(&repo.common_dir.join("objects")) {
        return refused("the repository is a partial clone and lacks objects; use copy");
    }
    Ok(head)
}

/// In the snapshot store: the refs of the user's repository when the run
/// started, in the format of `packed-refs`. A fork starts with the same.
pub(crate) const BASE_REFS: &str = "base-refs";

/// The snapshot store gets links of its own, so that neither a `gc` of the
/// user nor an agent that wrecks its `.git` takes objects away from it.
async fn take_over_objects(repo: &Repository, store: &SnapStore) -> Result<(), PrepareError> {
    let (from, to) = (repo.common_dir.join("objects"), store.dir.join("objects"));
    blocking(move || objects::link_store(&from, &to))
        .await
        .map_err(PrepareError::io(&repo.common_dir))?;
    take_over_shallow(&repo.common_dir, &store.dir)
}

/// The user's branches, tags and remote-tracking refs, under their names, so
/// that "compare with main" works. The remotes themselves do not come along.
async fn refs_of(git: &Git, repo: &Repository) -> Result<Vec<u8>, GitError> {
    let list = Call::new(&repo.top, "for-each-ref")
        .arg("--format=%(objectname) %(refname) %(symref)")
        .args(["refs/heads", "refs/tags", "refs/remotes"]);
    let out = git.run(list).await?;
    let mut packed = Vec::new();
    for line in out.split(|b| *b == b'\n') {
        // Symbolic refs (`origin/HEAD`) have a third field.
        if let Some(direct) = line.strip_suffix(b" ") {
            packed.extend_from_slice(direct);
            packed.push(b'\n');
        }
    }
    Ok(packed)
}

/// A clone in the making.
pub(crate) struct Clone<'a> {
    pub(crate) git: &'a Git,
    pub(crate) dir: &'a Path,
    pub(crate) branch: &'a str,
    pub(crate) head: &'a str,
}

impl Clone<'_> {
    pub(crate) fn call(&self, command: &'static str) -> Call {
        Call::new(self.dir, command)
            .env("GIT_DIR", self.dir.join(".git"))
            .env("GIT_WORK_TREE", self.dir)
    }

    /// A `.git` with the objects and refs of `store`, at the start commit, and
    /// no files yet.
    pub(crate) async fn create(&self, store: &SnapStore, format: &str) -> Result<(), PrepareError> {
        let parent = store.dir.parent().expect("inside the run's folder");
        let init = Call::new(parent, "init")
            .args(["--quiet", "--template="])
            .arg(format!("--initial-branch={}", self.branch))
            .arg(format!("--object-format={format}"))
            .arg(self.dir);
        self.git.run(init).await?;
        let git_dir = self.dir.join(".git");
        self.furnish(&git_dir, &store.dir)
            .map_err(PrepareError::io(&git_dir))?;
        take_over_shallow(&store.dir, &git_dir)?;
        let start = self
            .call("update-ref")
            .arg(format!("refs/heads/{}", self.branch))
            .arg(self.head);
        self.git.run(start).await?;
        Ok(())
    }

    /// Objects are borrowed and not linked: an agent that makes an object file
    /// writable and overwrites it would, through a hard link, do so in the
    /// user's repository. The store it borrows from it cannot write where there
    /// is a sandbox.
    fn furnish(&self, git_dir: &Path, store: &Path) -> std::io::Result<()> {
        use std::io::Write as _;
        let mut config = std::fs::File::options()
            .append(true)
            .open(git_dir.join("config"))?;
        config.write_all(clone_settings().as_bytes())?;
        std::fs::create_dir_all(git_dir.join("info"))?;
        std::fs::copy(store.join("info/exclude"), git_dir.join("info/exclude"))?;
        sparse::furnish(store, git_dir)?;
        objects::borrow(&store.join("objects"), &git_dir.join("objects"))?;
        let refs = match std::fs::read(store.join(BASE_REFS)) {
            // A workspace of an older Longhaul has kept none.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        std::fs::write(git_dir.join("packed-refs"), self.beside_own(&refs))
    }

    /// Those of `refs` that can exist beside the run's branch.
    fn beside_own(&self, refs: &[u8]) -> Vec<u8> {
        let own = format!("refs/heads/{}", self.branch).into_bytes();
        let below = |name: &[u8], of: &[u8]| {
            name.strip_prefix(of)
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        };
        refs.split_inclusive(|b| *b == b'\n')
            .filter(|line| {
                let name = line.trim_ascii().splitn(2, |b| *b == b' ').nth(1);
                name.is_some_and(|name| !below(name, &own) && !below(&own, name))
            })
            .flatten()
            .copied()
            .collect()
    }

    /// Line ends and encodings as `.gitattributes` asks; no filter is defined.
    async fn check_out(&self) -> Result<(), GitError> {
        let call = self.call("read-tree").args(["-m", "-u", "HEAD"]).long();
        self.git.run(call).await.map(drop)
    }

    /// How many files are pointers of git LFS, whose contents are elsewhere: filters are
    /// the user's programs, and not run.
    async fn lfs_pointers(&self) -> Result<u64, GitError> {
        let list = self.call("ls-files").args(["--cached", "-z"]);
        let names = self.git.run(list).await?;
        let is = |name: &&[u8]| name.rsplit(|b| *b == b'/').next() == Some(b".gitattributes");
        if !zero_separated(&names).any(|name| is(&name)) {
            return Ok(0);
        }
        let ask = self.call("check-attr").args(["-z", "--stdin", "filter"]);
        let said = self.git.run(ask.input(names).long()).await?;
        let mut fields = said.split(|b| *b == 0);
        let mut files = Vec::new();
        while let (Some(name), Some(_), Some(filter)) =
            (fields.next(), fields.next(), fields.next())
        {
            if filter == b"lfs" {
                files.push(self.dir.join(std::ffi::OsStr::from_bytes(name)));
            }
        }
        Ok(blocking(move || files.iter().filter(|file| is_lfs_pointer(file)).count() as u64).await)
    }

    /// Gives the snapshot store an index of the base commit. Where nothing is
    /// converted on checkout it is the clone's, with what git knows of the files
    /// on disk, so that the first snapshot need not read them all.
    async fn seed_index(&self, store: &SnapStore) -> Result<(), PrepareError> {
        let list = self.call("ls-files").args(["--cached", "-z"]);
        let names = self.git.run(list).await?;
        let attributes = zero_separated(&names)
            .filter(|n| n.rsplit(|b| *b == b'/').next() == Some(b".gitattributes"))
            .map(|name| self.dir.join(std::ffi::OsStr::from_bytes(name)));
        let attributes: Vec<_> = attributes.collect();
        let converts = blocking(move || attributes.iter().any(|file| may_convert(file))).await;
        if converts {
            self.git.run(store.call("read-tree").arg(self.head)).await?;
        } else {
            let (from, to) = (self.dir.join(".git/index"), store.dir.join("index"));
            copy_with_time(&from, &to).map_err(PrepareError::io(&from))?;
        }
        drop_submodules(store).await?;
        Ok(())
    }

    /// Takes the user's uncommitted changes along, or counts them.
    async fn mind_changes(
        &self,
        plan: &Plan,
        repo: &Repository,
        marker: &mut Marker,
    ) -> Result<(), PrepareError> {
        let git_dir = self.dir.join(".git");
        let look = |how| dirty::look(self.git, &git_dir, repo, how, &plan.run_dir);
        if plan.along.uncommitted == Uncommitted::StayBehind {
            let counted = dirty::counts(look(Untracked::Folders).await);
            (marker.left_out.changed, marker.left_out.untracked) = counted.unzip();
            return Ok(());
        }
        let changes = look(Untracked::Files).await?;
        marker.uncommitted = (changes.tracked.len() + changes.untracked.len()) as u64;
        let (from, to, limit) = (repo.top.clone(), self.dir.to_owned(), plan.limit());
        let kept_out = bring::kept_out(&plan.run_dir.join("snap.git"));
        let not = blocking(move || dirty::overlay(&from, &to, &changes.without(&kept_out), limit));
        let not = not.await?;
        marker.left_out.changed = Some(0);
        marker.left_out.untracked = Some(not.repositories);
        marker.left_out.special = not.special;
        Ok(())
    }
}

fn clone_settings() -> String {
    format!(
        "[user]\n\tname = {AGENT_NAME}\n\temail = {AGENT_EMAIL}\n\
         [core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\
         [commit]\n\tgpgSign = false\n[tag]\n\tgpgSign = false\n\
         [push]\n\tdefault = nothing\n\
         [gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n"
    )
}

/// Where the history that `from` has was cut off.
pub(crate) fn take_over_shallow(from: &Path, to: &Path) -> Result<(), PrepareError> {
    let from = from.join("shallow");
    if !from.is_file() {
        return Ok(());
    }
    std::fs::copy(&from, to.join("shallow"))
        .map(drop)
        .map_err(PrepareError::io(&from))
}

/// Takes submodules out of the snapshot index: what is in their folders is
/// recorded file by file like everything else.
pub(crate) async fn drop_submodules(store: &SnapStore) -> Result<u64, SnapshotError> {
    let out = store
        .git
        .run(store.call("ls-files").args(["--stage", "-z"]))
        .await?;
    let paths: Vec<&[u8]> = zero_separated(&out)
        .filter(|entry| entry.starts_with(b"160000 "))
        .filter_map(|entry| entry.splitn(2, |b| *b == b'\t').nth(1))
        .collect();
    drop_from_index(store, &paths).await?;
    Ok(paths.len() as u64)
}

/// Makes the snapshot index forget `paths`; their files are not looked at.
pub(crate) async fn drop_from_index(store: &SnapStore, paths: &[&[u8]]) -> Result<(), GitError> {
    if paths.is_empty() {
        return Ok(());
    }
    let input = [paths.join(&0u8), vec![0]].concat();
    let call = store
        .tree_call("update-index")
        .args(["--force-remove", "-z", "--stdin"]);
    store.git.run(call.input(input)).await.map(drop)
}

/// How every pointer of git LFS begins (its specification, version 1).
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// Whether the file is what git LFS commits in place of the contents.
pub(crate) fn is_lfs_pointer(file: &Path) -> bool {
    use std::io::Read as _;
    let is_file = std::fs::symlink_metadata(file).is_ok_and(|about| about.is_file());
    let begin = is_file.then(|| {
        let mut begin = Vec::new();
        let file = std::fs::File::open(file)?;
        file.take(LFS_POINTER.len() as u64)
            .read_to_end(&mut begin)?;
        std::io::Result::Ok(begin)
    });
    matches!(begin, Some(Ok(begin)) if begin == LFS_POINTER)
}

/// Whether these attributes can make a file on disk another one than the one committed.
/// No filter is defined and line ends are as committed unless they are asked for, which
/// takes one of these words (gitattributes(5)).
fn may_convert(attributes: &Path) -> bool {
    const WORDS: [&[u8]; 3] = [b"crlf", b"ident", b"working-tree-encoding"];
    // Others git does not go by.
    let file = std::fs::symlink_metadata(attributes).is_ok_and(|about| about.is_file());
    let text = file.then(|| std::fs::read(attributes));
    match text {
        Some(Ok(text)) => WORDS
            .iter()
            .any(|word| text.windows(word.len()).any(|found| found == *word)),
        Some(Err(_)) => true,
        // Left out by a sparse checkout, perhaps, and then read from the commit.
        None => true,
    }
}

/// git takes an index's own time into account when it trusts file times.
pub(crate) fn copy_with_time(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::copy(from, to)?;
    let modified = std::fs::metadata(from)?.modified()?;
    std::fs::File::options()
        .write(true)
        .open(to)?
        .set_modified(modified)
}

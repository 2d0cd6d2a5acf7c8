//! Planning an apply: what becomes of each path, before anything is touched.

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path, PathBuf};

use domain::ApplyInto;
use serde::{Deserialize, Serialize};

use crate::apply::{Apply, ApplyError, PathOutcome, Planned};
use crate::carry_plan::staging;
use crate::merging::ConflictKind;
use crate::part::on_top_of_earlier;
use crate::repository::{Found, Repository};
use crate::settling::{noted, outcomes, settle};
use crate::sides::{Listing, Name, Ours, Side, Touched, ancestors, is_within, parse_raw_diff};
use crate::texts::Texts;
use crate::user_commit::await_users_git;
use crate::user_files::{merge_all, record_copies, seen_side};
use crate::workspace::Workspace;

/// What earlier applies of the run put at a path: not the user's own change.
const RECORD: &str = "applied.json";

/// One path on its way to a step.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) touched: Touched,
    /// What the merge was with: the user's file, or their commit's.
    pub(crate) ours: Ours,
    /// What it is to be; with a conflict, if the run's side is taken.
    pub(crate) after: Option<Side>,
    pub(crate) what: PathOutcome,
    pub(crate) conflict: Option<(ConflictKind, String)>,
    /// What the user has on disk and staged, where that is another thing than `ours`.
    pub(crate) disk: Option<String>,
    /// What the user's index has, for a commit.
    pub(crate) entry: Option<Side>,
}

/// Only these files and folders, relative to the top; all when empty.
pub(crate) struct Selection(Vec<Name>);

impl Selection {
    /// `paths` are as a diff shows them, relative to the top, or else relative to the
    /// project. One at which there is none of `all` is refused.
    pub(crate) fn new<'a>(
        prefix: &str,
        paths: &[PathBuf],
        all: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<Selection, ApplyError> {
        let wanted = paths.iter().map(|path| {
            let unknown = || ApplyError::UnknownPath(path.display().to_string());
            let of_project = below(prefix, path).ok_or_else(unknown)?;
            let of_top = below("", path).ok_or_else(unknown)?;
            // What was chosen from a diff must never mean another file of the project's.
            let mut either = [of_top, of_project].into_iter();
            let found = either.find(|wanted| all.clone().any(|path| is_within(path, wanted)));
            found.ok_or_else(unknown)
        });
        Ok(Selection(wanted.collect::<Result<_, _>>()?))
    }

    pub(crate) fn has(&self, path: &[u8]) -> bool {
        self.0.is_empty() || self.0.iter().any(|wanted| is_within(path, wanted))
    }
}

/// `path` below a folder, if it stays there.
fn below(folder: &str, path: &Path) -> Option<Name> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut name = folder.as_bytes().to_vec();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(part) => {
                if !name.is_empty() {
                    name.push(b'/');
                }
                name.extend_from_slice(part.as_bytes());
            }
            _ => return None,
        }
    }
    Some(name)
}

impl Workspace {
    pub(crate) async fn plan(&self, what: &Apply<'_>) -> Result<Planned, ApplyError> {
        let inner = self.inner();
        let staged = staging(&inner.run_dir);
        let fresh = || {
            crate::removal::remove_tree(&staged)?;
            std::fs::create_dir(&staged)
        };
        fresh().map_err(|e| ApplyError::io(&staged, e))?;
        let scratch = tempfile::Builder::new()
            .prefix("apply-")
            .tempdir_in(&inner.run_dir)
            .map_err(|e| ApplyError::io(&inner.run_dir, e))?;
        match what.into {
            ApplyInto::Commit => self.plan_commit(what, scratch.path()).await,
            ApplyInto::Changes | ApplyInto::Branch => self.plan_changes(what, scratch.path()).await,
        }
    }

    /// The user's folder that corresponds to the top of the workspace.
    pub(crate) fn users_root(&self) -> Result<PathBuf, ApplyError> {
        let gone = || ApplyError::NoProject(self.project().to_owned());
        let depth = Path::new(&self.inner().marker.prefix).components().count();
        let root = self.project().ancestors().nth(depth).ok_or_else(gone)?;
        if !self.project().is_dir() {
            return Err(gone());
        }
        Ok(root.to_owned())
    }

    async fn plan_changes(&self, what: &Apply<'_>, scratch: &Path) -> Result<Planned, ApplyError> {
        let inner = self.inner();
        let root = self.users_root()?;
        let texts = Texts {
            git: &inner.git,
            store: &inner.store,
            alternates: None,
            scratch,
        };
        let (mut touched, left_out) = self.touched_files(&texts, what).await?;
        if let Found::Repository(repo) = Repository::find(&inner.git, self.project()).await? {
            await_users_git(&repo.git_dir).await?;
            self.refuse_special(&repo, &touched).await?;
        }
        let disk = self.on_disk(&root, &touched).await?;
        let sides = record_copies(&texts, &staging(&inner.run_dir), &disk).await?;
        let look = |path: &[u8]| seen_side(&disk, &sides, path);
        let below = |path: &[u8]| disk.tree.below(path).unwrap_or_default();
        let begun = touched.clone();
        begin_with_record(&mut touched, &self.record()?, &look);
        on_top_of_earlier(&texts, &mut touched, &begun, what.in_part).await?;
        let items = merge_all(&texts, touched, &look, &below).await?;
        let items = match settle(items, what, &left_out) {
            Ok(items) => items,
            Err(conflicts) => return Ok(Planned::Conflicts(conflicts)),
        };
        let afters = items.iter().enumerate().filter_map(|(n, item)| {
            let after = item.after.as_ref().filter(|_| item.what.writes())?;
            Some((format!("a{n}"), after.oid.as_str()))
        });
        let afters: Vec<_> = afters.collect();
        texts.write_out(&staging(&inner.run_dir), &afters).await?;
        let afters = items
            .iter()
            .map(|item| item.after.as_ref().map(|side| side.kind))
            .collect();
        let mut plan = self.steps(what, &root, &disk, &items, afters).await?;
        plan.done.target = self.project().display().to_string();
        plan.done.kept = self.keep(&texts, what.key, &plan, &sides).await?;
        plan.done.paths = outcomes(&items, left_out);
        plan.noted = noted(&items);
        Ok(Planned::Ready(Box::new(plan)))
    }

    /// What the run changed, as files, without what is in submodules.
    async fn touched_files(
        &self,
        texts: &Texts<'_>,
        what: &Apply<'_>,
    ) -> Result<(Vec<Touched>, Vec<Name>), ApplyError> {
        let (inner, git) = (self.inner(), texts.git);
        let store = &inner.store;
        let (from, to) = (
            store.tree(self.base_snapshot()).await?,
            store.tree(what.snapshot).await?,
        );
        let call =
            store
                .call("diff-tree")
                .args(["-r", "-z", "--raw", "--no-renames", "--no-abbrev"]);
        let mut all = parse_raw_diff(&git.run(call.args([&from, &to]).long()).await?);
        let whole = store.call("ls-tree").args(["-r", "-z", &to]).long();
        let whole = Listing::parse(&git.run(whole).await?);
        let back = taken_back(&self.record()?, &all, &|path| {
            whole.look(path).side().cloned()
        });
        all.extend(back);
        let mut submodules = HashSet::new();
        if let Some(base) = self.base_commit() {
            let list = store.call("ls-tree").args(["-r", "-z", base]).long();
            let list = Listing::parse(&git.run(list).await?);
            submodules.extend(list.submodules().cloned());
        }
        self.select(what, all, &submodules)
    }

    /// Of what the run changed, what is wanted and can be; and what cannot.
    pub(crate) fn select(
        &self,
        what: &Apply<'_>,
        mut all: Vec<Touched>,
        submodules: &HashSet<Name>,
    ) -> Result<(Vec<Touched>, Vec<Name>), ApplyError> {
        let names = all.iter().map(|t| t.path.as_slice());
        let selection = Selection::new(&self.inner().marker.prefix, what.paths, names)?;
        all.retain(|t| selection.has(&t.path));
        let inside = |path: &Name| {
            submodules.contains(path) || ancestors(path).any(|above| submodules.contains(above))
        };
        let (out, mut all): (Vec<_>, Vec<_>) = all.into_iter().partition(|t| inside(&t.path));
        let is_git = |path: &Name| {
            path.split(|b| *b == b'/')
                .any(|part| part.eq_ignore_ascii_case(b".git"))
        };
        all.retain(|t| !is_git(&t.path));
        Ok((all, out.into_iter().map(|t| t.path).collect()))
    }

    /// What earlier applies of this run put at each path.
    pub(crate) fn record(&self) -> Result<Record, ApplyError> {
        let file = self.inner().run_dir.join(RECORD);
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Record::new()),
            Err(error) => return Err(ApplyError::io(&file, error)),
        };
        // Without it there are only more conflicts than need be.
        let entries: Vec<Noted> = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(entries
            .into_iter()
            .map(|noted| (noted.path, noted.side))
            .collect())
    }
}

/// What earlier applies of a run put at each path: not the user's own change.
pub(crate) type Record = BTreeMap<Name, Option<Side>>;

/// What the run took back since an earlier apply, which no diff has.
pub(crate) fn taken_back(
    record: &Record,
    touched: &[Touched],
    theirs: &dyn Fn(&[u8]) -> Option<Side>,
) -> Vec<Touched> {
    let known: HashSet<&Name> = touched.iter().map(|t| &t.path).collect();
    let others = record.iter().filter(|(path, _)| !known.contains(path));
    let undone = others.filter_map(|(path, side)| {
        let theirs = theirs(path);
        (*side != theirs).then(|| Touched {
            path: path.clone(),
            base: theirs.clone(),
            theirs,
        })
    });
    undone.collect()
}

/// Where the user has what an earlier apply put there, changed or not, the
/// run's change begins with that.
pub(crate) fn begin_with_record(
    touched: &mut [Touched],
    record: &Record,
    look: &dyn Fn(&[u8]) -> Ours,
) {
    for touched in touched {
        if let Some(side) = record.get(&touched.path)
            && look(&touched.path).side() != touched.base.as_ref()
        {
            touched.base.clone_from(side);
        }
    }
}

/// What is noted of an apply that is done, beside what was noted before.
pub(crate) fn note(run_dir: &Path, noted: &[Noted]) -> std::io::Result<()> {
    let file = run_dir.join(RECORD);
    let old = match std::fs::read(&file) {
        Ok(bytes) => serde_json::from_slice::<Vec<Noted>>(&bytes).unwrap_or_default(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let all = old.into_iter().chain(noted.iter().cloned());
    let all: BTreeMap<Name, Option<Side>> = all.map(|n| (n.path, n.side)).collect();
    let all: Vec<Noted> = all
        .into_iter()
        .map(|(path, side)| Noted { path, side })
        .collect();
    let mut new = tempfile::NamedTempFile::new_in(run_dir)?;
    serde_json::to_writer(&mut new, &all)?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

/// What an apply put at a path.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Noted {
    pub(crate) path: Name,
    pub(crate) side: Option<Side>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_from_a_diff_means_that_file_and_no_other() {
        let all: [&[u8]; 2] = [b"sub/x", b"sub/sub/x"];
        let chosen = |path: &str| {
            let paths = [PathBuf::from(path)];
            Selection::new("sub", &paths, all.iter().copied()).expect("it is there")
        };
        let has = |path: &str| all.map(|one| chosen(path).has(one));
        assert_eq!(has("sub/x"), [true, false]);
        assert_eq!(has("sub/sub/x"), [false, true]);
        assert_eq!(has("x"), [true, false], "relative to the project");
        let unknown = [PathBuf::from("y")];
        assert!(Selection::new("sub", &unknown, all.iter().copied()).is_err());
    }
}

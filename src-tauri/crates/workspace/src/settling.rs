//! From decided paths to conflicts for a person, or to steps on the user's files.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use crate::apply::{
    AppliedPath, Apply, ApplyError, Conflict, Conflicts, Kept, PathOutcome, TakenSide, shown,
};
use crate::carry_plan::{Plan, Step, Turn, staging};
use crate::merging::{ConflictKind, spread};
use crate::planning::{Item, Noted};
use crate::sides::{Kind, Name, Side, ancestors, is_within};
use crate::snapshot::dated;
use crate::texts::Texts;
use crate::user_commit::index_info;
use crate::user_files::OnDisk;
use crate::user_tree::{Seen, image_of, split};
use crate::workspace::Workspace;

impl PathOutcome {
    /// Whether the user's file is changed.
    pub(crate) fn writes(self) -> bool {
        !matches!(
            self,
            PathOutcome::Same | PathOutcome::KeptYours | PathOutcome::LeftOut
        )
    }
}

/// The paths as they are to be, or the conflicts nobody has decided yet.
pub(crate) fn settle(
    mut items: Vec<Item>,
    what: &Apply<'_>,
    left_out: &[Name],
) -> Result<Vec<Item>, Conflicts> {
    let Some(found) = conflicts(&items, left_out.len()) else {
        return Ok(items);
    };
    let decided = what.resolution.filter(|said| said.digest == found.digest);
    match decided.map(|said| said.side) {
        None => Err(found),
        Some(TakenSide::Theirs) if found.replaceable => Ok(items),
        Some(TakenSide::Theirs) => Err(found),
        Some(TakenSide::Mine) => {
            let mut stays: Vec<Name> = items
                .iter()
                .filter(|item| item.conflict.is_some())
                .map(|item| item.touched.path.clone())
                .collect();
            let touched: Vec<_> = items.iter().map(|item| item.touched.clone()).collect();
            loop {
                let more = spread(&touched, &stays);
                if more.is_empty() {
                    break;
                }
                stays.extend(more);
            }
            for item in items
                .iter_mut()
                .filter(|item| stays.contains(&item.touched.path))
            {
                item.what = PathOutcome::KeptYours;
                item.after = item.ours.side().cloned();
            }
            Ok(items)
        }
    }
}

fn conflicts(items: &[Item], left_out: usize) -> Option<Conflicts> {
    let mut all: Vec<&Item> = items
        .iter()
        .filter(|item| item.conflict.is_some())
        .collect();
    if all.is_empty() {
        return None;
    }
    all.sort_by(|a, b| a.touched.path.cmp(&b.touched.path));
    let mut digest = blake3::Hasher::new();
    let mut paths = Vec::new();
    let mut replaceable = true;
    for item in &all {
        let (kind, sketch) = item.conflict.as_ref().expect("only these were taken");
        let facts = format!(
            "{:?} {kind:?} {:?} {:?} {:?} {:?}\n",
            item.touched.path, item.ours, item.disk, item.touched.base, item.touched.theirs
        );
        digest.update(facts.as_bytes());
        replaceable &= *kind != ConflictKind::InTheWay;
        let (path, sketch) = (shown(&item.touched.path), sketch.clone());
        paths.push(Conflict {
            path,
            kind: *kind,
            sketch,
        });
    }
    Some(Conflicts {
        digest: digest.finalize().to_hex().to_string(),
        clean: (items.len() - paths.len()).saturating_sub(left_out),
        paths,
        replaceable,
    })
}

/// What the next apply is told.
pub(crate) fn noted(items: &[Item]) -> Vec<Noted> {
    let applied = items
        .iter()
        .filter(|item| item.what != PathOutcome::KeptYours);
    applied
        .map(|item| Noted {
            path: item.touched.path.clone(),
            side: item.touched.theirs.clone(),
        })
        .collect()
}

/// What is said of each path.
pub(crate) fn outcomes(items: &[Item], left_out: Vec<Name>) -> Vec<AppliedPath> {
    let done = items.iter().map(|item| AppliedPath {
        path: shown(&item.touched.path),
        what: match item.after {
            None if item.what == PathOutcome::Written => PathOutcome::Deleted,
            _ => item.what,
        },
    });
    let left = left_out.iter().map(|path| AppliedPath {
        path: shown(path),
        what: PathOutcome::LeftOut,
    });
    let mut all: Vec<AppliedPath> = done.chain(left).collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

impl Workspace {
    /// The plan for the user's files. `afters`: what each item is to be on disk,
    /// its contents staged as `a<n>`.
    pub(crate) async fn steps(
        &self,
        what: &Apply<'_>,
        root: &Path,
        disk: &OnDisk,
        items: &[Item],
        afters: Vec<Option<Kind>>,
    ) -> Result<Plan, ApplyError> {
        let staged = staging(&self.inner().run_dir);
        let io = |e| ApplyError::io(&staged, e);
        let mut steps = Vec::new();
        for (n, (item, after)) in items.iter().zip(afters).enumerate() {
            let path = &item.touched.path;
            let copied = disk.copies.get(path);
            let after = match after {
                Some(kind) if item.what.writes() => {
                    Some(image_of(&staged.join(format!("a{n}")), kind).map_err(io)?)
                }
                _ => None,
            };
            let before = copied.map(|copied| copied.image.clone());
            if !item.what.writes() || before == after {
                continue;
            }
            steps.push(Step {
                path: path.clone(),
                turn: if after.is_some() {
                    Turn::Write
                } else {
                    Turn::Remove
                },
                before,
                after,
                bits: copied.and_then(|copied| copied.bits),
                n,
                aside: split(path).0.to_vec(),
            });
        }
        make_way(&mut steps, disk.tree.ignores_case());
        let mut plan = Plan::new(self.run(), what.key, root, steps);
        plan.made = made(&plan.steps, disk)?;
        Ok(plan)
    }

    /// Keeps the files that are replaced or removed: a commit of their own.
    pub(crate) async fn keep(
        &self,
        texts: &Texts<'_>,
        key: &str,
        plan: &Plan,
        sides: &HashMap<Name, Side>,
    ) -> Result<Option<Kept>, ApplyError> {
        let gone = plan.steps.iter().filter(|step| step.before.is_some());
        let info: Vec<u8> = gone
            .filter_map(|step| Some((&step.path, sides.get(&step.path)?)))
            .flat_map(|(path, side)| index_info(path, Some(side), side.oid.len()))
            .collect();
        if info.is_empty() {
            return Ok(None);
        }
        let index = texts.scratch.join("kept.index");
        let store = &self.inner().store;
        let call = |command| store.call(command).env("GIT_INDEX_FILE", &index).long();
        texts
            .git
            .run(
                call("update-index")
                    .args(["-z", "--index-info"])
                    .input(info),
            )
            .await?;
        let tree = texts.git.line(call("write-tree")).await?;
        let commit = dated(call("commit-tree"), "@0 +0000").arg(tree);
        let message = "what the user had before an apply".as_bytes().to_vec();
        let commit = texts.git.line(commit.input(message)).await?;
        let name = blake3::hash(key.as_bytes()).to_hex();
        store
            .point(&format!("refs/kept/apply-{}", &name[..12]), &commit)
            .await?;
        Ok(Some(Kept {
            store: store.dir.clone(),
            commit,
        }))
    }
}

/// Puts first what must be out of the way of something else, and its old
/// contents where they are not in the way themselves.
fn make_way(steps: &mut [Step], ignores_case: bool) {
    let writes: BTreeSet<Name> = steps
        .iter()
        .filter(|s| s.turn == Turn::Write)
        .map(|s| s.path.clone())
        .collect();
    let lower: BTreeSet<String> = match ignores_case {
        true => writes
            .iter()
            .map(|path| shown(path).to_lowercase())
            .collect(),
        false => BTreeSet::new(),
    };
    for step in steps.iter_mut().filter(|step| step.turn == Turn::Remove) {
        let folder_of = writes
            .iter()
            .any(|w| ancestors(w).any(|above| above == step.path));
        let inside = writes
            .iter()
            .find(|w| w.len() < step.path.len() && is_within(&step.path, w));
        if let Some(file) = inside {
            step.aside = split(file).0.to_vec();
        }
        if folder_of || inside.is_some() || lower.contains(&shown(&step.path).to_lowercase()) {
            step.turn = Turn::MakeWay;
        }
    }
}

/// The folders that will have to be made, from the top down.
fn made(steps: &[Step], disk: &OnDisk) -> Result<Vec<Name>, ApplyError> {
    let mut folders = BTreeSet::new();
    for step in steps.iter().filter(|step| step.after.is_some()) {
        for above in ancestors(&step.path) {
            if folders.contains(above) {
                continue;
            }
            let seen = disk.tree.look(above);
            let failed = |source: rustix::io::Errno| ApplyError::System {
                path: shown(above),
                source: source.into(),
            };
            if seen.map_err(failed)? != Seen::Folder {
                folders.insert(above.to_vec());
            }
        }
    }
    Ok(folders.into_iter().collect())
}

impl Item {
    /// Marks it as one the user has to decide on.
    pub(crate) fn conflicts(&mut self, kind: ConflictKind) {
        if self.conflict.is_none() {
            self.conflict = Some((kind, String::new()));
            self.what = PathOutcome::ReplacedYours;
        }
    }
}

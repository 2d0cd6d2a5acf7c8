//! The user's files at the paths a run changed: seen, copied, and merged with.

use std::collections::HashMap;
use std::path::Path;

use crate::apply::{ApplyError, PathOutcome, shown};
use crate::blocking::blocking;
use crate::carry_plan::staging;
use crate::git::{Call, zero_separated};
use crate::merging::{Changes, ConflictKind, Decision, decide};
use crate::planning::Item;
use crate::repository::Repository;
use crate::sides::{Kind, Name, Ours, Side, Touched};
use crate::texts::{Merged, Texts};
use crate::user_tree::{Image, Seen, UserTree};
use crate::workspace::Workspace;

/// The user's files at the touched paths, copied to the staging folder.
pub(crate) struct OnDisk {
    pub(crate) tree: UserTree,
    pub(crate) seen: HashMap<Name, Seen>,
    pub(crate) copies: HashMap<Name, Copied>,
}

/// A file of the user's, in the staging folder as `b<n>`.
#[derive(Debug, Clone)]
pub(crate) struct Copied {
    pub(crate) n: usize,
    pub(crate) image: Image,
    pub(crate) bits: Option<u32>,
}

impl Workspace {
    /// Looks at the touched paths and copies what is there.
    pub(crate) async fn on_disk(
        &self,
        root: &Path,
        touched: &[Touched],
    ) -> Result<OnDisk, ApplyError> {
        let paths: Vec<Name> = touched.iter().map(|t| t.path.clone()).collect();
        let (root, staged) = (root.to_owned(), staging(&self.inner().run_dir));
        blocking(move || {
            let tree = UserTree::open(&root).map_err(|_| ApplyError::NoProject(root))?;
            let (mut seen, mut copies) = (HashMap::new(), HashMap::new());
            for (n, path) in paths.into_iter().enumerate() {
                let failed = |source| ApplyError::System {
                    path: shown(&path),
                    source,
                };
                let what = tree.look(&path).map_err(|errno| failed(errno.into()))?;
                if let Seen::File(kind) = what {
                    let to = staged.join(format!("b{n}"));
                    let image = tree.copy_out(&path, kind, &to).map_err(failed)?;
                    let bits = (kind != Kind::Link).then(|| tree.bits(&path)).flatten();
                    copies.insert(path.clone(), Copied { n, image, bits });
                }
                seen.insert(path, what);
            }
            Ok(OnDisk { tree, seen, copies })
        })
        .await
    }

    /// Refuses paths that git treats in a way that files cannot be written past.
    pub(crate) async fn refuse_special(
        &self,
        repo: &Repository,
        touched: &[Touched],
    ) -> Result<(), ApplyError> {
        let git = &self.inner().git;
        let unsupported = |path: &[u8], reason: &str| ApplyError::Unsupported {
            path: shown(path),
            reason: reason.to_owned(),
        };
        let input: Vec<u8> = touched
            .iter()
            .flat_map(|t| [&t.path[..], b"\0"].concat())
            .collect();
        let ask = Call::new(&repo.top, "check-attr").args(["-z", "--stdin", "filter"]);
        let out = git.run(ask.input(input).long()).await?;
        let mut fields = out.split(|b| *b == 0);
        while let (Some(path), Some(_), Some(value)) = (fields.next(), fields.next(), fields.next())
        {
            if !matches!(value, b"unspecified" | b"unset") {
                let filter = String::from_utf8_lossy(value);
                let reason = format!("goes through the git filter \"{filter}\", which is not run");
                return Err(unsupported(path, &reason));
            }
        }
        let list = Call::new(&repo.top, "ls-files")
            .args(["--cached", "-t", "-z"])
            .long();
        let out = git.run(list).await?;
        let sparse: std::collections::HashSet<&[u8]> = zero_separated(&out)
            .filter_map(|entry| entry.strip_prefix(b"S "))
            .collect();
        match touched.iter().find(|t| sparse.contains(t.path.as_slice())) {
            Some(t) => Err(unsupported(&t.path, "is left out by your sparse checkout")),
            None => Ok(()),
        }
    }
}

/// Records the copies as objects of the run's store: they can be merged, and
/// stay there for the user. By path.
pub(crate) async fn record_copies(
    texts: &Texts<'_>,
    staged: &Path,
    disk: &OnDisk,
) -> Result<HashMap<Name, Side>, ApplyError> {
    let all: Vec<(&Name, &Copied)> = disk.copies.iter().collect();
    let names: Vec<String> = all
        .iter()
        .map(|(_, copied)| format!("b{}", copied.n))
        .collect();
    let ids = texts.read_in(staged, &names).await?;
    let sides = all.into_iter().zip(ids).map(|((path, copied), oid)| {
        (
            path.clone(),
            Side {
                kind: copied.image.kind,
                oid,
            },
        )
    });
    Ok(sides.collect())
}

/// What the user has at a touched path.
pub(crate) fn seen_side(disk: &OnDisk, sides: &HashMap<Name, Side>, path: &[u8]) -> Ours {
    match disk.seen.get(path) {
        None | Some(Seen::Absent) => Ours::Absent,
        Some(Seen::Folder) => Ours::Folder,
        Some(Seen::Below(above)) => Ours::Below(above.clone()),
        Some(Seen::Special) => Ours::Special,
        Some(Seen::File(_)) => match sides.get(path) {
            Some(side) => Ours::There(side.clone()),
            None => Ours::Special,
        },
    }
}

/// Decides all paths, and merges those that need it.
pub(crate) async fn merge_all(
    texts: &Texts<'_>,
    touched: Vec<Touched>,
    look: &(dyn Fn(&[u8]) -> Ours + Sync),
    below: &(dyn Fn(&[u8]) -> Vec<Name> + Sync),
) -> Result<Vec<Item>, ApplyError> {
    let mut items = Vec::new();
    let mut merges = Vec::new();
    {
        let changes = Changes::new(&touched);
        for (n, touched) in touched.iter().enumerate() {
            let decision = decide(touched, &changes, look, below);
            if let Decision::Merge {
                kind,
                base,
                ours,
                theirs,
            } = &decision
            {
                merges.push(ToMerge {
                    n,
                    kind: Some(*kind),
                    sides: [ours.clone(), base.clone(), theirs.clone()],
                });
            }
            if let (Decision::Conflict(ConflictKind::AddedByBoth), Some(theirs), Ours::There(ours)) =
                (&decision, &touched.theirs, look(&touched.path))
                && theirs.kind != Kind::Link
                && ours.kind != Kind::Link
            {
                let sides = [ours.oid, String::new(), theirs.oid.clone()];
                merges.push(ToMerge {
                    n,
                    kind: None,
                    sides,
                });
            }
            items.push(item(touched.clone(), look(&touched.path), decision));
        }
    }
    do_merges(texts, &mut items, merges).await?;
    Ok(items)
}

/// A merge of ours, base and theirs; one without a kind is only to be shown.
struct ToMerge {
    n: usize,
    kind: Option<Kind>,
    sides: [String; 3],
}

fn item(touched: Touched, ours: Ours, decision: Decision) -> Item {
    let (after, what, conflict) = match decision {
        Decision::Take(None) => (None, PathOutcome::Deleted, None),
        Decision::Take(Some(side)) => {
            let theirs = touched.theirs.as_ref() == Some(&side);
            let what = if theirs {
                PathOutcome::Written
            } else {
                PathOutcome::Merged
            };
            (Some(side), what, None)
        }
        Decision::Same => (ours.side().cloned(), PathOutcome::Same, None),
        Decision::Merge { .. } => (None, PathOutcome::Merged, None),
        Decision::Conflict(kind) => {
            let conflict = Some((kind, String::new()));
            (touched.theirs.clone(), PathOutcome::ReplacedYours, conflict)
        }
    };
    Item {
        touched,
        ours,
        after,
        what,
        conflict,
        disk: None,
        entry: None,
    }
}

async fn do_merges(
    texts: &Texts<'_>,
    items: &mut [Item],
    merges: Vec<ToMerge>,
) -> Result<(), ApplyError> {
    if merges.is_empty() {
        return Ok(());
    }
    let dir = texts.scratch.join("merge");
    std::fs::create_dir_all(&dir).map_err(|e| ApplyError::io(&dir, e))?;
    let mut wanted = Vec::new();
    for merge in &merges {
        for (side, oid) in ["ours", "base", "theirs"].iter().zip(&merge.sides) {
            let name = format!("{}.{side}", merge.n);
            if oid.is_empty() {
                std::fs::write(dir.join(name), "").map_err(|e| ApplyError::io(&dir, e))?;
            } else {
                wanted.push((name, oid.as_str()));
            }
        }
    }
    texts.write_out(&dir, &wanted).await?;
    let mut clean = Vec::new();
    for merge in &merges {
        let item = &mut items[merge.n];
        let merged = texts.merge(&dir, &merge.n.to_string()).await?;
        match (merged, merge.kind) {
            (Merged::Clean, Some(kind)) => clean.push((merge.n, kind)),
            (Merged::Lines(sketch), None) => {
                item.conflict = Some((ConflictKind::AddedByBoth, sketch));
            }
            (_, None) => {}
            (Merged::Lines(sketch), _) => conflicting(item, ConflictKind::Lines, sketch),
            (Merged::Binary, _) => conflicting(item, ConflictKind::Binary, String::new()),
        }
    }
    let names: Vec<String> = clean.iter().map(|(n, _)| format!("{n}.merged")).collect();
    let ids = texts.read_in(&dir, &names).await?;
    for ((n, kind), oid) in clean.into_iter().zip(ids) {
        let merged = Some(Side { kind, oid });
        if items[n].ours.side() == merged.as_ref() {
            items[n].what = PathOutcome::Same;
        }
        items[n].after = merged;
    }
    Ok(())
}

fn conflicting(item: &mut Item, kind: ConflictKind, sketch: String) {
    item.conflict = Some((kind, sketch));
    item.after.clone_from(&item.touched.theirs);
    item.what = PathOutcome::ReplacedYours;
}

//! A part of a result, chosen by hunk: a snapshot of its own, in which the files chosen by
//! hunk have these hunks and no others. It is applied like any other.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use domain::HunkName;

use crate::apply::{ApplyError, shown};
use crate::git::first_line;
use crate::patch::{FilePatch, by_file, with_hunks};
use crate::planning::Selection;
use crate::sides::{Kind, Name, Touched, parse_raw_diff};
use crate::snapshot::SnapshotError;
use crate::texts::{Merged, Texts};
use crate::user_commit::index_info;
use crate::workspace::Workspace;

/// What of a result is to be applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// The snapshot to apply.
    pub snapshot: String,
    /// Only these files and folders; all when empty.
    pub paths: Vec<PathBuf>,
    /// Those of them of which the snapshot has some hunks only.
    pub in_part: Vec<Vec<u8>>,
}

impl Workspace {
    /// What `snapshot` has at `paths`, and these hunks of its diff against the start of the
    /// run. A hunk that the diff does not have, or has no more, is refused.
    pub async fn part(
        &self,
        snapshot: &str,
        paths: &[PathBuf],
        hunks: &[HunkName],
    ) -> Result<Part, ApplyError> {
        let mut part = Part {
            snapshot: snapshot.to_owned(),
            paths: paths.to_vec(),
            in_part: Vec::new(),
        };
        if hunks.is_empty() {
            return Ok(part);
        }
        let diff = self.diff_bytes(None, Some(snapshot)).await?;
        let files = by_file(&diff);
        let names = files.iter().map(|file| file.path.as_slice());
        let whole = match paths {
            [] => None,
            paths => Some(Selection::new(&self.inner().marker.prefix, paths, names)?),
        };
        let mut news = Vec::new();
        for (n, chosen) in chosen(&files, hunks)? {
            let file = &files[n];
            if whole.as_ref().is_some_and(|whole| whole.has(&file.path)) {
                continue;
            }
            let all = file.hunks.len() == chosen.len();
            let twice = files.iter().filter(|other| other.path == file.path).count() > 1;
            let path = |name: &[u8]| PathBuf::from(OsStr::from_bytes(name));
            part.paths.push(path(&file.path));
            if all && !twice {
                part.paths.extend(file.from.as_deref().map(path));
                continue;
            }
            if twice || file.from.is_some() {
                return Err(ApplyError::NotInPart(shown(&file.path)));
            }
            news.push((file, chosen));
        }
        if !news.is_empty() {
            part.in_part = news.iter().map(|(file, _)| file.path.clone()).collect();
            part.snapshot = self.with_parts(snapshot, &news).await?;
        }
        Ok(part)
    }

    /// The snapshot, but for these files, which have only these hunks.
    async fn with_parts(
        &self,
        snapshot: &str,
        parts: &[(&FilePatch<'_>, Vec<usize>)],
    ) -> Result<String, ApplyError> {
        let store = &self.inner().store;
        let begin = store.tree(self.base_snapshot()).await?;
        let raw = ["-r", "-z", "--raw", "--no-renames", "--no-abbrev"];
        let call = store.call("diff-tree").args(raw).args([&begin, snapshot]);
        let touched = parse_raw_diff(&store.git.run(call.long()).await?);
        let mut info = Vec::new();
        for (file, chosen) in parts {
            let not_in_part = || ApplyError::NotInPart(shown(&file.path));
            let touched = touched.iter().find(|touched| touched.path == file.path);
            let before = touched.and_then(|touched| touched.base.clone());
            let mut before = before
                .filter(|side| side.kind != Kind::Link)
                .ok_or_else(not_in_part)?;
            let read = store.call("cat-file").args(["blob", &before.oid]).long();
            let old = store.git.run(read).await?;
            let hunks = chosen.iter().map(|n| &file.hunks[*n]);
            let new = with_hunks(&old, hunks).ok_or_else(not_in_part)?;
            let write = store
                .call("hash-object")
                .args(["-w", "--no-filters", "--stdin"]);
            let written = store.git.run(write.input(new).long()).await?;
            before.oid = first_line(&written);
            info.extend(index_info(&file.path, Some(&before), before.oid.len()));
        }
        let run_dir = &self.inner().run_dir;
        let scratch = tempfile::Builder::new()
            .prefix("part-")
            .tempdir_in(run_dir)
            .map_err(|e| SnapshotError::io(run_dir, e))?;
        let index = scratch.path().join("index");
        let call = |command| store.call(command).env("GIT_INDEX_FILE", &index).long();
        store.git.run(call("read-tree").arg(snapshot)).await?;
        let update = call("update-index").args(["-z", "--index-info"]);
        store.git.run(update.input(info)).await?;
        let tree = store.git.line(call("write-tree")).await?;
        let part = store.commit(&tree, Some(snapshot), "a part of it").await?;
        // What is put at a path is asked for again at the next apply.
        let kept = format!("refs/kept/part-{}", &part[..12]);
        store.point(&kept, &part).await?;
        Ok(part)
    }
}

/// Which hunks are chosen of which file, in order.
fn chosen(
    files: &[FilePatch<'_>],
    hunks: &[HunkName],
) -> Result<BTreeMap<usize, Vec<usize>>, ApplyError> {
    let mut all: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for wanted in hunks {
        let places = files.iter().enumerate().flat_map(|(f, file)| {
            let named = shown(&file.path) == wanted.path;
            let hunks = file.hunks.iter().enumerate().filter(move |_| named);
            hunks.map(move |(h, hunk)| (f, h, file.digest(hunk)))
        });
        let mut found = places.filter(|(_, _, digest)| *digest == wanted.digest);
        let (file, hunk, _) = found.next().ok_or_else(|| ApplyError::HunkGone {
            path: wanted.path.clone(),
            number: wanted.number,
        })?;
        all.entry(file).or_default().push(hunk);
    }
    for hunks in all.values_mut() {
        hunks.sort_unstable();
        hunks.dedup();
    }
    Ok(all)
}

/// Where an earlier apply put some of a file's hunks, and the user has them, the hunks of
/// this one come on top: they do not take the others back.
pub(crate) async fn on_top_of_earlier(
    texts: &Texts<'_>,
    touched: &mut [Touched],
    begun: &[Touched],
    in_part: &[Name],
) -> Result<(), ApplyError> {
    for (n, (touched, begun)) in touched.iter_mut().zip(begun).enumerate() {
        if !in_part.contains(&touched.path) || touched.base == begun.base {
            continue;
        }
        let stands_against = || ApplyError::PartMeetsEarlier(shown(&touched.path));
        let (Some(start), Some(earlier), Some(theirs)) =
            (&begun.base, &touched.base, &touched.theirs)
        else {
            return Err(stands_against());
        };
        let dir = texts.scratch.join(format!("part-{n}"));
        std::fs::create_dir(&dir).map_err(|e| ApplyError::io(&dir, e))?;
        let sides = [
            ("0.base".to_owned(), start.oid.as_str()),
            ("0.ours".to_owned(), earlier.oid.as_str()),
            ("0.theirs".to_owned(), theirs.oid.as_str()),
        ];
        texts.write_out(&dir, &sides).await?;
        let Merged::Clean = texts.merge(&dir, "0").await? else {
            return Err(stands_against());
        };
        let merged = texts.read_in(&dir, &["0.merged".to_owned()]).await?;
        let mut both = earlier.clone();
        both.oid.clone_from(&merged[0]);
        touched.theirs = Some(both);
    }
    Ok(())
}

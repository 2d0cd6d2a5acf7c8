//! A part of a run's work, chosen by hunk.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use domain::{ApplyInto, HunkName};
use workspace::{
    Apply, ApplyBranch, ApplyError, ApplyOutcome, PathOutcome, Workspace, by_file, hunk_names,
};

use crate::applying::{done, what};
use crate::support::{Place, git, read, write};

/// Thirty lines, of which these are others.
fn lines(changed: &[usize]) -> String {
    let line = |n: usize| match changed.contains(&n) {
        true => format!("line {n}, changed\n"),
        false => format!("line {n}\n"),
    };
    (1..=30).map(line).collect()
}

/// A run that changed three places of a file, and made another.
async fn scene() -> (Place, Workspace) {
    let place = Place::repository();
    place.write("poem", &lines(&[]));
    git(&place.project, &["add", "."]);
    git(&place.project, &["commit", "-q", "-m", "poem"]);
    let ws = place.clone().await;
    write(ws.path(), "poem", &lines(&[2, 15, 28]));
    write(ws.path(), "new", "new\n");
    (place, ws)
}

async fn hunks(ws: &Workspace) -> Vec<HunkName> {
    hunk_names(&by_file(&ws.diff_bytes(None, None).await.unwrap()))
}

async fn poem(ws: &Workspace, numbers: &[u32]) -> Vec<HunkName> {
    let mut all = hunks(ws).await;
    all.retain(|hunk| hunk.path == "poem" && numbers.contains(&hunk.number));
    assert_eq!(all.len(), numbers.len());
    all
}

async fn apply(
    ws: &Workspace,
    into: ApplyInto,
    paths: &[&str],
    hunks: &[HunkName],
) -> Result<ApplyOutcome, ApplyError> {
    let snapshot = ws.snapshot("result").await.unwrap();
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    let part = ws.part(&snapshot.id, &paths, hunks).await?;
    ws.apply(Apply {
        key: &format!("{paths:?} {hunks:?}"),
        into,
        snapshot: &part.snapshot,
        paths: &part.paths,
        in_part: &part.in_part,
        message: "A part",
        at: 1_700_000_000,
        resolution: None,
    })
    .await
}

#[tokio::test]
async fn the_chosen_hunks_and_no_others_and_then_the_rest() {
    for into in [ApplyInto::Changes, ApplyInto::Commit] {
        let (place, ws) = scene().await;
        let part = apply(&ws, into, &[], &poem(&ws, &[2]).await).await;
        assert_eq!(what(&done(part), "poem"), PathOutcome::Written);
        assert_eq!(read(&place.project, "poem"), lines(&[15]));
        assert!(!place.project.join("new").exists());
        // One more comes on top; one that is there already changes nothing.
        done(apply(&ws, into, &["new"], &poem(&ws, &[3]).await).await);
        assert_eq!(read(&place.project, "poem"), lines(&[15, 28]));
        assert_eq!(read(&place.project, "new"), "new\n");
        let again = done(apply(&ws, into, &[], &poem(&ws, &[2]).await).await);
        assert_eq!(what(&again, "poem"), PathOutcome::Same);
        done(apply(&ws, into, &[], &[]).await);
        assert_eq!(read(&place.project, "poem"), lines(&[2, 15, 28]));
        git(&place.project, &["fsck", "--strict"]);
    }
}

#[tokio::test]
async fn what_the_user_did_meanwhile_stays_and_what_they_took_back_is_not_put_again() {
    let (place, ws) = scene().await;
    done(apply(&ws, ApplyInto::Changes, &[], &poem(&ws, &[1]).await).await);
    let theirs = lines(&[2]).replace("line 22\n", "mine\n");
    place.write("poem", &theirs);
    let merged = done(apply(&ws, ApplyInto::Changes, &[], &poem(&ws, &[2]).await).await);
    assert_eq!(what(&merged, "poem"), PathOutcome::Merged);
    let both = lines(&[2, 15]).replace("line 22\n", "mine\n");
    assert_eq!(read(&place.project, "poem"), both);

    place.write("poem", &lines(&[]));
    done(apply(&ws, ApplyInto::Changes, &[], &poem(&ws, &[3]).await).await);
    assert_eq!(read(&place.project, "poem"), lines(&[28]));

    place.write("poem", &lines(&[]).replace("line 15\n", "mine\n"));
    let asked = apply(&ws, ApplyInto::Changes, &[], &poem(&ws, &[2]).await).await;
    assert!(matches!(asked, Ok(ApplyOutcome::Conflicts(_))), "{asked:?}");
}

#[tokio::test]
async fn a_branch_has_the_part() {
    let (place, ws) = scene().await;
    let snapshot = ws.snapshot("result").await.unwrap();
    let wanted = poem(&ws, &[1, 3]).await;
    let part = ws.part(&snapshot.id, &[], &wanted).await.unwrap();
    let what = ApplyBranch {
        snapshot: &part.snapshot,
        branch: "part",
        message: "A part",
        at: 1_700_000_000,
        paths: &part.paths,
    };
    let first = ws.apply_branch(what).await.unwrap();
    assert_eq!(ws.apply_branch(what).await.unwrap(), first, "done again");
    let names = git(&place.project, &["diff", "--name-only", "main", "part"]);
    assert_eq!(names, "poem");
    assert_eq!(
        git(&place.project, &["show", "part:poem"]),
        lines(&[2, 28]).trim_end()
    );
}

#[tokio::test]
async fn a_hunk_that_is_another_one_by_now_is_refused() {
    let (place, ws) = scene().await;
    let seen = poem(&ws, &[1, 2]).await;
    write(
        ws.path(),
        "poem",
        &lines(&[2, 15, 28]).replace("line 15, changed", "rm -rf"),
    );
    let refused = apply(&ws, ApplyInto::Changes, &[], &seen).await;
    assert!(
        matches!(&refused, Err(ApplyError::HunkGone { path, number: 2 }) if path == "poem"),
        "{refused:?}"
    );
    assert_eq!(read(&place.project, "poem"), lines(&[]));
    done(apply(&ws, ApplyInto::Changes, &[], &seen[..1]).await);
    assert_eq!(read(&place.project, "poem"), lines(&[2]));
}

#[tokio::test]
async fn what_has_one_hunk_only_is_taken_whole_and_a_renamed_file_never_in_part() {
    let (place, ws) = scene().await;
    std::fs::rename(ws.path().join("poem"), ws.path().join("ode")).unwrap();
    std::fs::remove_file(ws.path().join("run.sh")).unwrap();
    symlink("ode", ws.path().join("alias")).unwrap();
    let all = hunks(&ws).await;
    let of = |path: &str| -> Vec<HunkName> {
        let of = all.iter().filter(|hunk| hunk.path == path);
        of.cloned().collect()
    };
    let ode = of("ode");
    assert_eq!(ode.len(), 3, "{all:?}");
    let refused = apply(&ws, ApplyInto::Changes, &[], &ode[..1]).await;
    assert!(matches!(refused, Err(ApplyError::NotInPart(path)) if path == "ode"));
    let wanted = [ode, of("run.sh"), of("alias")].concat();
    done(apply(&ws, ApplyInto::Changes, &[], &wanted).await);
    let there = |path: &str| place.project.join(path).symlink_metadata().is_ok();
    assert!(there("ode") && there("alias") && !there("poem") && !there("run.sh"));
    assert!(!there("new"));
}

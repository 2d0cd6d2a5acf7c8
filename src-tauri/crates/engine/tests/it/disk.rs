//! Looking after the disk: what is removed, what is only said.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use domain::{Event, Phase, RunId};
use engine::{DiskCare, Settings};
use serde_json::json;
use testkit::model_server::{Script, Turn};

use crate::bench::{Bench, HandClock, quick};

const DAY: i64 = 24 * 3_600_000;

/// A run that wrote a file of 200 KiB and is completed.
async fn completed(bench: &Bench, project: &Path) -> RunId {
    let text = "0123456789abcdef".repeat(12_800);
    let write = Turn::text("Writing.").tool("write", json!({"path": "big.txt", "content": text}));
    let script = Script::new().turn(write).after(Turn::text("Done."));
    bench.server.default_script("write", script);
    let mut task = bench.task(project, "Write.");
    task.policy = Some(domain::Preset::HandsOff);
    let run = bench.engine.start_run(task).await.unwrap().id;
    bench.wait(run, |run| run.phase == Phase::Completed).await;
    run
}

fn folder(bench: &Bench, run: &str) -> PathBuf {
    bench.folder.path().join("home/workspaces").join(run)
}

fn there(bench: &Bench, run: RunId) -> bool {
    folder(bench, &run.to_string()).exists()
}

async fn tidy(bench: &Bench) -> DiskCare {
    let care = bench.engine.tidy_up().await.unwrap();
    assert_eq!(bench.engine.disk_care().as_ref(), Some(&care));
    care
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_done_with_is_removed_and_the_journal_says_why() {
    let clock = HandClock::new();
    let bench = Bench::on(quick(), std::sync::Arc::new(clock.clone())).await;
    let project = bench.project();
    let unapplied = completed(&bench, project.path()).await;
    let applied = completed(&bench, project.path()).await;
    bench.apply_as_branch(applied).await;

    let care = tidy(&bench).await;
    assert_eq!((care.workspaces, care.freeable_runs), (2, 2));
    assert!(care.work_bytes > 400_000, "{care:?}");
    assert!(care.freeable_bytes >= care.work_bytes, "{care:?}");
    clock.advance(31 * DAY);
    let care = tidy(&bench).await;
    assert!(!there(&bench, applied) && there(&bench, unapplied));
    assert_eq!((care.workspaces, care.freeable_runs), (1, 1));
    let story = bench.story(applied).await;
    assert!(story.contains("done with, and old"), "{story}");
    assert!(bench.store.load(applied).await.unwrap().unwrap().discarded);
    // Again, and however often.
    assert_eq!(tidy(&bench).await.workspaces, 1);
    assert!(there(&bench, unapplied));
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_budget_the_oldest_done_with_go_early_but_nothing_else() {
    let clock = HandClock::new();
    let settings = Settings {
        workspaces_max_bytes: 1,
        ..quick()
    };
    let bench = Bench::on(settings, std::sync::Arc::new(clock.clone())).await;
    let project = bench.project();
    let unapplied = completed(&bench, project.path()).await;
    let cancelled = completed(&bench, project.path()).await;
    bench.apply_as_branch(cancelled).await;
    tidy(&bench).await;
    assert!(there(&bench, cancelled), "it has just ended");
    clock.advance(2 * 3_600_000);
    tidy(&bench).await;
    assert!(!there(&bench, cancelled) && there(&bench, unapplied));
    let story = bench.story(cancelled).await;
    assert!(story.contains("took too much room"), "{story}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_and_what_a_crash_left_of_a_discard_are_removed() {
    let bench = Bench::new().await;
    let project = bench.project();
    let run = completed(&bench, project.path()).await;
    let old = SystemTime::now() - Duration::from_secs(2 * 3600);
    let orphan = "0199aaaa-0000-7000-8000-000000000001";
    let young = "0199aaaa-0000-7000-8000-000000000002";
    for (name, at) in [(orphan, old), (young, SystemTime::now()), ("mine", old)] {
        let folder = folder(&bench, name);
        std::fs::create_dir_all(folder.join("work")).unwrap();
        std::fs::write(folder.join("work/file"), "x").unwrap();
        std::fs::File::open(&folder)
            .unwrap()
            .set_modified(at)
            .unwrap();
    }
    // The event is durable, the files are not gone yet.
    let kept = bench.folder.path().join("kept");
    std::fs::rename(folder(&bench, &run.to_string()), &kept).unwrap();
    bench.engine.discard(run).await.unwrap();
    std::fs::rename(&kept, folder(&bench, &run.to_string())).unwrap();

    let care = tidy(&bench).await;
    assert!(!folder(&bench, orphan).exists());
    assert!(
        folder(&bench, young).exists(),
        "its run may be about to be recorded"
    );
    assert!(
        folder(&bench, "mine").exists(),
        "not named like a run: not ours"
    );
    assert!(!there(&bench, run));
    assert_eq!(care.freeable_runs, 0);
    let entries = bench.store.journal(run, 0, 1000).await.unwrap();
    let discards = entries
        .iter()
        .filter(|e| e.entry.event == Event::Discarded)
        .count();
    assert_eq!(discards, 1, "said once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_before_the_last_step_is_not_done_with() {
    let clock = HandClock::new();
    let bench = Bench::on(quick(), std::sync::Arc::new(clock.clone())).await;
    let project = bench.project();
    let run = completed(&bench, project.path()).await;
    bench.apply_as_branch(run).await;
    let now = bench.store.load(run).await.unwrap().unwrap();
    let newer = Event::CheckpointTaken {
        checkpoint: domain::CheckpointId(now.next_checkpoint()),
        step: now.step + 1,
        snapshot: "f".repeat(40),
        messages: now.messages,
    };
    let noted = bench.store.append(run, None, vec![newer], Vec::new());
    noted.await.unwrap();
    clock.advance(400 * DAY);
    tidy(&bench).await;
    assert!(there(&bench, run), "its newest state is nowhere else");
}

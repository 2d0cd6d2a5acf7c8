//! The crash points, as the sources have them: a new one is in the campaign at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Points no run of the campaign's task can reach, each with the reason.
pub(crate) const UNREACHED: &[(&str, &str)] = &[
    (
        "engine.before_undo",
        "its person never changes her mind: reviews_undo",
    ),
    (
        "engine.undone",
        "its person never changes her mind: reviews_undo",
    ),
    (
        "engine.before_permit",
        "its agent is a native model: claude_code",
    ),
    (
        "notices.before_shown",
        "it has no desktop to tell anything on: notifications",
    ),
    (
        "engine.stalled_decided",
        "no model of its goes silent: reviews_kinds",
    ),
    (
        "buckets.counted",
        "nothing of it keeps to a bucket: buckets",
    ),
    ("engine.before_expiry", EXPIRES),
    ("engine.expired", EXPIRES),
    ("engine.rule_half_written", ALWAYS),
    ("engine.rule_written", ALWAYS),
    ("webhook.before_sent", TELLS),
    ("webhook.sent", TELLS),
    ("engine.apply_began", APPLIES),
    ("engine.apply_tried", APPLIES),
    ("engine.apply_recorded", APPLIES),
    ("workspace.apply_planned", APPLIES),
    ("workspace.apply_filled", APPLIES),
    ("workspace.apply_file_filled", APPLIES),
    ("workspace.apply_exchanged", APPLIES),
    ("workspace.apply_switched", APPLIES),
    ("workspace.apply_removed", APPLIES),
    ("workspace.apply_taken_back", APPLIES),
    ("workspace.apply_cleaned", APPLIES),
    ("workspace.apply_index_locked", APPLIES),
    ("workspace.apply_index_replaced", APPLIES),
    ("workspace.apply_branch_moved", APPLIES),
    ("engine.rolled_back", GOES_BACK),
    ("engine.files_restored", GOES_BACK),
    ("engine.forked", GOES_BACK),
    ("workspace.restore_saved", GOES_BACK),
    ("workspace.restore_put_back", GOES_BACK),
    ("workspace.fork_linked", GOES_BACK),
    (
        "engine.leased",
        "it does not work in the user's own folder: locks",
    ),
    ("engine.call_written_ahead", NO_AGENT),
    ("engine.call_answered", NO_AGENT),
    ("engine.tests_judged", "it changes no test: judged"),
    (
        "engine.workspace_given_up",
        "its workspaces are needed. Killed nowhere: the next tidy-up finds the files of a discarded run",
    ),
    (
        "workspace.packed",
        "it takes too few snapshots to be packed. Killed nowhere: a pack beside loose objects is no harm",
    ),
];

const NO_AGENT: &str = "its model is called without an agent between: gateway";
const APPLIES: &str =
    "it takes nothing over: applying_crashes, and the workspace's test `apply_crashes`";
const ALWAYS: &str = "its person allows nothing once and for all: policy";
const EXPIRES: &str = "its person always answers: reviews_expiry";
const TELLS: &str = "it has no webhook to tell anything: webhook";
const GOES_BACK: &str = "it goes only forward: going_back, and the workspace's test `killed`";

/// Every crash point and the file it stands in.
pub(crate) fn all() -> BTreeMap<String, PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src-tauri");
    let (mut found, mut front) = (BTreeMap::new(), vec![root]);
    while let Some(folder) = front.pop() {
        for entry in fs::read_dir(&folder)
            .expect("the sources are there")
            .flatten()
        {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                if name != "target" && name != "tests" && name != "faults" {
                    front.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is text");
                for point in points_in(&text) {
                    found.insert(point.to_owned(), path.clone());
                }
            }
        }
    }
    found
}

fn points_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("crash_point(")
        .skip(1)
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
}

#[test]
fn points_are_found_in_the_sources() {
    let all = all();
    assert!(
        all.len() >= 30,
        "only {} crash points found: {all:?}",
        all.len()
    );
    assert!(all.contains_key("store.committed") && all.contains_key("engine.briefed"));
    for (name, why) in UNREACHED {
        assert!(
            all.contains_key(*name),
            "{name} is gone; why was it listed: {why}"
        );
    }
}

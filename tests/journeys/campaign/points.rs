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
];

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

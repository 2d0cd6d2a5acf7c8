//! Reading, listing and searching.

use super::files::{place, put};
use super::*;

#[tokio::test]
async fn reading_shows_numbered_lines_and_says_what_is_missing() {
    let long: String = (1..=5000).map(|n| format!("line {n}\n")).collect();
    let place = place(&[
        ("a.txt", "one\ntwo\nthree"),
        ("long.txt", &long),
        ("empty", ""),
        ("crlf", "x\r\ny\r\n"),
    ])
    .await;
    put(&place.dir, "bin", b"ab\0cd");
    put(&place.dir, "latin", b"caf\xe9\n");
    put(&place.dir, "wide", "ä".repeat(100_000).as_bytes());
    assert_eq!(
        place.good("read", json!({"path": "a.txt"})).await,
        "     1\tone\n     2\ttwo\n     3\tthree\n"
    );
    let part = place
        .good("read", json!({"path": "a.txt", "offset": 2, "limit": 1}))
        .await;
    assert_eq!(
        part,
        "     2\ttwo\n[lines 2 to 2 of 3; go on with offset 3]\n"
    );
    let page = place.good("read", json!({"path": "long.txt"})).await;
    assert!(page.chars().count() < RESULT_LIMIT + 200, "{}", page.len());
    assert!(
        page.contains("of 5000; go on with offset "),
        "{}",
        &page[page.len() - 80..]
    );
    assert!(
        place
            .good("read", json!({"path": "long.txt", "offset": 5000}))
            .await
            .ends_with("line 5000\n")
    );
    assert!(
        place
            .bad("read", json!({"path": "a.txt", "offset": 4}))
            .await
            .contains("has 3 lines; there is no line 4")
    );
    assert!(
        place
            .good("read", json!({"path": "wide"}))
            .await
            .chars()
            .count()
            < 2_100
    );
    assert_eq!(
        place.good("read", json!({"path": "empty"})).await,
        "empty is empty."
    );
    assert!(
        place
            .good("read", json!({"path": "bin"}))
            .await
            .contains("binary file of 5 bytes")
    );
    assert!(
        place
            .good("read", json!({"path": "latin"}))
            .await
            .contains("caf\u{FFFD}\n[not valid UTF-8")
    );
    assert!(
        place
            .good("read", json!({"path": "crlf"}))
            .await
            .contains("[lines end with CR LF]")
    );
    assert!(
        place
            .bad("read", json!({"path": "nothing"}))
            .await
            .contains("does not exist")
    );
    assert!(
        place
            .bad("read", json!({"path": "/etc/passwd"}))
            .await
            .contains("outside the workspace")
    );
    assert!(
        place
            .bad("read", json!({"path": "../home"}))
            .await
            .contains("outside the workspace")
    );
}

#[tokio::test]
async fn listing_leaves_out_what_is_ignored_and_follows_no_links() {
    let files = [
        (".gitignore", "target/\n*.log\n"),
        ("src/main.rs", ""),
        ("src/deep/er/x.rs", ""),
        ("target/out", ""),
        ("a.log", ""),
        ("docs/a.md", ""),
        ("docs/b.log", ""),
    ];
    let place = place(&files).await;
    put(&place.dir, ".git/config", b"");
    std::os::unix::fs::symlink("/etc", place.dir.join("away")).expect("a link");
    let listed = place.good("list", json!({})).await;
    assert_eq!(
        listed,
        ".gitignore\naway (link)\ndocs/\ndocs/a.md\nsrc/\nsrc/deep/\nsrc/main.rs\n"
    );
    assert_eq!(
        place.good("list", json!({"path": "docs"})).await,
        "docs/a.md\n"
    );
    assert!(
        place
            .good("list", json!({"path": "src", "depth": 3}))
            .await
            .contains("src/deep/er/x.rs")
    );
    assert_eq!(
        place.good("list", json!({"path": "target"})).await,
        "target/out\n[this folder is ignored by .gitignore]\n"
    );
    assert!(
        place
            .bad("list", json!({"path": "away"}))
            .await
            .contains("outside the workspace")
    );
    assert!(
        place
            .bad("list", json!({"path": "src/main.rs"}))
            .await
            .contains("not a folder")
    );
    for n in 0..600 {
        put(&place.dir, &format!("many/{n}"), b"");
    }
    assert!(
        place
            .good("list", json!({"path": "many"}))
            .await
            .ends_with("[100 more; list a folder below, or search]\n")
    );
}

#[tokio::test]
async fn searching_finds_lines_in_files_that_matter() {
    let many = "needle in a line\n".repeat(500);
    let files = [
        (".gitignore", "target/\n"),
        ("a.rs", "fn x() {}\n// Needle\n"),
        ("sub/b.rs", "needle(1)\nNEEDLE\n"),
        ("c.txt", "needle\r\n"),
        ("target/d.rs", "needle"),
        ("hay/many.txt", &many),
    ];
    let place = place(&files).await;
    put(&place.dir, "bin.rs", b"needle\0needle");
    let found = place
        .good("search", json!({"pattern": "needle", "glob": "*.rs"}))
        .await;
    assert_eq!(found, "sub/b.rs:1: needle(1)\n");
    let found = place
        .good("search", json!({"pattern": "(?i)^needle", "path": "sub"}))
        .await;
    assert_eq!(found, "sub/b.rs:1: needle(1)\nsub/b.rs:2: NEEDLE\n");
    assert_eq!(
        place
            .good("search", json!({"pattern": "needle", "path": "c.txt"}))
            .await,
        "c.txt:1: needle\n"
    );
    assert_eq!(
        place
            .good("search", json!({"pattern": "needle", "glob": "sub/*.rs"}))
            .await,
        "sub/b.rs:1: needle(1)\n"
    );
    assert_eq!(
        place
            .good("search", json!({"pattern": "needle", "path": "target"}))
            .await,
        "target/d.rs:1: needle\n"
    );
    assert!(
        place
            .good("search", json!({"pattern": "absent"}))
            .await
            .starts_with("No line matches absent")
    );
    let found = place
        .good("search", json!({"pattern": "needle", "path": "hay"}))
        .await;
    assert_eq!(found.lines().count(), 201);
    assert!(found.contains("there are more matches"));
    assert!(
        place
            .bad("search", json!({"pattern": "("}))
            .await
            .contains("the pattern cannot be used")
    );
    assert!(
        place
            .bad("search", json!({"pattern": "x", "glob": "["}))
            .await
            .contains("the glob cannot be used")
    );
    assert!(
        place
            .bad("search", json!({"pattern": "x", "path": "nowhere"}))
            .await
            .contains("does not exist")
    );
}

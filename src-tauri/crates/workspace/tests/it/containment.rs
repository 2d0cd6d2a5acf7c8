//! File tools stay inside the workspace.

use std::fs;
use std::os::unix::fs::symlink;

use workspace::{PathError, WriteError};

use crate::support::{Place, write};

const LIMIT: u64 = 1 << 20;

#[tokio::test]
async fn every_way_out_is_refused_for_reading_and_writing() {
    let place = Place::repository();
    write(&place.outside, "secret", "secret\n");
    let ws = place.clone().await;
    let at = |path: &str| ws.path().join(path);
    symlink(place.outside.join("secret"), at("to_file")).unwrap();
    symlink(&place.outside, at("to_folder")).unwrap();
    symlink("../../../../outside", at("up")).unwrap();
    symlink("/nonexistent/new", at("dangling")).unwrap();
    symlink("../not-there-yet", at("dangling_up")).unwrap();
    symlink("/proc/self/cwd", at("cwd")).unwrap();
    symlink("/proc/self/root", at("root")).unwrap();
    symlink("to_folder", at("chain")).unwrap();
    symlink("circle", at("circle")).unwrap();
    let outside = place.outside.join("secret");
    let back_out = format!("{}/../../../../outside/secret", ws.path().display());
    let sibling = format!("{}-other/file", ws.path().display());
    let ways = [
        "..",
        "../",
        "../x",
        "../../snap.git/config",
        "src/../../x",
        "src/../../../../outside/secret",
        "missing/../../x",
        "/",
        "/etc/passwd",
        "//etc/passwd",
        "/proc/self/cwd/Cargo.toml",
        "/proc/self/root/etc/passwd",
        outside.to_str().unwrap(),
        &back_out,
        &sibling,
        "to_file",
        "to_folder/secret",
        "to_folder/new",
        "up/secret",
        "up",
        "dangling",
        "dangling_up",
        "dangling/below",
        "cwd/Cargo.toml",
        "root/etc/passwd",
        "chain/secret",
        "circle",
        "circle/x",
        "src/../to_folder/secret",
        "./to_file",
    ];
    for way in ways {
        let read = ws.read_file(way, LIMIT).await.unwrap_err();
        assert!(
            matches!(read, PathError::Outside(_)),
            "read {way}: {read:?}"
        );
        let plan = ws.plan_write(way, b"x").await.unwrap_err();
        assert!(
            matches!(plan, PathError::Outside(_)),
            "write {way}: {plan:?}"
        );
        assert!(ws.resolve(way).is_err(), "resolve {way}");
    }
    for odd in ["", "a\0b"] {
        assert!(matches!(ws.resolve(odd), Err(PathError::Invalid(_))));
    }
    assert_eq!(
        fs::read_to_string(place.outside.join("secret")).unwrap(),
        "secret\n"
    );
}

#[tokio::test]
async fn what_is_inside_is_reached_by_any_name() {
    let place = Place::repository();
    let ws = place.clone().await;
    symlink("src", ws.path().join("inner_link")).unwrap();
    let real = ws.path().join("src/lib.rs");
    let absolute = real.to_str().unwrap().to_owned();
    for name in [
        "src/lib.rs",
        "./src/./lib.rs",
        "src/../src/lib.rs",
        "inner_link/lib.rs",
        &absolute,
    ] {
        assert_eq!(ws.resolve(name).unwrap(), real, "{name}");
        assert_eq!(
            ws.read_file(name, LIMIT).await.unwrap().bytes,
            b"fn one() {}\n",
            "{name}"
        );
    }
    assert_eq!(
        ws.resolve("inner_link/new/file").unwrap(),
        ws.path().join("src/new/file")
    );
    assert_eq!(ws.resolve(".").unwrap(), ws.path());
    let planned = ws.plan_write("inner_link/lib.rs", b"x").await.unwrap();
    assert_eq!(
        planned.path,
        std::path::Path::new("src/lib.rs"),
        "the link itself stays"
    );
}

#[tokio::test]
async fn the_git_folder_is_not_written_by_any_name() {
    let place = Place::repository();
    let ws = place.clone().await;
    symlink(".git", ws.path().join("innocent")).unwrap();
    symlink(".git/config", ws.path().join("settings")).unwrap();
    fs::create_dir_all(ws.path().join("vendor/x/.git")).unwrap();
    for way in [
        ".git",
        ".git/config",
        ".git/hooks/pre-commit",
        "./.git/config",
        "src/../.git/config",
        "innocent/config",
        "innocent/hooks/new",
        "settings",
        ".GIT/config",
        "vendor/x/.git/config",
        "new/.git/config",
    ] {
        let error = ws.plan_write(way, b"x").await.unwrap_err();
        assert!(
            matches!(error, PathError::GitInternals(_)),
            "{way}: {error:?}"
        );
    }
    assert!(
        ws.read_file(".git/HEAD", LIMIT).await.is_ok(),
        "reading does no harm"
    );
    assert!(ws.plan_write(".github/ci.yml", b"x").await.is_ok());
    assert!(ws.plan_write(".gitignore", b"x").await.is_ok());
}

#[tokio::test]
async fn a_folder_swapped_for_a_link_after_planning_leads_nowhere() {
    let place = Place::repository();
    write(&place.outside, "lib.rs", "fn one() {}\n");
    let ws = place.clone().await;
    let planned = ws.plan_write("src/lib.rs", b"evil").await.unwrap();
    let fresh = ws.plan_write("src/deep/new.rs", b"evil").await.unwrap();
    fs::rename(ws.path().join("src"), ws.path().join("moved")).unwrap();
    symlink(&place.outside, ws.path().join("src")).unwrap();
    for write in [planned, fresh] {
        let error = ws.perform(&write, b"evil").await.unwrap_err();
        assert!(
            matches!(error, WriteError::Changed(_) | WriteError::Path(_)),
            "{error:?}"
        );
    }
    let names: Vec<_> = fs::read_dir(&place.outside)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["lib.rs"]);
    assert_eq!(
        fs::read_to_string(place.outside.join("lib.rs")).unwrap(),
        "fn one() {}\n"
    );
}

#[tokio::test]
async fn a_forged_plan_is_held_to_the_same_bounds() {
    let place = Place::repository();
    let ws = place.clone().await;
    for path in ["../escaped", "/tmp/longhaul-escaped", "src/../../escaped"] {
        let forged: workspace::PlannedWrite = serde_json::from_value(serde_json::json!({
            "path": path, "before": null, "after": workspace::FileHash::of(b"x").as_str(),
        }))
        .unwrap();
        assert!(ws.perform(&forged, b"x").await.is_err(), "{path}");
    }
    let forged: workspace::PlannedWrite = serde_json::from_value(serde_json::json!({
        "path": ".git/hooks/pre-commit", "before": null,
        "after": workspace::FileHash::of(b"x").as_str(),
    }))
    .unwrap();
    assert!(ws.perform(&forged, b"x").await.is_err(), "a hook");
    assert!(!ws.path().join(".git/hooks/pre-commit").exists());
}

#[tokio::test]
async fn a_hard_link_is_parted_by_a_write() {
    let place = Place::repository();
    write(&place.outside, "shared", "theirs\n");
    let ws = place.clone().await;
    fs::hard_link(place.outside.join("shared"), ws.path().join("shared")).unwrap();
    let planned = ws.plan_write("shared", b"ours\n").await.unwrap();
    ws.perform(&planned, b"ours\n").await.unwrap();
    assert_eq!(
        fs::read_to_string(place.outside.join("shared")).unwrap(),
        "theirs\n"
    );
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_nobody_waits_for_it() {
    let place = Place::repository();
    let ws = place.clone().await;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        ws.path().join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(ws.path().join("socket")).unwrap();
    for name in ["fifo", "socket"] {
        assert!(
            matches!(ws.read_file(name, LIMIT).await, Err(PathError::Special(_))),
            "{name}"
        );
        assert!(
            matches!(ws.plan_write(name, b"x").await, Err(PathError::Special(_))),
            "{name}"
        );
    }
    assert!(matches!(
        ws.read_file("src", LIMIT).await,
        Err(PathError::IsFolder(_))
    ));
    assert!(matches!(
        ws.plan_write("src", b"x").await,
        Err(PathError::IsFolder(_))
    ));
    assert!(matches!(
        ws.plan_write(".", b"x").await,
        Err(PathError::IsFolder(_))
    ));
    assert!(matches!(
        ws.read_file("nope", LIMIT).await,
        Err(PathError::NotFound(_))
    ));
    assert!(matches!(
        ws.read_file("README.md/x", LIMIT).await,
        Err(PathError::NotAFolder(_))
    ));
}

//! Damage of every kind: said in plain words, never repaired silently, never answered
//! with an empty home, and undone by a backup.

mod full_disk;
mod locks;
mod upgrade;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::support::{SOON, World, mend, one_command, text};

/// A home with a past: a run that is completed, one that waits for a person, and a
/// backup of both.
struct Past {
    world: World,
    done: String,
    asks: String,
    backup: String,
}

/// Half a megabyte that does not compress, as a command prints it.
const NOISE: &str = "head -c 400000 /dev/urandom | base64 -w 0";

impl Past {
    async fn new() -> Result<Self> {
        let world = World::new().await?;
        world.server.script("mend", mend());
        world.server.script("noise", one_command(NOISE));
        world.server.script("asks", one_command("touch asked.key"));
        let done = world.start("mend", &["--verify", "sh test.sh"]).await?;
        world.completed(&done).await?;
        let noise = world.start("noise", &["--policy", "hands-off"]).await?;
        world.completed(&noise).await?;
        let asks = world.start("asks", &[]).await?;
        world.review(&asks, "tool_call").await?;
        world.wait(&asks, &["waiting"]).await?;
        let backup = text(&world.json(&["backup"]).await?, "file")?;
        Ok(Self {
            world,
            done,
            asks,
            backup,
        })
    }

    /// Ends the daemon in good order, damages the home, and starts another.
    async fn damaged(mut self, damage: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        self.world.daemon.terminate().await?;
        damage(&self.world.daemon.home.path())?;
        self.world.daemon.launch().await?;
        Ok(self)
    }

    fn home(&self) -> PathBuf {
        self.world.daemon.home.path()
    }

    async fn mode(&self) -> Result<String> {
        text(&self.world.json(&["daemon", "status"]).await?, "mode")
    }

    /// What doctor finds wrong, in its own words. It must find something.
    async fn problems(&self) -> Result<String> {
        let out = self.world.cli(&["doctor", "--json"]).await?;
        ensure!(out.code == 1, "doctor is content: {out:?}");
        let report = out.json();
        assert_eq!(report["ok"], false);
        let findings = report["findings"].as_array().context("findings")?;
        let problems: Vec<String> = findings
            .iter()
            .filter(|f| f["level"] == "problem")
            .map(|f| format!("{}: {} → {}", f["area"], f["what"], f["advice"]))
            .collect();
        Ok(problems.join("\n"))
    }

    /// Everything but doctor, backup and restore is refused with words, and nothing of
    /// the store's files changes by being asked or started again.
    async fn only_maintenance_is_served(&mut self) -> Result<()> {
        let before = files(&self.home())?;
        assert_eq!(self.mode().await?, "maintenance");
        let project = self.world.project.path().display().to_string();
        let commands: [&[&str]; 5] = [
            &["runs"],
            &["show", &self.done],
            &["reviews"],
            &["cost"],
            &["run", "--project", &project, "--detach", "Do it."],
        ];
        for command in commands {
            let out = self.world.cli(&[command, &["--json"]].concat()).await?;
            let error = &out.json()["error"];
            assert_eq!(out.code, 4, "{out:?}");
            assert_eq!(error["code"], "maintenance");
            ensure!(text(error, "message")?.contains("maintenance mode"));
            let hint = text(error, "hint")?;
            ensure!(
                hint.contains("doctor") && hint.contains("restore"),
                "{hint}"
            );
        }
        let copy = self.world.json(&["backup"]).await?;
        ensure!(
            text(&copy, "warning")?.contains("cannot be opened"),
            "{copy:#}"
        );
        let folder = PathBuf::from(text(&copy, "file")?);
        for (name, bytes) in &before {
            ensure!(
                fs::read(folder.join(name)).ok().as_ref() == Some(bytes),
                "{name} is not in the copy"
            );
        }
        let restored = self.world.cli(&["restore", "/nonexistent"]).await?;
        assert_eq!(restored.code, 2, "{restored:?}");
        self.world.daemon.restart().await?;
        assert_eq!(
            self.mode().await?,
            "maintenance",
            "it is not mended by a restart"
        );
        ensure!(files(&self.home())? == before, "a file was changed");
        Ok(())
    }

    /// The backup brings everything back, and what was there is kept.
    async fn restored(mut self) -> Result<()> {
        let (before, mode) = (files(&self.home())?, self.mode().await?);
        let restored = self.world.json(&["restore", &self.backup]).await?;
        let kept = PathBuf::from(text(&restored, "kept")?);
        for (name, bytes) in &before {
            let found = fs::read(kept.join(name));
            // A store that was open is closed first, which writes its log into it.
            let closed = mode == "normal" && (found.is_ok() || name == "state.db-wal");
            ensure!(
                closed || found.ok().as_ref() == Some(bytes),
                "{name} was not kept in {}",
                kept.display()
            );
        }
        self.world.daemon.wait_exit(SOON).await?;
        self.world.daemon.launch().await?;
        assert_eq!(self.mode().await?, "normal");
        let done = self.world.json(&["show", &self.done]).await?;
        assert_eq!(done["state"], "completed");
        ensure!(text(&done, "result")?.contains("mended"), "{done:#}");
        let review = self.world.review(&self.asks, "tool_call").await?;
        self.world
            .cli(&["approve", &text(&review, "id")?])
            .await?
            .ok()?;
        self.world.completed(&self.asks).await?;
        let out = self.world.cli(&["doctor"]).await?;
        ensure!(out.code == 0, "{out:?}");
        Ok(())
    }
}

/// The store's own files, by name.
fn files(home: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for name in ["state.db", "state.db-wal", "anchor"] {
        match fs::read(home.join(name)) {
            Ok(bytes) => found.insert(name.to_owned(), bytes),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e.into()),
        };
    }
    Ok(found)
}

/// Changes a byte.
fn flip(file: &Path, at: usize) -> Result<()> {
    let file = fs::OpenOptions::new().read(true).write(true).open(file)?;
    let (mut byte, at) = ([0], at as u64);
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[byte[0] ^ 0x10], at)?;
    Ok(())
}

/// Where `needle` is in `file`.
fn places(file: &Path, needle: &[u8]) -> Result<Vec<usize>> {
    let bytes = fs::read(file)?;
    let found = bytes.windows(needle.len()).enumerate();
    Ok(found
        .filter(|(_, window)| *window == needle)
        .map(|(at, _)| at)
        .collect())
}

/// The hash of the newest event, as the anchor has it: 32 bytes at 56 of the slot
/// whose global position (8 bytes at 24) is the highest.
fn newest_hash(home: &Path) -> Result<Vec<u8>> {
    let anchor = fs::read(home.join("anchor"))?;
    let position = |slot: &[u8]| u64::from_le_bytes(slot[24..32].try_into().unwrap_or_default());
    let newest = anchor.chunks_exact(128).max_by_key(|slot| position(slot));
    Ok(newest.context("a slot")?[56..88].to_vec())
}

#[tokio::test]
async fn a_corrupted_page() -> Result<()> {
    let mut past = Past::new()
        .await?
        .damaged(|home| {
            // A page's header says what kind it is and where its cells are.
            let file = home.join("state.db");
            let pages = fs::metadata(&file)?.len() as usize / 8192;
            (1..pages.min(12)).try_for_each(|page| flip(&file, page * 8192 + 3))
        })
        .await?;
    past.only_maintenance_is_served().await?;
    let said = past.problems().await?;
    ensure!(said.contains("restore"), "{said}");
    past.restored().await
}

#[tokio::test]
async fn a_deleted_database_is_not_answered_with_an_empty_one() -> Result<()> {
    let mut past = Past::new()
        .await?
        .damaged(|home| Ok(fs::remove_file(home.join("state.db"))?))
        .await?;
    past.only_maintenance_is_served().await?;
    ensure!(!past.home().join("state.db").exists(), "a new one was made");
    let said = past.problems().await?;
    ensure!(
        said.contains("no store") && said.contains("missing"),
        "{said}"
    );
    past.restored().await
}

#[tokio::test]
async fn a_journal_that_lost_its_end() -> Result<()> {
    let mut past = Past::new().await?;
    // Killed, so that the newest events are only in the log.
    past.world.daemon.kill9()?;
    let log = fs::OpenOptions::new()
        .write(true)
        .open(past.home().join("state.db-wal"))?;
    log.set_len(log.metadata()?.len() - 5000)?;
    past.world.daemon.launch().await?;
    past.only_maintenance_is_served().await?;
    let said = past.problems().await?;
    ensure!(said.contains("the end of the journal is missing"), "{said}");
    past.restored().await
}

#[tokio::test]
async fn an_event_that_is_not_what_was_recorded() -> Result<()> {
    let mut past = Past::new()
        .await?
        .damaged(|home| {
            let (file, hash) = (home.join("state.db"), newest_hash(home)?);
            let places = places(&file, &hash)?;
            ensure!(!places.is_empty(), "the newest event is not to be found");
            places.into_iter().try_for_each(|at| flip(&file, at))
        })
        .await?;
    past.only_maintenance_is_served().await?;
    let said = past.problems().await?;
    ensure!(said.contains("journal"), "{said}");
    past.restored().await
}

#[tokio::test]
async fn an_anchor_that_cannot_be_read() -> Result<()> {
    let mut past = Past::new()
        .await?
        .damaged(|home| {
            let file = home.join("anchor");
            let slots = fs::metadata(&file)?.len() as usize / 128;
            (0..slots).try_for_each(|slot| flip(&file, slot * 128 + 60))
        })
        .await?;
    past.only_maintenance_is_served().await?;
    let said = past.problems().await?;
    ensure!(said.contains("anchor"), "{said}");
    past.restored().await
}

#[tokio::test]
async fn a_content_in_a_row_that_is_not_what_was_stored() -> Result<()> {
    let prompt = "Please do what is needed. [[script:mend]]";
    let past = Past::new()
        .await?
        .damaged(|home| {
            let (file, name) = (home.join("state.db"), blake3::hash(prompt.as_bytes()));
            let places = places(&file, name.as_bytes())?;
            ensure!(!places.is_empty(), "the prompt is not to be found");
            // Its words follow its name.
            places.into_iter().try_for_each(|at| flip(&file, at + 40))
        })
        .await?;
    // Contents are not all read at the start; whoever needs this one is told.
    let said = past.problems().await?;
    ensure!(said.contains("contents"), "{said}");
    ensure!(said.contains("restore"), "{said}");
    let shown = past.world.cli(&["show", &past.done, "--json"]).await?;
    ensure!(
        shown.code != 0 && shown.stdout.contains("doctor"),
        "{shown:?}"
    );
    past.restored().await
}

#[tokio::test]
async fn a_content_in_a_file_that_is_not_what_was_stored() -> Result<()> {
    let past = Past::new()
        .await?
        .damaged(|home| {
            let folders = fs::read_dir(home.join("blobs"))?.flatten();
            let files: Vec<PathBuf> = folders
                .flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten())
                .map(|file| file.path())
                .collect();
            ensure!(!files.is_empty(), "no content is in a file");
            files.iter().try_for_each(|file| flip(file, 5000))
        })
        .await?;
    let said = past.problems().await?;
    ensure!(said.contains("contents"), "{said}");
    past.restored().await
}

#[tokio::test]
async fn a_store_of_a_newer_longhaul_is_left_alone() -> Result<()> {
    let mut past = Past::new().await?;
    past.world.daemon.terminate().await?;
    let before = files(&past.home())?;
    past.world
        .daemon
        .env_once("LONGHAUL_SABOTAGE", "older_format");
    past.world.daemon.launch().await?;
    assert_eq!(past.mode().await?, "maintenance");
    let out = past.world.cli(&["runs", "--json"]).await?;
    assert_eq!(out.code, 4);
    let error = &out.json()["error"];
    ensure!(
        text(error, "message")?.contains("newer Longhaul"),
        "{out:?}"
    );
    ensure!(
        text(error, "hint")?.contains("Install the newer Longhaul"),
        "{out:?}"
    );
    let said = past.problems().await?;
    ensure!(said.contains("newer Longhaul"), "{said}");
    let refused = past.world.cli(&["restore", &past.backup]).await?;
    ensure!(
        refused.code == 2 && refused.stderr.contains("newer"),
        "{refused:?}"
    );
    past.world.daemon.terminate().await?;
    ensure!(files(&past.home())? == before, "a file was changed");
    past.world.daemon.launch().await?;
    assert_eq!(past.mode().await?, "normal");
    Ok(())
}

#[tokio::test]
async fn a_restore_under_a_healthy_daemon_waits_for_nobody_and_cuts_nobody() -> Result<()> {
    let past = Past::new().await?;
    let gate = past.world.server.hold("busy", 0);
    past.world.server.script("busy", one_command("true"));
    let busy = past.world.start("busy", &[]).await?;
    gate.arrived(SOON).await?;
    let out = past.world.cli(&["restore", &past.backup, "--json"]).await?;
    assert_eq!(out.code, 2, "{out:?}");
    let error = &out.json()["error"];
    ensure!(text(error, "hint")?.contains("pause --all"), "{out:?}");
    assert_eq!(past.mode().await?, "normal");
    gate.release();
    past.world.wait(&busy, &["waiting", "completed"]).await?;
    let wrong = past.world.daemon.home.place("wrong.db");
    fs::write(&wrong, "no database")?;
    let out = past
        .world
        .cli(&["restore", &wrong.display().to_string()])
        .await?;
    assert_eq!(out.code, 2, "{out:?}");
    assert_eq!(past.mode().await?, "normal", "nothing was stopped for it");
    past.restored().await
}

/// The names and levels of what doctor looked at, for a home without damage.
#[tokio::test]
async fn a_home_without_damage_passes() -> Result<()> {
    let past = Past::new().await?;
    let report: Value = past.world.json(&["doctor"]).await?;
    assert_eq!(report["ok"], true, "{report:#}");
    let again = past.world.cli(&["backup", &past.backup, "--json"]).await?;
    assert_eq!(
        again.code, 2,
        "an existing file is not written over: {again:?}"
    );
    Ok(())
}

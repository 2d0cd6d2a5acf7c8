//! The offline tour: what a newcomer sees first must work, and leave nothing behind.

use std::{fs, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::{
    TestHome,
    processes::{ProcessId, processes_of},
};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// The tour of a debug build on a busy machine.
const TOUR: Duration = Duration::from_secs(120);

#[tokio::test]
async fn the_tour_crashes_a_daemon_and_loses_nothing() -> Result<()> {
    let home = TestHome::new(env!("CARGO_BIN_EXE_longhaul"))?;
    let told = home
        .cli_within(&["rehearse", "--fast"], None, TOUR)
        .await?
        .ok()?;
    let text = &told.stdout;
    for words in [
        "simulated",
        "kill -9",
        "error: ",
        "Interrupted at step 5",
        "lines in RELEASE_NOTES.md: 1   starts in the journal: 1",
        "completed",
        "+    echo $(($1 + $2))",
    ] {
        ensure!(text.contains(words), "{words:?} is not said:\n{text}");
    }
    // On a machine too busy to be back in time, the command is over by then.
    ensure!(
        text.contains("still running; it goes on") || text.contains("it ended meanwhile"),
        "the briefing does not know of the command:\n{text}"
    );
    // In the agent's own hands and when the run is verified: output reaches the journal.
    let passed = text.matches("ok   add 2 3 = 5").count();
    ensure!(
        passed == 2,
        "the passing test is shown {passed} times:\n{text}"
    );
    ensure!(
        !text.contains('\x1b'),
        "colours without a terminal:\n{text}"
    );
    ensure!(told.stderr.is_empty(), "{}", told.stderr);
    nothing_left(&root_in(text)?)?;
    let own = fs::read_dir(home.path())?.count();
    ensure!(own == 0, "the user's own home was touched");
    Ok(())
}

#[tokio::test]
async fn the_tour_as_documents_is_one_a_chapter() -> Result<()> {
    let home = TestHome::new(env!("CARGO_BIN_EXE_longhaul"))?;
    let told = home
        .cli_within(&["rehearse", "--fast", "--json"], None, TOUR)
        .await?
        .ok()?;
    let chapters: Vec<Value> = told
        .stdout
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .with_context(|| told.stdout.clone())?;
    for (n, chapter) in chapters.iter().enumerate() {
        ensure!(
            chapter["chapter"] == n + 1 && chapter["simulated"] == true,
            "{chapter:#}"
        );
    }
    let fact = |name: &str| chapters.iter().find_map(|c| c["facts"].get(name).cloned());
    ensure!(fact("effects") == Some(1.into()), "{:?}", fact("effects"));
    let processes = fact("processes").context("processes")?;
    let alive: Vec<&Value> = processes
        .as_array()
        .into_iter()
        .flatten()
        .map(|process| &process["alive"])
        .collect();
    ensure!(alive == [false, true, true], "{processes}");
    let root = fact("home").context("a home")?;
    nothing_left(&PathBuf::from(root.as_str().context("a path")?))
}

#[tokio::test]
async fn a_tour_that_is_cut_off_leaves_nothing_either() -> Result<()> {
    let home = TestHome::new(env!("CARGO_BIN_EXE_longhaul"))?;
    let mut tour = home.command(&["rehearse"]).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(tour.stdout.take().context("its output")?).lines();
    let mut said = String::new();
    // By then a daemon runs.
    while !said.contains("added simulated") {
        let line = tokio::time::timeout(TOUR, lines.next_line()).await??;
        said.push_str(&line.with_context(|| format!("it ended:\n{said}"))?);
        said.push('\n');
    }
    let root = root_in(&said)?;
    ensure!(!processes_of(&root).is_empty(), "no daemon:\n{said}");
    let id = tour.id().and_then(ProcessId::of).context("it ended")?;
    id.terminate();
    while let Some(line) = tokio::time::timeout(TOUR, lines.next_line()).await?? {
        said.push_str(&line);
    }
    let status = tokio::time::timeout(TOUR, tour.wait()).await??;
    ensure!(status.code() == Some(8), "{status}:\n{said}");
    nothing_left(&root)
}

#[tokio::test]
async fn a_tour_that_fails_says_where_and_keeps_the_logs() -> Result<()> {
    let mut home = TestHome::new(env!("CARGO_BIN_EXE_longhaul"))?;
    let kept = home.place("kept");
    fs::create_dir(&kept)?;
    home.set_env("TMPDIR", &kept.display().to_string());
    // Without git there is no sample project.
    home.set_env("PATH", "/nowhere");
    let told = home.cli_within(&["rehearse", "--fast"], None, TOUR).await?;
    ensure!(told.code == 1, "{told:?}");
    ensure!(told.stderr.contains("failed in chapter 2"), "{told:?}");
    let folder = fs::read_dir(&kept)?.next().context("no logs")??.path();
    ensure!(
        told.stderr.contains(&folder.display().to_string()),
        "{told:?}"
    );
    ensure!(
        fs::read_dir(&folder)?.count() > 0,
        "no logs in {}",
        folder.display()
    );
    nothing_left(&root_in(&told.stdout)?)
}

/// The tour's throwaway home, as it says.
fn root_in(said: &str) -> Result<PathBuf> {
    let line = said.lines().find_map(|line| line.strip_prefix("home: "));
    Ok(line
        .with_context(|| format!("no home is named:\n{said}"))?
        .into())
}

fn nothing_left(root: &std::path::Path) -> Result<()> {
    ensure!(!root.exists(), "{} is still there", root.display());
    let left = processes_of(root);
    ensure!(left.is_empty(), "these run on: {left:?}");
    Ok(())
}

//! Conversations that outgrow the model's context.

use std::sync::Arc;

use domain::{Event, Preset, RunState};
use pricing::PriceBook;
use serde_json::{Value, json};
use testkit::model_server::{Fault, Script, Turn, Usage};

use crate::bench::{Bench, SystemClock, quick};

/// Every file's name is in its lines, so that what was sent can be told.
fn file(n: usize) -> String {
    format!("line of file {n}\n").repeat(200)
}

/// Reads one file after the other, then is done. A fixed script goes by the number of
/// answers that are sent back, and would begin anew where some are left out.
fn reader(files: usize) -> Script {
    Script::computed(move |view| {
        let all = view.body["messages"].to_string();
        let read = |n: &usize| all.contains(&format!("Now file {n}."));
        match (0..files).rev().find(read).map_or(0, |n| n + 1) {
            n if n < files => Turn::text(format!("Now file {n}."))
                .tool("read", json!({"path": format!("f{n}.txt")}))
                .usage(Usage::of(10, 10)),
            _ => Turn::text("Read them all."),
        }
    })
}

async fn small_window() -> Bench {
    let limits = json!({"models": [
        {"provider": "anthropic", "id": "claude-sonnet-5-5", "context_window": 12_000}]});
    let prices = PriceBook::bundled().with_overrides(&limits.to_string());
    Bench::priced(quick(), Arc::new(SystemClock), prices.unwrap()).await
}

fn texts(body: &Value) -> String {
    body["messages"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_longer_than_the_context_is_cut_between_steps_and_said() {
    let bench = small_window().await;
    let files = 24;
    bench.server.default_script("read", reader(files));
    let project = bench.project();
    for n in 0..files {
        project.write(&format!("f{n}.txt"), &file(n)).unwrap();
    }
    project.commit("files").unwrap();
    let mut task = bench.task(project.path(), "Read every file, the prompt said.");
    task.policy = Some(Preset::HandsOff);
    let run = bench.engine.start_run(task).await.unwrap();
    let run = bench.wait(run.id, |run| run.state().at_rest()).await;
    assert_eq!(
        run.state(),
        RunState::Completed,
        "{}",
        bench.story(run.id).await
    );
    let requests = bench.server.requests_of("read");
    let last = texts(&requests.last().unwrap().body);
    assert!(last.contains("the prompt said"), "the prompt is kept");
    assert!(last.contains("earlier messages of this conversation are left out"));
    assert!(last.contains(&format!("line of file {}", files - 1)));
    assert!(
        !last.contains("line of file 0\\n"),
        "the oldest are left out"
    );
    let longest = requests.iter().map(|r| texts(&r.body).len()).max().unwrap();
    assert!(longest < 60_000, "{longest} bytes were sent");
    let entries = bench.store.journal(run.id, 0, 1000).await.unwrap();
    let mut cuts = Vec::new();
    let mut noted = 0;
    for entry in &entries {
        match &entry.entry.event {
            Event::Noted { text } if text.contains("left out from here on") => noted += 1,
            Event::OpIntended {
                request: Some(request),
                ..
            } => cuts.push(request.sent_from),
            _ => {}
        }
    }
    assert!(cuts.is_sorted() && cuts[0] == 0, "{cuts:?}");
    let last_cut = *cuts.last().unwrap();
    assert!(last_cut > 0 && run.sent_from == last_cut, "{cuts:?}");
    cuts.dedup();
    assert_eq!(noted, cuts.len() - 1, "every cut is told once");
    assert!(cuts.len() < files / 2, "not a new beginning each: {cuts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_the_provider_finds_too_long_is_asked_again_with_less() {
    let bench = Bench::new().await;
    bench.server.default_script("read", reader(6));
    let project = bench.project();
    for n in 0..6 {
        project.write(&format!("f{n}.txt"), &file(n)).unwrap();
    }
    project.commit("files").unwrap();
    let mut task = bench.task(project.path(), "Read every file.");
    task.policy = Some(Preset::HandsOff);
    let hold = bench.server.hold("read", 6);
    let run = bench.engine.start_run(task).await.unwrap();
    hold.arrived(crate::bench::DEADLINE).await.unwrap();
    let message = "prompt is too long: 208310 tokens > 200000 maximum".to_owned();
    bench.server.inject(
        Fault::BadRequest {
            message: Some(message),
        },
        1,
    );
    hold.release();
    let run = bench.wait(run.id, |run| run.state().is_over()).await;
    assert_eq!(
        run.state(),
        RunState::Completed,
        "{}",
        bench.story(run.id).await
    );
    assert!(run.sent_from > 1, "{}", run.sent_from);
    let last = texts(&bench.server.requests_of("read").last().unwrap().body);
    assert!(last.contains("Read every file.") && last.contains("left out here"));
    assert!(!last.contains("line of file 0\\n") && last.contains("line of file 5"));
}

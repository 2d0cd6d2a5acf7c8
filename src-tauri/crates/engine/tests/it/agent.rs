//! An agent's turn: what it costs, what ends it, and that it can be gone on with.

use domain::{Answer, Figure, NanoUsd, OpState, Phase, Preset, Run, RunId, RunState};
use serde_json::{Value, json};
use store::LedgerFilter;

use crate::bench::Bench;

/// An answer as the agent tells it: `input` and `output` tokens of claude-opus-5-5
/// ($4 and $20 a million).
fn answered(id: &str, input: u64, output: u64) -> Value {
    json!({"do": "event", "line": {"type": "assistant", "parent_tool_use_id": null, "message": {
        "id": id, "model": "claude-opus-5-5", "role": "assistant", "content": [{"type": "text", "text": "Hm."}],
        "usage": {"input_tokens": input, "output_tokens": output}}}})
}

fn bash(command: &str) -> Value {
    json!({"do": "tool", "name": "Bash", "input": {"command": command}})
}

async fn start(bench: &Bench, turns: Value) -> RunId {
    bench.add_agent().await;
    let script = bench.folder.path().join("agent.json");
    std::fs::write(&script, json!({"turns": turns}).to_string()).unwrap();
    let project = bench.project();
    let prompt = format!("Do it. [[agent-script:{}]]", script.display());
    let mut task = bench.task(project.path(), &prompt);
    task.backend = Some("agent".to_owned());
    task.policy = Some(Preset::HandsOff);
    bench.engine.start_run(task).await.unwrap().id
}

fn runs_a_command(run: &Run) -> bool {
    run.open_ops
        .values()
        .any(|op| op.name == "Bash" && op.state == OpState::Started)
}

async fn figures(bench: &Bench, run: RunId) -> Vec<(Figure, Option<NanoUsd>)> {
    let filter = LedgerFilter {
        run: Some(run),
        ..LedgerFilter::default()
    };
    let rows = bench.store.ledger(&filter).await.unwrap();
    rows.into_iter().map(|row| (row.figure, row.cost)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_ended_when_the_budget_is_used_up() {
    let bench = Bench::new().await;
    let after = "sleep 600";
    // $4 + $2: more than the $5 there are.
    let steps = json!([answered("a", 1_000_000, 100_000), bash(after)]);
    let again = json!([{"do": "text", "text": "All done."}]);
    let turns = json!([{"steps": steps, "cost_usd": 5.5}, {"steps": again, "cost_usd": 0.5}]);
    let run = start(&bench, turns).await;
    let asked = bench
        .wait(run, |run| {
            run.state() == RunState::Waiting || run.state().is_over()
        })
        .await;
    let (id, review) = asked
        .reviews
        .iter()
        .next()
        .unwrap_or_else(|| panic!("{asked:?}"));
    assert_eq!(review.kind, domain::ReviewKind::Budget);
    assert!(asked.open_ops.is_empty(), "the turn is over");
    assert_eq!(asked.step, 1);
    let spent = figures(&bench, run).await;
    assert!(
        spent
            .iter()
            .all(|(_, cost)| *cost >= Some(NanoUsd(5_500_000_000))),
        "what it cost is booked: {spent:?}"
    );
    let more: Answer =
        serde_json::from_value(json!({"choice": "more", "by": "test", "at": 0})).unwrap();
    bench.engine.decide(*id, more).await.unwrap();
    let done = bench.wait(run, |run| run.state().is_over()).await;
    assert_eq!(
        done.state(),
        RunState::Completed,
        "{}",
        bench.story(run).await
    );
    assert_eq!(done.step, 2, "it went on with its session");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_turn_begins_when_the_budget_is_used_up() {
    let bench = Bench::new().await;
    let steps = json!([{"do": "text", "text": "Done."}]);
    let turns = json!([{"steps": steps, "cost_usd": 6.0}, {"steps": steps, "cost_usd": 6.0}]);
    let run = start(&bench, turns).await;
    let asked = bench.wait(run, |run| run.state().at_rest()).await;
    let review = asked.reviews.values().next().map(|review| review.kind);
    assert_eq!(review, Some(domain::ReviewKind::Budget), "{asked:?}");
    assert_eq!(asked.step, 1);
    assert_eq!(asked.spent.settled, NanoUsd(6_000_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_turn_is_booked_by_what_was_seen_of_it() {
    let bench = Bench::new().await;
    let steps = json!([answered("a", 100_000, 1_000), {"do": "die"}]);
    let run = start(&bench, json!([{"steps": steps}])).await;
    let dead = bench.wait(run, |run| run.state().at_rest()).await;
    assert_eq!(dead.phase, Phase::Interrupted);
    let booked = figures(&bench, run).await;
    let [(Figure::Unsettled, Some(cost))] = booked[..] else {
        panic!("{booked:?}")
    };
    assert!(cost >= NanoUsd(420_000_000), "$0.40 + $0.02: {cost}");
    assert_eq!(dead.spent.unsettled, cost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_ends_in_an_api_error_is_not_booked_for_less_than_was_seen() {
    let bench = Bench::new().await;
    let steps = json!([answered("a", 100_000, 1_000)]);
    let error = json!({"message": "API Error: 500", "status": 500});
    let run = start(&bench, json!([{"steps": steps, "error": error}])).await;
    let over = bench.wait(run, |run| run.state().at_rest()).await;
    let used = over.spent.settled + over.spent.unsettled;
    assert!(used >= NanoUsd(420_000_000), "{:?}", over.spent);
    assert_eq!(
        over.spent.settled,
        NanoUsd::ZERO,
        "it is not known for sure"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_ends_the_turn_at_the_next_boundary_and_resume_goes_on() {
    let bench = Bench::new().await;
    let go = bench.folder.path().join("go");
    let wait = format!(
        "while [ ! -e {} ]; do sleep 0.02; done; echo one >> made",
        go.display()
    );
    let steps = json!([
        bash(&wait),
        bash("echo two >> made"),
        {"do": "sleep", "ms": 60_000},
    ]);
    let again = json!([{"do": "text", "text": "All done."}]);
    let turns = json!([{"steps": steps}, {"steps": again, "result": "All done."}]);
    let run = start(&bench, turns).await;
    bench.wait(run, runs_a_command).await;
    bench.engine.pause(run, "test").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let now = bench.store.load(run).await.unwrap().unwrap();
    assert!(runs_a_command(&now), "its command is not cut off");
    std::fs::write(&go, "").unwrap();
    let paused = bench.wait(run, |run| run.open_ops.is_empty()).await;
    assert_eq!(paused.phase, Phase::Paused);
    bench
        .eventually(|| bench.keepers() == 0, "the agent is gone")
        .await;
    let ops = bench.store.ops(run, domain::OpId(1), 100).await.unwrap();
    let ended = ops
        .iter()
        .filter(|op| op.outcome == Some(domain::OpOutcome::Ok));
    assert_eq!(ended.filter(|op| op.name == "Bash").count(), 1);
    bench.engine.resume(run).await.unwrap();
    let done = bench.wait(run, |run| run.state().at_rest()).await;
    assert_eq!(
        done.state(),
        RunState::Completed,
        "{}",
        bench.story(run).await
    );
    let diff = bench.engine.diff(run).await.unwrap().text;
    assert_eq!(diff.matches("+one").count(), 1, "{diff}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_lives_on_when_the_engine_leaves() {
    let mut bench = Bench::new().await;
    let go = bench.folder.path().join("go");
    let wait = format!(
        "echo begun >> made; while [ ! -e {} ]; do sleep 0.02; done",
        go.display()
    );
    let steps = json!([bash(&wait), {"do": "text", "text": "All done."}]);
    let run = start(&bench, json!([{"steps": steps, "cost_usd": 0.01}])).await;
    bench.wait(run, runs_a_command).await;
    bench.restart(|| ()).await;
    std::fs::write(&go, "").unwrap();
    let done = bench.wait(run, |run| run.state().at_rest()).await;
    assert_eq!(
        done.state(),
        RunState::Completed,
        "{}",
        bench.story(run).await
    );
    assert_eq!(done.spent.settled, NanoUsd(10_000_000));
    let diff = bench.engine.diff(run).await.unwrap().text;
    assert_eq!(diff.matches("+begun").count(), 1, "{diff}");
}

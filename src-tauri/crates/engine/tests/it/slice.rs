//! The thin path, end to end.

use domain::{NanoUsd, OpOutcome, Phase, ReviewKind, RunState};
use serde_json::json;
use testkit::model_server::{Fault, Script, Turn, Usage};
use testkit::project::{CALC_BROKEN, CALC_FIXED};

use crate::bench::Bench;

fn fix_script() -> Script {
    Script::new()
        .turn(
            Turn::text("Let me look.")
                .tool("read", json!({"path": "calc.sh"}))
                .tool("shell", json!({"command": "sh test.sh"}))
                .usage(Usage::of(1_000, 50)),
        )
        .turn(
            Turn::text("Found it.")
                .tool("write", json!({"path": "calc.sh", "content": CALC_FIXED}))
                .usage(Usage::of(1_200, 80)),
        )
        .turn(Turn::text("Mended.").usage(Usage::of(1_500, 20)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_reads_edits_verifies_and_completes_at_the_servers_price() {
    let bench = Bench::new().await;
    bench.server.default_script("fix", fix_script());
    let project = bench.project();
    let mut task = bench.task(project.path(), "Mend the calculator.");
    task.verify = Some("sh test.sh".to_owned());
    let run = bench.engine.start_run(task).await.unwrap();
    let run = bench.wait(run.id, |run| run.state().at_rest()).await;
    assert_eq!(
        run.state(),
        RunState::Completed,
        "{}",
        bench.story(run.id).await
    );
    assert_eq!(run.step, 3);
    // Sonnet 5.5: $2 in, $10 out per million.
    assert_eq!(run.spent.settled, NanoUsd(3_700 * 2_000 + 150 * 10_000));
    assert_eq!(run.spent.requests, 3);
    assert_eq!(
        project.read("calc.sh").unwrap(),
        CALC_BROKEN,
        "the user's files are untouched"
    );
    let branch = bench.apply_as_branch(run.id).await;
    let landed = project
        .git(&["show", &format!("{branch}:calc.sh")])
        .unwrap();
    assert_eq!(landed.trim_end(), CALC_FIXED.trim_end());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flagged_command_waits_for_its_decision_and_a_cut_call_is_asked_again() {
    let bench = Bench::new().await;
    let script = Script::new()
        .turn(
            Turn::text("I would like to run this.")
                .tool("shell", json!({"command": "echo hello > made.key"}))
                .tool("list", json!({"path": "."}))
                .usage(Usage::of(100, 10))
                .fault(Fault::CutMid { after_events: 3 }, 1),
        )
        .turn(Turn::text("Done.").usage(Usage::of(100, 10)));
    bench.server.default_script("ask", script);
    let project = bench.project();
    let run = bench
        .engine
        .start_run(bench.task(project.path(), "Make a file."))
        .await
        .unwrap();
    let waiting = bench
        .wait(run.id, |run| {
            run.state() == RunState::Waiting && run.open_ops.len() == 1
        })
        .await;
    let review = waiting.reviews.values().next().unwrap().clone();
    assert_eq!(review.kind, ReviewKind::ToolCall);
    assert!(review.detail.contains("echo hello"));
    bench
        .eventually(
            || bench.engine.slots().1 == 0,
            "a run that only waits holds no slot",
        )
        .await;
    let answer = domain::Answer {
        choice: "approve".to_owned(),
        note: None,
        by: "test".to_owned(),
        at: waiting.last_at,
        max_cost: None,
        effective_at: None,
        edit: None,
    };
    bench
        .engine
        .decide(review.id, answer.clone())
        .await
        .unwrap();
    assert!(
        bench.engine.decide(review.id, answer).await.is_err(),
        "a decision is made once"
    );
    let run = bench
        .wait(run.id, |run| run.phase == Phase::Completed)
        .await;
    assert!(
        run.spent.unsettled > NanoUsd::ZERO,
        "the cut call may have been billed"
    );
    assert_eq!(run.spent.settled, NanoUsd(2 * (100 * 2_000 + 10 * 10_000)));
    let shells = bench.store.ops(run.id, domain::OpId(1), 100).await.unwrap();
    let shell = shells.iter().find(|op| op.name == "shell").unwrap();
    assert_eq!(shell.outcome, Some(OpOutcome::Ok));
    assert!(
        bench
            .engine
            .diff(run.id)
            .await
            .unwrap()
            .text
            .contains("made.key")
    );
}

//! What the UI's rooms ask for, of a home with a month of use behind it.

use domain::{NanoUsd, RunId, RunState};
use protocol::{
    Activity, ActivityRequest, BackendAdd, BackendChange, BlockKind, CostRequest,
    CostSeriesRequest, CostStack, ErrorCode, FoldersRequest, HealthRequest, LogLinesRequest,
    Moment, OpRequest, OpsWanted, ProbeRequest, ProjectRequest, ProjectsRequest, RehearsalRequest,
    RunsRequest, SettingChange, SettingsRequest, ShowRequest, StepsRequest,
};
use serde_json::json;

use super::calls::refused;
use super::fixture::{Plan, SetClock, long_run_id, seed};
use super::{InProcess, now, options, say};

/// A daemon on a home that was used.
pub(super) async fn used(plan: Plan) -> InProcess {
    let folder = tempfile::tempdir().unwrap();
    let home = options(&folder).paths.home;
    std::fs::create_dir_all(&home).unwrap();
    let clock = SetClock::at(now());
    let config = store::StoreConfig {
        home,
        clock: clock.clone(),
    };
    let store = store::Store::open(config).await.unwrap();
    seed(&store, &clock, now(), plan).await;
    store.close().await;
    InProcess::in_folder(folder).await
}

const SMALL: Plan = Plan {
    runs: 60,
    long: 400,
    reviews: 3,
    calls: 0,
    days: 30,
};

fn steps_of(run: RunId, from: u32, count: u32) -> StepsRequest {
    StepsRequest {
        run: run.to_string(),
        from,
        count,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_of_each_run_what_it_is_at() {
    let daemon = used(SMALL).await;
    let list = daemon.client().runs(RunsRequest::default()).await.unwrap();
    assert_eq!(list.runs.len(), 61);
    let of = |state: RunState, cause: &str| {
        let found = list
            .runs
            .iter()
            .find(|run| run.state == state && run.cause.as_deref().unwrap_or_default() == cause);
        found.unwrap_or_else(|| panic!("no run is {state} for '{cause}'"))
    };
    let limited = of(RunState::Waiting, "rate_limit");
    assert!(limited.until.is_some());
    assert!(
        limited
            .detail
            .as_deref()
            .unwrap()
            .contains("limit is reached")
    );
    let failed = of(RunState::Failed, "verify");
    assert!(failed.detail.as_deref().unwrap().contains("still fails"));
    let interrupted = of(RunState::Interrupted, "reboot");
    assert_eq!(interrupted.max_cost_usd, Some(NanoUsd::dollars(5)));
    assert_eq!(interrupted.max_duration_s, Some(4 * 3600));
    let asking = of(RunState::Waiting, "review");
    assert_eq!((asking.open_reviews, asking.tool_calls), (1, 2));
    assert_eq!(asking.answered_by.len(), 1);
    assert!(asking.heard_at >= asking.updated_at);
    assert!(!list.partial);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_is_all_that_is_read_again() {
    let daemon = used(SMALL).await;
    let client = daemon.client();
    let list = client.runs(RunsRequest::default()).await.unwrap();
    let since = |cursor: &str| RunsRequest {
        since: Some(cursor.to_owned()),
        state: Some(RunState::Queued),
        ..RunsRequest::default()
    };
    let none = client.runs(since(&list.cursor)).await.unwrap();
    assert!(none.runs.is_empty());
    let paused = list.runs.iter().find(|run| run.state == RunState::Paused);
    let changed = paused.unwrap().id;
    say(daemon.store(), changed, "Look at the tests, too.").await;
    let some = client.runs(since(&none.cursor)).await.unwrap();
    let ids: Vec<RunId> = some.runs.iter().map(|run| run.id).collect();
    assert_eq!(ids, [changed], "whatever state it is in");
    assert!(
        client
            .runs(since(&some.cursor))
            .await
            .unwrap()
            .runs
            .is_empty()
    );
    let unknown = "01990000-0000-7000-8000-000000000001.4";
    let error = refused(client.runs(since(unknown)).await);
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_found_by_words_in_title_prompt_and_what_was_said() {
    let daemon = used(SMALL).await;
    let find = async |text: &str| {
        let request = RunsRequest {
            text: Some(text.to_owned()),
            ..RunsRequest::default()
        };
        daemon.client().runs(request).await.unwrap().runs
    };
    assert_eq!(find("MEMORY leak watcher").await.len(), 10, "in titles");
    assert_eq!(
        find("task 7 of this").await.len(),
        6 + 1,
        "7, 17, 27, 37, 47, 57 and the long one"
    );
    let said = find("part 30 of the code").await;
    assert!(
        said.iter().any(|run| run.id == long_run_id()),
        "said in step 30"
    );
    assert!(find("nobody ever said this").await.is_empty());
    assert!(
        find("%").await.is_empty(),
        "no word has a meaning of its own"
    );
    let request = RunsRequest {
        text: Some("parser".to_owned()),
        limit: Some(2),
        ..RunsRequest::default()
    };
    assert_eq!(daemon.client().runs(request).await.unwrap().runs.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_read_step_by_step() {
    let daemon = used(SMALL).await;
    let client = daemon.client();
    let page = client.steps(steps_of(long_run_id(), 0, 3)).await.unwrap();
    assert_eq!(page.total, 36);
    let numbers: Vec<u32> = page.steps.iter().map(|step| step.step).collect();
    assert_eq!(numbers, [0, 1, 2]);
    let (before, first) = (&page.steps[0], &page.steps[1]);
    assert_eq!(before.entries[0].seq, 1);
    assert!(before.ops.is_empty() && !before.truncated);
    assert_eq!(first.ops.len(), 3);
    assert_eq!(first.entries.len(), 11);
    assert_eq!(first.ended_at, Some(page.steps[2].at));
    let seqs: Vec<u64> = page
        .steps
        .iter()
        .flat_map(|s| s.entries.iter().map(|e| e.seq))
        .collect();
    assert!(
        seqs.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "nothing is left out"
    );
    let last = client.steps(steps_of(long_run_id(), 36, 50)).await.unwrap();
    assert_eq!(last.steps.len(), 1);
    let end = last.steps[0].entries.last().unwrap();
    assert_eq!(end.seq, last.head_seq);
    assert!(
        client
            .steps(steps_of(long_run_id(), 37, 50))
            .await
            .unwrap()
            .steps
            .is_empty()
    );
    let nobody = StepsRequest {
        run: "ffff".to_owned(),
        from: 0,
        count: 1,
    };
    assert_eq!(
        refused(client.steps(nobody).await).code,
        ErrorCode::NotFound
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_operation_is_shown_in_full() {
    let daemon = used(SMALL).await;
    let client = daemon.client();
    let op = |op: u32| OpRequest {
        run: long_run_id().to_string(),
        op,
    };
    let asked = client.op(op(1)).await.unwrap();
    let kinds: Vec<BlockKind> = asked.blocks.iter().map(|block| block.kind).collect();
    assert_eq!(
        kinds,
        [BlockKind::Text, BlockKind::ToolUse, BlockKind::ToolUse]
    );
    assert!(asked.blocks[0].text.starts_with("Step 1:"));
    let read = client.op(op(2)).await.unwrap();
    assert_eq!(read.arguments, "{\n  \"path\": \"src/part_2.rs\"\n}");
    assert!(read.result.unwrap().contains("part_2"));
    assert_eq!(read.rule, "reading is allowed");
    assert_eq!(
        refused(client.op(op(9_999)).await).code,
        ErrorCode::NotFound
    );
    let shown = client.show(ShowRequest {
        run: long_run_id().to_string(),
        ops: OpsWanted::None,
    });
    let shown = shown.await.unwrap();
    assert!(shown.ops.is_empty() && shown.checkpoints.is_empty());
    assert_eq!(shown.steps, 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_busy_a_run_was_adds_up() {
    let daemon = used(SMALL).await;
    let request = ActivityRequest {
        run: long_run_id().to_string(),
        buckets: 24,
        seconds: 2 * 3600,
    };
    let Activity {
        events,
        tokens,
        bucket_s,
        ..
    } = daemon.client().activity(request).await.unwrap();
    assert_eq!((events.len(), tokens.len(), bucket_s), (24, 24, 300.0));
    assert_eq!(
        events.iter().sum::<u32>(),
        4 + 36 * 11 + 1,
        "all were in the last two hours"
    );
    assert!(tokens.iter().sum::<u64>() > 36 * 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charts_columns_add_up_to_the_costs() {
    let daemon = used(SMALL).await;
    let client = daemon.client();
    let (until, since) = (now(), now().plus_ms(-31 * 86_400_000));
    let report = client.cost(CostRequest::default()).await.unwrap();
    for stack in [CostStack::Model, CostStack::Backend, CostStack::Project] {
        let request = CostSeriesRequest {
            since: Moment(since),
            until: Moment(until),
            stack,
            offset_min: 120,
        };
        let series = client.cost_series(request).await.unwrap();
        assert!((32..=33).contains(&series.days.len()), "{:?}", series.days);
        assert_eq!(series.keys.len(), series.values.len());
        let sum: NanoUsd = series.values.iter().flatten().copied().sum();
        assert_eq!(sum, report.total.cost_usd, "{stack:?}");
        let unsettled: NanoUsd = series.unsettled.iter().copied().sum();
        assert_eq!(unsettled, report.total.unsettled_cost_usd);
    }
    let wrong = CostSeriesRequest {
        since: Moment(until),
        until: Moment(since),
        stack: CostStack::Model,
        offset_min: 0,
    };
    assert_eq!(
        refused(client.cost_series(wrong).await).code,
        ErrorCode::Usage
    );
    let half = CostRequest {
        until: Some(Moment(now().plus_ms(-15 * 86_400_000))),
        ..CostRequest::default()
    };
    let half = client.cost(half).await.unwrap().total;
    assert!(half.cost_usd > NanoUsd::ZERO && half.cost_usd < report.total.cost_usd);
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_those_that_were_used_and_any_folder_is_looked_at() {
    let daemon = used(SMALL).await;
    let client = daemon.client();
    let used = client.projects(ProjectsRequest {}).await.unwrap().projects;
    assert_eq!(used.len(), 4);
    assert_eq!(used.iter().map(|project| project.runs).sum::<u32>(), 61);
    let folder = tempfile::tempdir().unwrap();
    let project = testkit::SampleProject::calc(folder.path().join("calc")).unwrap();
    project.write("AGENTS.md", "Be kind.").unwrap();
    let look = async |path: &std::path::Path| {
        let path = path.display().to_string();
        client.project(ProjectRequest { path }).await.unwrap()
    };
    let facts = look(project.path()).await;
    assert!(facts.exists && facts.git && facts.branch.is_some());
    assert_eq!(facts.uncommitted, 1);
    assert_eq!(facts.verify_guesses, ["sh test.sh"]);
    assert_eq!(facts.instructions, ["AGENTS.md"]);
    assert!(facts.note.unwrap().contains("in no commit"));
    assert!(!look(&folder.path().join("nothing")).await.exists);
    let list = FoldersRequest {
        path: Some(folder.path().display().to_string()),
    };
    let list = client.folders(list).await.unwrap();
    assert_eq!((list.folders.len(), list.folders[0].git), (1, true));
    let relative = FoldersRequest {
        path: Some("code".to_owned()),
    };
    assert_eq!(
        refused(client.folders(relative).await).code,
        ErrorCode::Usage
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_is_in_force_at_once_and_in_the_file() {
    let daemon = InProcess::new().await;
    let client = daemon.client();
    let file = daemon.options.paths.config();
    std::fs::write(&file, "# of mine\nslots = 2 # two\n").unwrap();
    let change = |name: &str, value: serde_json::Value| SettingChange {
        name: name.to_owned(),
        value,
    };
    let slots = client.setting(change("slots", json!(9))).await.unwrap();
    assert_eq!((slots.value, slots.default), (json!(9), json!(4)));
    assert_eq!(daemon.api.working().unwrap().engine.slots().0, 9);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "# of mine\nslots = 9 # two\n"
    );
    let list = client.settings(SettingsRequest {}).await.unwrap().settings;
    let now = list.iter().find(|s| s.name == "slots").unwrap();
    assert_eq!(now.value, json!(9));
    assert!(list.iter().all(|setting| !setting.restart));
    client.setting(change("slots", json!(null))).await.unwrap();
    assert_eq!(daemon.api.working().unwrap().engine.slots().0, 4);
    for (name, value, code) in [
        ("slots", json!(0), ErrorCode::Usage),
        ("max_cost_usd", json!("a lot"), ErrorCode::Usage),
        ("colour", json!("blue"), ErrorCode::NotFound),
    ] {
        assert_eq!(
            refused(client.setting(change(name, value)).await).code,
            code,
            "{name}"
        );
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# of mine\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_is_tried_before_it_is_kept_and_changed_afterwards() {
    let daemon = InProcess::new().await;
    let client = daemon.client();
    let server = testkit::ModelServer::start().await.unwrap();
    let probe = |url: String| ProbeRequest {
        kind: domain::BackendKind::Anthropic,
        base_url: Some(url),
        model: None,
        key: Some(protocol::KeySource::Keychain {
            key: protocol::KeyText("test-key-not-real".to_owned()),
        }),
        command: None,
    };
    let tried = client.probe(probe(server.url())).await.unwrap();
    assert!(tried.ok, "{:?}", tried.checks);
    let nobody = client.probe(probe("http://127.0.0.1:1".to_owned())).await;
    let nobody = nobody.unwrap();
    assert!(!nobody.ok && !format!("{nobody:?}").contains("not-real"));
    let none = client.backend_list(protocol::BackendListRequest {}).await;
    assert!(none.unwrap().backends.is_empty(), "a try keeps nothing");
    let add = BackendAdd {
        name: "main".to_owned(),
        kind: domain::BackendKind::Anthropic,
        base_url: Some(server.url()),
        model: None,
        command: None,
        free: false,
        key: None,
    };
    client.backend_add(add).await.unwrap();
    let change = BackendChange {
        name: "main".to_owned(),
        model: Some("claude-haiku-5".to_owned()),
        base_url: None,
        free: Some(true),
    };
    let changed = client.backend_change(change).await.unwrap();
    assert_eq!(
        (changed.model.as_deref(), changed.free),
        (Some("claude-haiku-5"), true)
    );
    assert_eq!(changed.base_url, Some(server.url()));
    let key = protocol::BackendKey {
        name: "main".to_owned(),
        key: Some(protocol::KeySource::Env {
            var: "LONGHAUL_TEST_KEY".to_owned(),
        }),
    };
    let changed = client.backend_key(key).await.unwrap();
    assert!(matches!(changed.key, protocol::KeyView::Env { .. }));
    let gone = protocol::BackendKey {
        name: "main".to_owned(),
        key: None,
    };
    assert_eq!(
        client.backend_key(gone).await.unwrap().key,
        protocol::KeyView::None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_what_takes_space_and_what_lives() {
    let daemon = used(SMALL).await;
    let client = daemon.client();
    daemon.store().backup(None).await.unwrap();
    let health = client.health(HealthRequest {}).await.unwrap();
    let journal = health.disk.iter().find(|use_| use_.what == "journal");
    assert!(journal.unwrap().bytes > 100_000);
    assert!(health.free_bytes > 0);
    assert!(health.workspaces.is_none(), "nobody waits for measuring");
    let working = daemon.api.working().unwrap();
    working.engine.tidy_up().await.unwrap();
    let health_then = client.health(HealthRequest {}).await.unwrap();
    let workspaces = health_then.workspaces.unwrap();
    assert_eq!(workspaces.budget_bytes, 50 << 30);
    assert!(
        workspaces.words.contains("of 50.0 GiB"),
        "{}",
        workspaces.words
    );
    assert_eq!(health.backups.len(), 1);
    assert!(health.live.iter().any(|run| run.run == long_run_id()));
    assert!(!health.service.installed && !health.service.words.is_empty());
    assert!(health.daemon.cursor.is_some());
    let found = client.agents_found(protocol::AgentsFoundRequest {}).await;
    assert!(
        found
            .unwrap()
            .agents
            .iter()
            .any(|agent| agent.name == "Claude Code")
    );
    let logs = LogLinesRequest {
        limit: 5,
        level: Some("loud".to_owned()),
    };
    assert_eq!(refused(client.log_lines(logs).await).code, ErrorCode::Usage);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tour_is_a_simulated_run_that_costs_nothing() {
    let daemon = InProcess::new().await;
    let client = daemon.client();
    let begun = client.rehearsal(RehearsalRequest {}).await.unwrap();
    let run = client.show(ShowRequest {
        run: begun.run.to_string(),
        ops: OpsWanted::None,
    });
    let run = run.await.unwrap();
    assert!(run.simulated);
    assert_eq!(
        (run.backend, run.project),
        (begun.backend, begun.project.clone())
    );
    assert!(std::path::Path::new(&begun.project).starts_with(&daemon.options.paths.home));
    let list = client.backend_list(protocol::BackendListRequest {}).await;
    let backend = &list.unwrap().backends[0];
    assert!(backend.simulated && backend.free);
    let second = client.rehearsal(RehearsalRequest {}).await.unwrap();
    assert_ne!(second.project, begun.project);
    daemon
        .api
        .working()
        .unwrap()
        .engine
        .leave(super::SOON)
        .await;
}

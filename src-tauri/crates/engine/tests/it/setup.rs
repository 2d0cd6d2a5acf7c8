//! A project's setup command and what comes into its workspaces.

use domain::{FailCause, OpKind, OpState, Phase};
use engine::{Along, BringPath, ProjectSettings, Projects, Settings, Uncommitted};
use testkit::model_server::{Script, Turn};

use crate::bench::{Bench, quick};

const DONE: &str = "done";

/// A bench whose project is set up so.
async fn bench(set: ProjectSettings) -> Bench {
    let bench = Bench::new().await;
    bench
        .server
        .default_script(DONE, Script::new().after(Turn::text("Done.")));
    bench.engine.change_settings(settings(&bench, set));
    bench
}

fn settings(bench: &Bench, set: ProjectSettings) -> Settings {
    Settings {
        projects: Projects::from([(bench.folder.path().join("project"), set)]),
        ..quick()
    }
}

fn setup(command: &str) -> ProjectSettings {
    ProjectSettings {
        setup: Some(command.to_owned()),
        ..ProjectSettings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_set_up_once_before_the_first_step() {
    let set = ProjectSettings {
        along: Along {
            uncommitted: Uncommitted::ComeAlong,
            bring: vec![BringPath::try_from(".env".to_owned()).unwrap()],
            copy_limit: None,
            base: None,
        },
        ..setup("cat .env mine.txt > ready.txt; echo \"$PWD\"")
    };
    let bench = bench(set).await;
    let project = bench.project();
    std::fs::write(project.path().join(".gitignore"), ".env\n").unwrap();
    std::fs::write(project.path().join(".env"), "KEY=test-key-not-real\n").unwrap();
    std::fs::write(project.path().join("mine.txt"), "not committed\n").unwrap();
    let task = bench.task(project.path(), "Do it.");
    let run = bench.engine.start_run(task).await.unwrap().id;
    let done = bench.wait(run, |run| run.state().is_over()).await;
    assert_eq!(done.phase, Phase::Completed, "{}", bench.story(run).await);
    let path = std::path::PathBuf::from(done.workspace.unwrap().path);
    assert_eq!(
        std::fs::read_to_string(path.join("ready.txt")).unwrap(),
        "KEY=test-key-not-real\nnot committed\n"
    );
    let ops = bench.store.ops(run, domain::OpId(1), 100).await.unwrap();
    let kinds: Vec<_> = ops.iter().map(|op| op.kind).collect();
    assert_eq!(kinds, [OpKind::Setup, OpKind::Model], "first, and once");
    assert_eq!(ops[0].state, OpState::Finished);
    assert_eq!(bench.keepers(), 0, "its keeper's folder is collected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_setup_fails_the_run_with_its_output_and_a_resume_tries_again() {
    let bench = bench(setup("echo the registry is down; exit 3")).await;
    let project = bench.project();
    let task = bench.task(project.path(), "Do it.");
    let run = bench.engine.start_run(task).await.unwrap().id;
    let failed = bench.wait(run, |run| run.state().is_over()).await;
    let failure = failed.failure.unwrap();
    assert_eq!(failure.cause, FailCause::Workspace);
    assert!(
        failure.message.contains("the registry is down") && failure.message.contains("resume"),
        "{}",
        failure.message
    );
    assert!(failed.workspace.is_none(), "it was never ready");
    assert!(
        bench.server.requests_of(DONE).is_empty(),
        "nothing was asked"
    );

    bench
        .engine
        .change_settings(settings(&bench, setup("true")));
    bench.engine.resume(run).await.unwrap();
    let done = bench.wait(run, |run| run.phase == Phase::Completed).await;
    assert!(done.workspace.is_some());
    assert_eq!(bench.server.requests_of(DONE).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_that_takes_its_keeper_with_it_is_tried_thrice() {
    let bench = bench(ProjectSettings::default()).await;
    // From inside a sandbox the keeper is out of reach.
    let mut open = settings(&bench, setup("sleep 0.2; kill -9 $PPID"));
    open.confinement.wanted = engine::UseSandbox::Off;
    bench.engine.change_settings(open);
    let project = bench.project();
    let task = bench.task(project.path(), "Do it.");
    let run = bench.engine.start_run(task).await.unwrap().id;
    let failed = bench.wait(run, |run| run.state().is_over()).await;
    let message = failed.failure.unwrap().message;
    assert!(
        message.contains("setup command was begun 3 times"),
        "{message}"
    );
}

//! A key that is replaced: who waits for it goes on by itself, and nobody sees it.

use client::StreamItem;
use domain::{BackendKind, RunId, RunState};
use protocol::{BackendAdd, BackendKey, KeySource, OpsWanted, RunRequest, RunView, ShowRequest};
use testkit::model_server::{Script, Turn};
use testkit::{ModelServer, SampleProject};

use super::{InProcess, SOON};

fn printed(key: &str) -> Option<KeySource> {
    Some(KeySource::Command {
        command: format!("printf '%s' {key}"),
    })
}

/// The run once it is as wanted.
async fn until(daemon: &InProcess, run: RunId, wanted: impl Fn(&RunView) -> bool) -> RunView {
    let client = daemon.client();
    let mut stream = client.events(None, Some(run));
    stream.open().await.unwrap();
    let arrived = async {
        loop {
            let ask = ShowRequest {
                run: run.to_string(),
                ops: OpsWanted::None,
            };
            let shown = client.show(ask).await.unwrap();
            if wanted(&shown) {
                return shown;
            }
            while !matches!(stream.next().await.unwrap(), StreamItem::Event(_)) {}
        }
    };
    tokio::time::timeout(SOON, arrived).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_its_key_goes_on_when_it_is_replaced() {
    let daemon = InProcess::new().await;
    let client = daemon.client();
    let server = ModelServer::start().await.unwrap();
    server.default_script("keys", Script::new().turn(Turn::text("Done.")));
    server.set_valid_key(Some("right-key-not-real"));
    let project = SampleProject::calc(daemon.folder.path().join("calc")).unwrap();
    let add = BackendAdd {
        name: "main".to_owned(),
        kind: BackendKind::Anthropic,
        base_url: Some(server.url()),
        model: None,
        command: None,
        free: true,
        key: printed("wrong-key-not-real"),
    };
    client.backend_add(add).await.unwrap();
    let request = RunRequest {
        prompt: "Say that it is done.".to_owned(),
        project: project.path().display().to_string(),
        ..RunRequest::default()
    };
    let run = client.start_run(request).await.unwrap().id;
    let waiting = until(&daemon, run, |run| run.cause.as_deref() == Some("auth")).await;
    assert_eq!(waiting.state, RunState::Waiting);
    assert!(!format!("{waiting:?}").contains("wrong-key"));
    let key = BackendKey {
        name: "main".to_owned(),
        key: printed("right-key-not-real"),
    };
    client.backend_key(key).await.unwrap();
    let done = until(&daemon, run, |run| run.state.is_over()).await;
    assert_eq!(done.state, RunState::Completed, "{:?}", done.detail);
    assert!(done.reviews.is_empty(), "nobody is asked any more");
    daemon.api.working().unwrap().engine.leave(SOON).await;
}

//! Model servers on this machine, as backends.

use protocol::{BackendAdd, ErrorCode};

use super::InProcess;
use super::calls::refused;

#[tokio::test(flavor = "multi_thread")]
async fn servers_on_this_machine_are_found_where_they_usually_are() {
    let daemon = InProcess::new().await;
    let client = daemon.client();
    let server = testkit::ModelServer::start().await.unwrap();
    let port = server.address().port();
    let add = BackendAdd {
        name: "local".to_owned(),
        kind: domain::BackendKind::OpenAi,
        base_url: Some(format!("http://localhost:{port}")),
        model: Some("scripted-1".to_owned()),
        command: None,
        free: false,
        key: None,
    };
    let keyless = client.backend_add(add.clone()).await.unwrap();
    assert_eq!(keyless.promises.len(), 5);
    let unnamed = BackendAdd {
        model: None,
        ..add.clone()
    };
    assert_eq!(
        refused(client.backend_add(unnamed).await).code,
        ErrorCode::Usage
    );
    let away = BackendAdd {
        base_url: Some("https://example.invalid/v1".to_owned()),
        ..add
    };
    let words = refused(
        client
            .backend_add(BackendAdd {
                name: "away".to_owned(),
                ..away
            })
            .await,
    );
    assert!(words.message.contains("needs a key"), "{}", words.message);
    // A port of a server that is gone, and one of something else.
    let gone = testkit::ModelServer::start()
        .await
        .unwrap()
        .address()
        .port();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let places = [
        ("Gone", gone),
        ("Here", port),
        ("Mute", other.local_addr().unwrap().port()),
    ];
    let working = daemon.api.working().unwrap();
    let config = working.engine.backend("local").await.unwrap();
    let found = crate::handlers::servers::look(working, &[config], &places).await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].name.as_str(), found[0].added_as.as_slice()),
        ("Here", &["local".to_owned()][..])
    );
    assert!(found[0].models.iter().any(|model| model == "gpt-5.4"));
}

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use protocol::{ErrorCode, VersionRequest};
use tokio::net::UnixListener;

use crate::sse::Parser;
use crate::{Client, ClientError, Opened, Paths, RawItem, StreamItem, newer, paths};

const RUN: &str = "01990000-0000-7000-8000-000000000001";

fn frame(n: u64) -> String {
    let entry = format!(
        r#"{{"seq":{n},"at":"2026-11-21T04:17:02.000Z","event":{{"kind":"budget_warned"}}}}"#
    );
    format!("id: s.{n}\ndata: {{\"cursor\":\"s.{n}\",\"run\":\"{RUN}\",\"entry\":{entry}}}\n\n")
}

/// A daemon that answers each connection to `events` with the next of its scripted
/// bodies, and writes down from where it was asked.
#[derive(Clone, Default)]
struct Fake {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn events(
    State(fake): State<Fake>,
    Query(query): Query<std::collections::BTreeMap<String, String>>,
) -> Response {
    let after = query.get("after").cloned().unwrap_or_default();
    fake.asked
        .lock()
        .expect("no test panics holding it")
        .push(after);
    let next = fake
        .answers
        .lock()
        .expect("no test panics holding it")
        .pop_front();
    let (status, body) = next.unwrap_or((503, String::new()));
    let status = axum::http::StatusCode::from_u16(status).expect("a status");
    (status, body).into_response()
}

fn serve(folder: &Path, answers: &[(u16, String)]) -> (Fake, PathBuf) {
    let fake = Fake::default();
    fake.answers
        .lock()
        .expect("fresh")
        .extend(answers.iter().cloned());
    let socket = folder.join("s.sock");
    let listener = UnixListener::bind(&socket).expect("the folder is fresh");
    let refuse = || async {
        let body = r#"{"error":{"code":"maintenance","message":"no","hint":"restore"}}"#;
        (axum::http::StatusCode::SERVICE_UNAVAILABLE, body)
    };
    let app = Router::new()
        .route("/v1/events", get(events))
        .route("/v1/version", post(refuse))
        .with_state(fake.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (fake, socket)
}

async fn seqs(client: &Client, count: usize) -> Vec<u64> {
    let mut stream = client.events(None, None);
    let mut seen = Vec::new();
    while seen.len() < count {
        if let StreamItem::Event(frame) = stream.next().await.expect("the daemon is back") {
            seen.push(frame.entry.seq);
        }
    }
    seen
}

#[tokio::test]
async fn a_cut_stream_continues_after_the_last_event_seen() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The first connection ends in the middle of an event.
    let half = &frame(3)[..20];
    let answers = [
        (200, format!("{}{}{half}", frame(1), frame(2))),
        (200, format!("{}{}", frame(3), frame(4))),
    ];
    let (fake, socket) = serve(folder.path(), &answers);
    assert_eq!(seqs(&Client::connect(socket), 4).await, [1, 2, 3, 4]);
    assert_eq!(
        *fake.asked.lock().expect("no test panics holding it"),
        ["", "s.2"]
    );
}

#[tokio::test]
async fn the_first_cursor_is_kept_even_when_nothing_happens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hello = "event: hello\ndata: {\"cursor\":\"s.9\"}\n\n".to_owned();
    let (fake, socket) = serve(folder.path(), &[(200, hello), (200, frame(10))]);
    assert_eq!(seqs(&Client::connect(socket), 1).await, [10]);
    assert_eq!(
        *fake.asked.lock().expect("no test panics holding it"),
        ["", "s.9"]
    );
}

#[tokio::test]
async fn an_unknown_cursor_resyncs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_, socket) = serve(folder.path(), &[(410, String::new()), (200, frame(1))]);
    let mut stream = Client::connect(socket).events(Some("old.7".into()), None);
    assert_eq!(stream.next().await.expect("an item"), StreamItem::Resync);
    assert!(matches!(
        stream.next().await.expect("an item"),
        StreamItem::Event(_)
    ));
}

#[tokio::test]
async fn a_raw_stream_hands_documents_through_with_their_cursor() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hello = "event: hello\ndata: {\"cursor\":\"s.9\"}\n\n".to_owned();
    let delta = "event: delta\ndata: {\"run\":\"x\"}\n\n";
    let (_, socket) = serve(
        folder.path(),
        &[
            (410, String::new()),
            (200, format!("{hello}{}{delta}", frame(10))),
        ],
    );
    let client = Client::connect(socket);
    let unknown = client.raw_events(Some("old.7"), None).await;
    assert!(matches!(unknown, Ok(Opened::UnknownCursor)));
    let Ok(Opened::Stream(mut stream)) = client.raw_events(None, None).await else {
        panic!("it opens");
    };
    assert_eq!(
        stream.next().await,
        Some(RawItem::Hello(r#"{"cursor":"s.9"}"#.into()))
    );
    let Some(RawItem::Event { cursor, data }) = stream.next().await else {
        panic!("an event follows");
    };
    assert_eq!(cursor, "s.10");
    assert!(frame(10).contains(&data));
    assert_eq!(
        stream.next().await,
        Some(RawItem::Delta(r#"{"run":"x"}"#.into()))
    );
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn what_is_no_endpoint_is_never_sent() {
    let client = Client::connect("/nonexistent/longhaul.sock");
    let error = client.call_raw("../events", Vec::new()).await;
    assert!(matches!(error, Err(ClientError::Garbled(_))));
    let error = client.call_raw("version", b"{}".to_vec()).await;
    assert!(matches!(error, Err(ClientError::Unreachable { .. })));
}

#[tokio::test]
async fn the_daemons_words_arrive() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_, socket) = serve(folder.path(), &[]);
    let error = Client::connect(socket)
        .version(VersionRequest {})
        .await
        .expect_err("it refuses");
    assert!(matches!(error, ClientError::Refused(e) if e.code == ErrorCode::Maintenance));
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let client = Client::connect("/nonexistent/longhaul.sock");
    let error = client
        .version(VersionRequest {})
        .await
        .expect_err("nobody is there");
    assert_eq!(error.to_api().code, ErrorCode::Unreachable);
}

#[test]
fn messages_are_found_however_the_bytes_are_cut() {
    let text = format!(":\n\nevent: delta\ndata: a\ndata: b\n\n{}", frame(1));
    for size in 1..text.len() {
        let (mut parser, mut found) = (Parser::default(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            parser.push(piece);
            while let Some(message) = parser.next() {
                found.push(message);
            }
        }
        assert_eq!(found.len(), 2, "in pieces of {size}");
        assert_eq!(found[0].data, "a\nb");
    }
}

fn find(vars: &[(&str, &str)]) -> Result<Paths, String> {
    let var = |name: &str| {
        vars.iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| OsString::from(v))
    };
    Paths::find(var, 1000, Path::new("/nonexistent"))
}

#[test]
fn the_home_is_the_environments_or_the_platforms() {
    let own = find(&[
        ("LONGHAUL_HOME", "/nonexistent/h"),
        ("HOME", "/nonexistent/u"),
    ]);
    assert_eq!(own.expect("it is set").home, Path::new("/nonexistent/h"));
    let relative = find(&[("LONGHAUL_HOME", "h")]).expect("it is set");
    assert_eq!(relative.home, Path::new("/nonexistent/h"));
    #[cfg(target_os = "linux")]
    assert_eq!(
        find(&[("LONGHAUL_HOME", ""), ("HOME", "/nonexistent/u")])
            .expect("it is set")
            .home,
        Path::new("/nonexistent/u/.local/share/longhaul")
    );
    assert!(find(&[]).is_err());
}

#[test]
fn a_sockets_name_always_fits() {
    let long = format!("/{}", "r".repeat(200));
    for runtime in [
        None,
        Some(Path::new("/run/user/1000")),
        Some(Path::new(&long)),
    ] {
        let socket = paths::socket_of(Path::new("/home/u/deep/home"), runtime, 1000);
        assert!(socket.as_os_str().len() < 108, "{}", socket.display());
    }
    let other = paths::socket_of(Path::new("/home/u/other"), None, 1000);
    assert_ne!(
        other,
        paths::socket_of(Path::new("/home/u/home"), None, 1000)
    );
}

#[test]
fn a_socket_folder_of_somebody_else_is_refused() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("private/s.sock");
    let me = std::fs::metadata(folder.path()).expect("it exists").uid();
    paths::secure_socket_folder(&socket, me).expect("it is ours");
    let mode = std::fs::metadata(folder.path().join("private"))
        .expect("made")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(paths::secure_socket_folder(&socket, me + 1).is_err());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("private"), &link).expect("fresh");
    assert!(paths::secure_socket_folder(&link.join("s.sock"), me).is_err());
}

#[test]
fn only_newer_versions_are_newer() {
    assert!(newer("0.10.0", "0.9.9"));
    assert!(!newer("0.1.0", "0.1.0"));
    assert!(!newer("0.1.0", "0.2.0"));
    assert!(!newer("dev", "0.1.0"));
}

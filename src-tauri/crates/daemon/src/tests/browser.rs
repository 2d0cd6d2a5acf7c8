//! The browser's way in, and everybody who must not use it.

use std::net::SocketAddr;

use protocol::{ErrorBody, ErrorCode, StatusRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::peers::become_a_child;
use super::{InProcess, SOON};
use crate::listen::{Entrance, Token, url_file};
use crate::server;

struct Browser {
    daemon: InProcess,
    address: SocketAddr,
    token: Token,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn error(&self) -> ErrorCode {
        let body: ErrorBody =
            serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body));
        assert!(!body.error.hint.is_empty());
        body.error.code
    }
}

async fn listening() -> Browser {
    let daemon = InProcess::new().await;
    let file = url_file(&daemon.options.paths.socket);
    let wanted = "127.0.0.1:0".parse().unwrap();
    let opened = Entrance::open(wanted, file).await;
    let entrance = opened.unwrap_or_else(|e| panic!("{e}"));
    let (address, token) = (entrance.address, entrance.token.clone());
    let closing: CancellationToken = daemon.api.inner.closing.clone();
    tokio::spawn(server::serve_browsers(
        entrance,
        daemon.api.clone(),
        closing,
    ));
    Browser {
        daemon,
        address,
        token,
    }
}

impl Browser {
    fn host(&self) -> String {
        format!("host: {}", self.address)
    }

    fn bearer(&self) -> String {
        format!("authorization: Bearer {}", self.token.text())
    }

    async fn send(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let headers = headers.join("\r\n");
        let request = format!(
            "{line} HTTP/1.1\r\n{headers}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(SOON, read).await.unwrap().unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    /// A call that is right but for what `headers` say instead.
    async fn call(&self, headers: &[&str]) -> Answer {
        let (host, bearer) = (self.host(), self.bearer());
        let mut all = vec![];
        for usual in [&*host, &*bearer, "content-type: application/json"] {
            let name = usual.split_once(':').unwrap().0;
            if !headers.iter().any(|h| h.split(':').next() == Some(name)) {
                all.push(usual);
            }
        }
        all.extend(headers.iter().filter(|h| !h.ends_with(": absent")));
        self.send("POST /v1/status", &all, "{}").await
    }
}

#[tokio::test]
async fn whoever_has_the_token_is_served() {
    let browser = listening().await;
    let own = format!("origin: http://{}", browser.address);
    for headers in [&[][..], &[&*own]] {
        let answer = browser.call(headers).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
    let local = format!("host: localhost:{}", browser.address.port());
    assert_eq!(browser.call(&[&local]).await.status, 200);
    let status = browser.daemon.client().status(StatusRequest {}).await;
    assert_eq!(
        status.unwrap().listen,
        Some(browser.address.to_string()),
        "the status says where, and not the token"
    );
}

#[tokio::test]
async fn others_are_not() {
    let browser = listening().await;
    let port = browser.address.port();
    let rebound = format!("host: evil.example:{port}");
    let other_port = "host: 127.0.0.1:1".to_owned();
    let nearly = format!("authorization: Bearer {}0", &browser.token.text()[1..]);
    let cases: [(&str, &[&str], u16); 12] = [
        ("another origin", &["origin: http://evil.example"], 403),
        ("an origin without a name", &["origin: null"], 403),
        (
            "another page of this machine",
            &["origin: http://127.0.0.1:1"],
            403,
        ),
        (
            "a secure origin of the same name",
            &["origin: https://127.0.0.1"],
            403,
        ),
        ("a name made to lead here", &[&rebound], 421),
        ("another port's name", &[&other_port], 421),
        ("no token", &["authorization: absent"], 401),
        ("an empty token", &["authorization: Bearer "], 401),
        ("a nearly right token", &[&nearly], 401),
        (
            "a form",
            &["content-type: application/x-www-form-urlencoded"],
            415,
        ),
        ("plain text", &["content-type: text/plain"], 415),
        ("no kind at all", &["content-type: absent"], 415),
    ];
    for (who, headers, status) in cases {
        let answer = browser.call(headers).await;
        assert_eq!(answer.status, status, "{who}: {}", answer.body);
        assert_eq!(answer.error(), ErrorCode::Refused, "{who}");
        assert!(!answer.head.contains("access-control"), "{who}");
        assert!(!answer.body.contains(browser.token.text()), "{who}");
    }
    let host = browser.host();
    let ask = [
        &*host,
        "origin: http://evil.example",
        "access-control-request-method: POST",
    ];
    let answer = browser.send("OPTIONS /v1/status", &ask, "").await;
    assert_eq!(answer.status, 403);
    let answer = browser.send("GET /v1/events", &[&host], "").await;
    assert_eq!(answer.status, 401);
    let twice = format!("{host}\r\n{host}");
    let answer = browser.send("GET /", &[&twice], "").await;
    assert!(answer.status == 421 || answer.status == 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_the_token_still_changes_nothing() {
    let browser = listening().await;
    let (host, bearer) = (browser.host(), browser.bearer());
    let headers = [&*host, &*bearer, "content-type: application/json"];
    let pause = r#"{"runs":"all"}"#;
    let outside = browser.send("POST /v1/pause", &headers, pause).await;
    assert_eq!(outside.status, 200, "{}", outside.body);
    become_a_child(&browser.daemon.options.paths.home);
    for (path, body) in [
        ("pause", pause),
        (
            "probe",
            r#"{"kind":"anthropic","key":{"from":"command","command":"true"}}"#,
        ),
        ("setting", r#"{"name":"policy","value":"hands-off"}"#),
        ("rehearsal", "{}"),
    ] {
        let inside = browser
            .send(&format!("POST /v1/{path}"), &headers, body)
            .await;
        assert_eq!(inside.error(), ErrorCode::Refused, "{path}");
        assert!(
            inside.body.contains("inside a run"),
            "{path}: {}",
            inside.body
        );
    }
    assert_eq!(browser.call(&[]).await.status, 200, "looking is allowed");
}

#[tokio::test]
async fn the_pages_may_do_nothing_that_is_not_theirs() {
    let browser = listening().await;
    let host = browser.host();
    for path in ["/", "/nothing-of-this-name.js"] {
        let answer = browser.send(&format!("GET {path}"), &[&host], "").await;
        let expected = if path == "/" { 200 } else { 404 };
        assert_eq!(answer.status, expected, "{path}");
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self';",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "referrer-policy: no-referrer",
            "frame-ancestors 'none'",
        ] {
            assert!(answer.head.contains(header), "{header} in {}", answer.head);
        }
        assert!(!answer.body.contains(browser.token.text()));
    }
    let rebound = [&*format!("host: evil.example:{}", browser.address.port())];
    assert_eq!(browser.send("GET /", &rebound, "").await.status, 421);
    let climbing = browser.send("GET /../../Cargo.toml", &[&host], "").await;
    assert_eq!(climbing.status, 404);
}

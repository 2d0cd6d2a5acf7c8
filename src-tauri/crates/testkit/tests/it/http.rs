//! An HTTP client that shows what is on the wire, cut connections included.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

pub const DEADLINE: Duration = Duration::from_secs(20);

/// How the response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By the rules of HTTP.
    Whole,
    /// The connection went before that.
    Cut,
}

#[derive(Debug)]
pub struct Answer {
    /// 0 if there was none.
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub end: End,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// The data of the server-sent events, those that are JSON.
    pub fn events(&self) -> Vec<Value> {
        self.body
            .lines()
            .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
            .collect()
    }

    pub fn kinds(&self) -> Vec<String> {
        self.events()
            .iter()
            .map(|e| e["type"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A request on its way, so that a test can leave in the middle.
pub struct Call(TcpStream);

impl Call {
    pub async fn send(
        to: SocketAddr,
        head: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(to).await?;
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut text = format!(
            "{head} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        stream
            .write_all(format!("{text}\r\n{body}").as_bytes())
            .await?;
        Ok(Self(stream))
    }

    /// Reads until `needle` has arrived.
    pub async fn read_until(&mut self, needle: &str) -> String {
        let mut seen = Vec::new();
        let found = timeout(DEADLINE, async {
            while !String::from_utf8_lossy(&seen).contains(needle) {
                let mut part = [0; 4096];
                let n = self.0.read(&mut part).await.unwrap();
                assert!(
                    n > 0,
                    "the connection ended before {needle:?}: {}",
                    String::from_utf8_lossy(&seen)
                );
                seen.extend_from_slice(&part[..n]);
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("no {needle:?} in time"));
        String::from_utf8(seen).unwrap()
    }

    pub async fn finish(mut self) -> Answer {
        let mut raw = Vec::new();
        // An error here is a reset connection; what came before it counts.
        timeout(DEADLINE, self.0.read_to_end(&mut raw))
            .await
            .expect("an end within the deadline")
            .ok();
        parse(&raw)
    }
}

fn parse(raw: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(raw);
    let Some((head, rest)) = text.split_once("\r\n\r\n") else {
        return Answer {
            status: 0,
            headers: BTreeMap::new(),
            body: String::new(),
            end: End::Cut,
        };
    };
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers: BTreeMap<_, _> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(k, v)| (k.to_lowercase(), v.to_owned()))
        .collect();
    let (body, end) = if headers
        .get("transfer-encoding")
        .is_some_and(|v| v == "chunked")
    {
        unchunk(rest)
    } else {
        let whole = headers
            .get("content-length")
            .is_none_or(|n| n.parse() == Ok(rest.len()));
        (rest.to_owned(), if whole { End::Whole } else { End::Cut })
    };
    Answer {
        status,
        headers,
        body,
        end,
    }
}

fn unchunk(mut rest: &str) -> (String, End) {
    let mut body = String::new();
    loop {
        let Some((size, tail)) = rest.split_once("\r\n") else {
            return (body, End::Cut);
        };
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (body, End::Whole);
        }
        if tail.len() < size + 2 {
            return (body + tail, End::Cut);
        }
        body.push_str(&tail[..size]);
        rest = &tail[size + 2..];
    }
}

pub const HEADERS: [(&str, &str); 2] = [
    ("anthropic-version", "2026-10-21"),
    ("x-api-key", "test-key-not-real"),
];

pub async fn post(to: SocketAddr, body: &Value) -> Answer {
    Call::send(to, "POST /v1/messages", &HEADERS, body)
        .await
        .unwrap()
        .finish()
        .await
}

/// A streamed request with one tool on offer.
pub fn request(messages: Value) -> Value {
    json!({
        "model": "claude-opus-5-5", "max_tokens": 4096, "stream": true, "messages": messages,
        "tools": [{"name": "bash", "input_schema": {"type": "object"}}],
    })
}

pub fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

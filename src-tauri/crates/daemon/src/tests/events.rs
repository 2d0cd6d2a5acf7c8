//! The event stream.

use client::StreamItem;
use protocol::StatusRequest;
use protocol::events::EventFrame;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use super::{InProcess, RUN, SOON, say};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_cut_again_and_again_misses_nothing_and_repeats_nothing() {
    const SAID: u64 = 300;
    let daemon = InProcess::new().await;
    let run = daemon.run(RUN).await;
    let mut stream = daemon.client().events(None, None);
    stream.open().await.unwrap();
    let store = daemon.store().clone();
    let writing = tokio::spawn(async move {
        for n in 0..SAID {
            say(&store, run, &format!("message {n}")).await;
        }
    });
    let (mut seen, mut cursors) = (Vec::new(), Vec::new());
    let all = async {
        while seen.len() < SAID as usize {
            if let StreamItem::Event(frame) = stream.next().await.unwrap() {
                let EventFrame { cursor, entry, .. } = *frame;
                seen.push(entry.seq);
                cursors.push(cursor);
                if seen.len().is_multiple_of(17) {
                    let cursor = stream.cursor().map(str::to_owned);
                    stream = daemon.client().events(cursor, None);
                }
            }
        }
    };
    tokio::time::timeout(SOON, all).await.unwrap();
    writing.await.unwrap();
    // The run's first event was there before the stream.
    let expected: Vec<u64> = (2..SAID + 2).collect();
    assert_eq!(seen, expected);
    let last = daemon.store().cursor(daemon.store().last_gseq());
    assert_eq!(cursors.last(), Some(&last));
}

#[tokio::test]
async fn one_runs_stream_has_its_events_only() {
    let daemon = InProcess::new().await;
    let run = daemon.run(RUN).await;
    let other = daemon.run("01990000-0000-7000-8000-0000000000ff").await;
    let mut stream = daemon.client().events(None, Some(run));
    stream.open().await.unwrap();
    for n in 0..5 {
        say(daemon.store(), other, &format!("elsewhere {n}")).await;
        say(daemon.store(), run, &format!("here {n}")).await;
    }
    for seq in 2..7 {
        let item = tokio::time::timeout(SOON, stream.next()).await.unwrap();
        let StreamItem::Event(frame) = item.unwrap() else {
            panic!("no event");
        };
        assert_eq!((frame.run, frame.entry.seq), (run, seq));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_does_not_read_keeps_nobody_from_reading() {
    const SAID: u64 = 1_500;
    let daemon = InProcess::new().await;
    let run = daemon.run(RUN).await;
    let mut asleep = Vec::new();
    for _ in 0..5 {
        let mut stream = UnixStream::connect(&daemon.options.paths.socket)
            .await
            .unwrap();
        let ask = b"GET /v1/events HTTP/1.1\r\nhost: longhaul\r\n\r\n";
        stream.write_all(ask).await.unwrap();
        asleep.push(stream);
    }
    let mut stream = daemon.client().events(None, None);
    stream.open().await.unwrap();
    let store = daemon.store().clone();
    // More than fits into a socket's buffers, and into the stream's own.
    let text = "said ".repeat(600);
    let writing = tokio::spawn(async move {
        for _ in 0..SAID {
            say(&store, run, &text).await;
        }
    });
    let all = async {
        let mut seen = 0;
        while seen < SAID {
            if let StreamItem::Event(_) = stream.next().await.unwrap() {
                seen += 1;
            }
        }
    };
    tokio::time::timeout(3 * SOON, all).await.unwrap();
    writing.await.unwrap();
    daemon.client().status(StatusRequest {}).await.unwrap();
}

#[tokio::test]
async fn a_cursor_that_is_not_known_here_is_gone() {
    let daemon = InProcess::new().await;
    daemon.run(RUN).await;
    let ahead = daemon.store().cursor(daemon.store().last_gseq() + 1);
    for cursor in [&ahead, "nonsense", "00000000-0000-7000-8000-000000000000.1"] {
        let (status, _) = daemon
            .error(&format!("GET /v1/events?after={cursor}"), b"")
            .await;
        assert_eq!(status, 410, "{cursor}");
    }
    let mut stream = daemon.client().events(Some(ahead), None);
    assert_eq!(stream.next().await.unwrap(), StreamItem::Resync);
}

#[tokio::test]
async fn a_stream_ends_when_the_daemon_does() {
    let daemon = InProcess::new().await;
    let run = daemon.run(RUN).await;
    let mut stream = daemon.client().events(None, None);
    stream.open().await.unwrap();
    let closing = daemon.api.inner.closing.clone();
    let ended = async {
        let (answer, ()) = tokio::join!(daemon.raw("GET /v1/events", b""), async {
            say(daemon.store(), run, "the last words").await;
            // The stream that came first has them, so the daemon has taken note of it.
            stream.next().await.unwrap();
            closing.cancel();
        });
        answer
    };
    let (status, body) = tokio::time::timeout(SOON, ended).await.unwrap();
    assert_eq!(status, 200);
    assert!(body.contains("event: hello"), "{body}");
    let served = tokio::time::timeout(SOON, daemon.serving).await.unwrap();
    served.unwrap().unwrap();
}

//! What a step costs on disk: linear in what was said, however long the run.

use bytes::Bytes;
use domain::{Event, OpKind, RunId};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use store::Store;

use crate::home::{
    FRAME, call_id, charge, checkpoint, finished, intent, open, started, started_op,
};

/// What agents read and write most: source code, in pieces nobody has seen whole. It is
/// this crate's own, which the dictionary of contents was not made from.
struct Prose(u64);

const SOURCES: [&str; 6] = [
    include_str!("../../src/journal.rs"),
    include_str!("../../src/writer.rs"),
    include_str!("../../src/open.rs"),
    include_str!("../../src/ops.rs"),
    include_str!("../../src/runs.rs"),
    include_str!("../../src/error.rs"),
];

impl Prose {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn text(&mut self, len: usize) -> String {
        let source = SOURCES[(self.next() % 6) as usize];
        let from = self.next() as usize % (source.len() - len - 8);
        let (from, to) = (
            source.floor_char_boundary(from),
            source.floor_char_boundary(from + len),
        );
        format!("{:06x} {}", self.next() & 0xff_ffff, &source[from..to])
    }
}

/// How a step's appends reach the store.
#[derive(Clone, Copy)]
enum Pace {
    /// Each is durable before the next, as the engine writes them.
    OneByOne,
    /// All in one: the same rows, and a long run is fast to make.
    Together,
}

/// One step as the engine records it: a model call that asks for two tools, their
/// results, a checkpoint. Returns the bytes of content it added: the answer (the
/// arguments stand in it) and the results.
async fn step(store: &Store, run: RunId, n: u32, prose: &mut Prose, pace: Pace) -> usize {
    let op = (n - 1) * 3 + 1;
    let frame = Bytes::from_static(FRAME);
    let inputs = [0, 1].map(|i| {
        serde_json::json!({"path": format!("src/part_{}.rs", op + i), "pattern": prose.text(40)})
    });
    let call = |i: usize| serde_json::json!({"type": "tool_use", "id": call_id(op + 1 + i as u32), "name": "read_file", "input": inputs[i]});
    let answer = serde_json::json!([{"type": "text", "text": prose.text(900)}, call(0), call(1)]);
    let answer = Bytes::from(answer.to_string());
    let args = inputs.map(|input| Bytes::from(input.to_string()));
    let results = [Bytes::from(prose.text(1480)), Bytes::from(prose.text(1480))];
    let content = answer.len() + results.iter().map(Bytes::len).sum::<usize>();

    let ask = vec![
        Event::StepStarted { step: n },
        intent(op, n, OpKind::Model, &frame),
        started_op(op),
    ];
    let answered = vec![
        finished(op, &answer, Some(charge(u64::from(n)))),
        intent(op + 1, n, OpKind::Tool, &args[0]),
        intent(op + 2, n, OpKind::Tool, &args[1]),
    ];
    let [one, other] = results;
    let appends = [
        (ask, vec![frame]),
        (answered, [vec![answer], args.to_vec()].concat()),
        (vec![started_op(op + 1)], vec![]),
        (vec![started_op(op + 2)], vec![]),
        (vec![finished(op + 1, &one, None)], vec![one]),
        (vec![finished(op + 2, &other, None)], vec![other]),
        (vec![checkpoint(n)], vec![]),
    ];
    match pace {
        Pace::OneByOne => {
            for (events, blobs) in appends {
                store.append(run, None, events, blobs).await.unwrap();
            }
        }
        Pace::Together => {
            let (events, blobs): (Vec<_>, Vec<_>) = appends.into_iter().unzip();
            store
                .append(run, None, events.concat(), blobs.concat())
                .await
                .unwrap();
        }
    }
    content
}

fn on_disk(home: &std::path::Path) -> u64 {
    ["state.db", "state.db-wal"]
        .iter()
        .filter_map(|f| home.join(f).metadata().ok())
        .map(|m| m.len())
        .sum()
}

/// Says where the bytes are.
async fn by_table(home: &std::path::Path, steps: u32) {
    let options = SqliteConnectOptions::new().filename(home.join("state.db"));
    let mut conn = options.connect().await.unwrap();
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT name, sum(pgsize), sum(unused) FROM dbstat GROUP BY name ORDER BY 2 DESC",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for (name, bytes, unused) in rows.iter().filter(|(_, bytes, _)| *bytes > 8192) {
        let each = *bytes / i64::from(steps);
        eprintln!("  {name}: {bytes} bytes, {unused} of them unused, {each} a step");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_grows_with_what_was_said() {
    grow(&[400, 5000]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes in a debug build"]
async fn a_very_long_run_grows_with_what_was_said() {
    grow(&[400, 5000, 50_000]).await;
}

async fn grow(lengths: &[u32]) {
    let home = tempfile::tempdir().unwrap();
    let mut prose = Prose(0x1234_5678_9abc_def1);
    let (mut content, mut ratios, mut n) = (0, Vec::new(), 0);
    let mut run = None;
    for &until in lengths {
        let store = open(home.path()).await;
        let id = match run {
            Some(id) => id,
            None => started(&store).await,
        };
        run = Some(id);
        while n < until {
            n += 1;
            let pace = if n <= 400 {
                Pace::OneByOne
            } else {
                Pace::Together
            };
            content += step(&store, id, n, &mut prose, pace).await;
        }
        store.close().await;
        let bytes = on_disk(home.path());
        let ratio = bytes as f64 / content as f64;
        eprintln!("growth: {until} steps, {content} bytes said, {bytes} stored, ratio {ratio:.3}");
        ratios.push(ratio);
        by_table(home.path(), until).await;
    }
    assert!(ratios.iter().all(|r| *r <= 1.3), "{ratios:?}");
    assert!(
        ratios.windows(2).all(|pair| pair[1] <= pair[0] * 1.05),
        "a longer run costs more a step: {ratios:?}"
    );
    resumes_fast(home.path(), run.unwrap()).await;
}

/// A cold load reads a snapshot and the events after it, not the whole journal.
async fn resumes_fast(home: &std::path::Path, run: RunId) {
    let store = open(home).await;
    let begun = std::time::Instant::now();
    let loaded = store.load(run).await.unwrap().unwrap();
    eprintln!(
        "resume: {} events folded in {:?}",
        loaded.head,
        begun.elapsed()
    );
    assert!(begun.elapsed().as_millis() < 500);
}

//! What a step costs on disk: linear in what was said, however long the run.

use bytes::Bytes;
use domain::{OpKind, RunId};
use store::Store;

use crate::home::{FRAME, charge, checkpoint, finished, intent, open, started, started_op};

/// What agents read and write most: source code, in pieces nobody has seen whole.
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

/// One step: a model call that asks for two tools, their results, a checkpoint.
/// Returns the bytes of content it added.
async fn step(store: &Store, run: RunId, n: u32, prose: &mut Prose) -> usize {
    let op = (n - 1) * 3 + 1;
    let frame = Bytes::from_static(FRAME);
    let args: Vec<Bytes> = (0..2)
        .map(|i| {
            Bytes::from(format!(
                r#"{{"path":"src/part_{}.rs","offset":{}}}"#,
                op + i,
                prose.next() % 4000
            ))
        })
        .collect();
    let answer = serde_json::json!([
        {"type": "text", "text": prose.text(900)},
        {"type": "tool_use", "id": format!("toolu_a{op}"), "name": "read_file", "input": {"path": prose.text(60)}},
        {"type": "tool_use", "id": format!("toolu_b{op}"), "name": "read_file", "input": {"path": prose.text(60)}},
    ]);
    let answer = Bytes::from(answer.to_string());
    let results = [Bytes::from(prose.text(1480)), Bytes::from(prose.text(1480))];
    let content = answer.len() + args.iter().chain(&results).map(Bytes::len).sum::<usize>();

    let mut events = vec![
        domain::Event::StepStarted { step: n },
        intent(op, n, OpKind::Model, &frame),
        started_op(op),
        finished(op, &answer, Some(charge(u64::from(n)))),
    ];
    let mut blobs = vec![frame, answer];
    for (tool, (args, result)) in (op + 1..).zip(args.iter().zip(&results)) {
        events.extend([
            intent(tool, n, OpKind::Tool, args),
            started_op(tool),
            finished(tool, result, None),
        ]);
        blobs.extend([args.clone(), result.clone()]);
    }
    events.push(checkpoint(n));
    // One append instead of seven: the rows are the same, and the test is fast.
    store.append(run, None, events, blobs).await.unwrap();
    content
}

fn on_disk(home: &std::path::Path) -> u64 {
    ["state.db", "state.db-wal"]
        .iter()
        .filter_map(|f| home.join(f).metadata().ok())
        .map(|m| m.len())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_grows_with_what_was_said() {
    let home = tempfile::tempdir().unwrap();
    let mut prose = Prose(0x1234_5678_9abc_def1);
    let (mut content, mut ratios, mut n) = (0, Vec::new(), 0);
    let mut run = None;
    for until in [400, 5000] {
        let store = open(home.path()).await;
        let id = match run {
            Some(id) => id,
            None => started(&store).await,
        };
        run = Some(id);
        while n < until {
            n += 1;
            content += step(&store, id, n, &mut prose).await;
        }
        store.close().await;
        let bytes = on_disk(home.path());
        let ratio = bytes as f64 / content as f64;
        eprintln!("growth: {until} steps, {content} bytes said, {bytes} stored, ratio {ratio:.3}");
        ratios.push(ratio);
    }
    assert!(ratios.iter().all(|r| *r <= 1.7), "{ratios:?}");
    assert!(
        ratios[1] <= ratios[0] * 1.05,
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

//! What a step costs on disk: linear in what was said, however long the run.

use bytes::Bytes;
use domain::{OpKind, RunId};
use store::Store;

use crate::home::{FRAME, charge, checkpoint, finished, intent, open, started, started_op};

/// Words of the kind agents read and write, in an order no compressor has seen.
struct Prose(u64);

impl Prose {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn text(&mut self, len: usize) -> String {
        const SYLLABLES: [&str; 32] = [
            "par", "ser", "tok", "en", "re", "turn", "fn", "let", "mut", "self", "err", "or",
            "the", "of", "in", "to", "is", "not", "line", "file", "test", "add", "call", "node",
            "tree", "walk", "next", "if", "then", "loop", "val", "ue",
        ];
        let mut text = String::with_capacity(len + 16);
        while text.len() < len {
            let n = self.next();
            for k in 0..=(n % 3) {
                text.push_str(SYLLABLES[(n >> (8 + 8 * k)) as usize % 32]);
            }
            if n % 11 == 0 {
                text.push_str(&format!("_{}", n >> 52));
            }
            text.push(if n % 9 == 0 { '\n' } else { ' ' });
        }
        text.truncate(len);
        text
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

    let asked = vec![
        domain::Event::StepStarted { step: n },
        intent(op, n, OpKind::Model, &frame),
        started_op(op),
    ];
    store.append(run, None, asked, vec![frame]).await.unwrap();
    let done = vec![finished(op, &answer, Some(charge(u64::from(n))))];
    store.append(run, None, done, vec![answer]).await.unwrap();
    for (tool, (args, result)) in (op + 1..).zip(args.iter().zip(&results)) {
        let begun = vec![intent(tool, n, OpKind::Tool, args), started_op(tool)];
        store
            .append(run, None, begun, vec![args.clone()])
            .await
            .unwrap();
        store
            .append(
                run,
                None,
                vec![finished(tool, result, None)],
                vec![result.clone()],
            )
            .await
            .unwrap();
    }
    store
        .append(run, None, vec![checkpoint(n)], Vec::new())
        .await
        .unwrap();
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
    assert!(ratios.iter().all(|r| *r <= 1.3), "{ratios:?}");
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

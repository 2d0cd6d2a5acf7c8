//! Commits a second, single and grouped, beside what the disk can do at the same time.

use std::time::{Duration, Instant};

use store::Store;

use crate::content::{Conversation, Prose, Sizes};
use crate::machine::DiskProbe;
use crate::report::Target;
use crate::samples::Samples;
use crate::session::{self, Session};

/// How many record at once.
const APPENDERS: [usize; 4] = [1, 4, 16, 64];

/// How long they record before the disk alone is timed again. A shared disk is quick in
/// one second and slow in the next: short turns let both see the same disk.
const TURN: Duration = Duration::from_millis(150);

/// Syncs of the disk alone in a turn.
const SYNCS: usize = 60;

pub(crate) async fn measure(session: &mut Session) -> anyhow::Result<()> {
    let prose = Prose::new(1)?;
    for appenders in APPENDERS {
        let home = session.home(&format!("commits-{appenders}"))?;
        let store = session::open(&home).await?;
        let mut disk = DiskProbe::new(&home)?;
        let mut conversations = Vec::new();
        for n in 0..appenders {
            let prose = prose.reseeded(n as u64);
            conversations.push(Conversation::begin(&store, &prose, Sizes::USUAL).await?);
        }
        let (mut commits, mut syncs) = (Samples::default(), Samples::default());
        let mut took = Duration::ZERO;
        for _ in 0..session.scale.rounds {
            syncs.extend(disk.sync(SYNCS)?);
            let began = Instant::now();
            for turn in all(&store, &mut conversations).await? {
                commits.extend(turn);
            }
            took += began.elapsed();
        }
        store.close().await;
        let rate = commits.len() as f64 / took.as_secs_f64();
        let note = format!(
            "{}; raw fdatasync meanwhile {:.0}/s ({}); {:.2} commits a raw sync",
            commits.words(),
            syncs.per_second(),
            syncs.words(),
            rate / syncs.per_second(),
        );
        let name = format!("commits/s, {appenders} at once");
        session
            .report
            .add(name, (rate, "commits/s"), Target::Open, note);
        if appenders == 1 {
            session.report.add(
                "commit p50 / raw fdatasync p50",
                (commits.ms(50.0) / syncs.ms(50.0), "x"),
                Target::AtMost(1.3),
                "one appender, 4.4 KB a step in 5 commits, both timed in turns",
            );
        }
        std::fs::remove_dir_all(home)?;
    }
    Ok(())
}

/// A turn of all at once.
async fn all(store: &Store, conversations: &mut Vec<Conversation>) -> anyhow::Result<Vec<Samples>> {
    let until = Instant::now() + TURN;
    let tasks: Vec<_> = conversations
        .drain(..)
        .map(|conversation| tokio::spawn(one(store.clone(), conversation, until)))
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        let (conversation, samples) = task.await??;
        conversations.push(conversation);
        all.push(samples);
    }
    Ok(all)
}

async fn one(
    store: Store,
    mut conversation: Conversation,
    until: Instant,
) -> anyhow::Result<(Conversation, Samples)> {
    let mut samples = Samples::default();
    while Instant::now() < until {
        for commit in conversation.step().commits {
            let began = Instant::now();
            store
                .append(conversation.run, None, commit.events, commit.blobs)
                .await?;
            samples.push(began.elapsed());
        }
    }
    Ok((conversation, samples))
}

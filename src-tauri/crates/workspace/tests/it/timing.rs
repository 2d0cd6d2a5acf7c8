//! How long it takes; run by hand.

use std::time::Instant;

use crate::support::{Place, git, write};

/// `cargo test -p longhaul-workspace -- --ignored timing --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a test"]
#[allow(clippy::print_stdout, reason = "the measurement is its output")]
async fn timing() {
    for count in [5_000, 20_000] {
        let place = Place::repository();
        for n in 0..count {
            let text = format!("file {n}\n").repeat(100);
            write(
                &place.project,
                &format!("d{}/e{}/f{n}.txt", n / 500, n / 50),
                &text,
            );
        }
        place.commit("many");
        git(&place.project, &["gc", "-q"]);
        let start = Instant::now();
        let tree = place.outside.join("worktree");
        git(
            &place.project,
            &["worktree", "add", "-q", "--detach", tree.to_str().unwrap()],
        );
        println!("{count} files: git worktree add {:?}", start.elapsed());
        let start = Instant::now();
        let ws = place.clone().await;
        println!("{count} files: prepare {:?}", start.elapsed());
        for name in ["nothing changed", "nothing changed again"] {
            let start = Instant::now();
            ws.snapshot(name).await.unwrap();
            println!("{count} files: snapshot, {name} {:?}", start.elapsed());
        }
        for n in 0..10 {
            write(ws.path(), &format!("d{n}/new.txt"), "new\n");
        }
        let start = Instant::now();
        ws.snapshot("ten").await.unwrap();
        println!("{count} files: snapshot, ten changed {:?}", start.elapsed());
        let start = Instant::now();
        ws.restore(ws.base_snapshot()).await.unwrap();
        println!("{count} files: restore {:?}", start.elapsed());
        let start = Instant::now();
        place.workspaces.discard(ws.run()).await.unwrap();
        println!("{count} files: discard {:?}", start.elapsed());
    }
}

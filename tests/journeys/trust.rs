//! A run does not decide about itself, however it calls.

use anyhow::{Result, ensure};

use crate::support::{QUICK, World, one_command, text};

/// `longhaul ARGS` as a run's command calls it, with all it needs to find the daemon.
fn from_inside(world: &World, args: &str) -> String {
    let env = world.daemon.home.env();
    let set: Vec<String> = ["LONGHAUL_HOME", "XDG_RUNTIME_DIR"]
        .iter()
        .map(|name| format!("{name}={}", env[*name]))
        .collect();
    let binary = world.daemon.home.binary().display();
    format!("{} {binary} {args}", set.join(" "))
}

#[tokio::test]
async fn a_command_of_a_run_cannot_approve_or_stop_or_change_a_backend() -> Result<()> {
    // Inside a sandbox there is nobody to ask (`escapes`): this is what holds without.
    let world = World::with(&format!("{QUICK}sandbox = \"off\"\n")).await?;
    world.server.script("asks", one_command("touch asked.key"));
    let asks = world.start("asks", &[]).await?;
    let review = text(&world.review(&asks, "tool_call").await?, "id")?;
    let approve = from_inside(&world, &format!("approve {review}"));
    let stop = from_inside(&world, "daemon stop");
    let add = from_inside(
        &world,
        "backend add evil --kind anthropic --key-command 'touch evil'",
    );
    // Directly, from a session of its own without the keeper's mark, and orphaned.
    let command = format!(
        "({approve}) 2>&1; (setsid env -i {approve}) 2>&1; ({stop}) 2>&1; ({add}) 2>&1; \
         (sh -c '({approve} > orphan 2>&1; touch orphan-done) &'); \
         while [ ! -e orphan-done ]; do sleep 0.05; done; cat orphan; echo tried-all"
    );
    world.server.script("inside", one_command(&command));
    let inside = world.start("inside", &["--policy", "hands-off"]).await?;
    world.completed(&inside).await?;
    let told = world.said_to_model("inside");
    ensure!(told.contains("tried-all"), "{told}");
    let refusals = told.matches("inside a run").count();
    ensure!(refusals >= 5, "{refusals} refusals: {told}");
    let review = world.review(&asks, "tool_call").await?;
    assert_eq!(review["state"], "open");
    let backends = world.json(&["backend", "list"]).await?;
    ensure!(!backends.to_string().contains("evil"), "{backends:#}");
    Ok(())
}

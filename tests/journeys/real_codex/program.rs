//! Codex, ready to be run.

use std::path::PathBuf;

use anyhow::Result;

use crate::real_agent::Package;
use crate::support::{KEY, QUICK, World};

const PACKAGE: Package = Package {
    name: "Codex",
    package: "@openai/codex",
    version: "0.169.0",
    folder: "codex",
    platforms: "@openai",
    programs: &[
        "vendor/x86_64-unknown-linux-musl/bin/codex",
        "vendor/aarch64-unknown-linux-musl/bin/codex",
    ],
};

/// The program, ready to be run.
pub(super) struct Codex {
    program: PathBuf,
}

impl Codex {
    /// As [`Package::ready`].
    pub(super) async fn ready(test: &str) -> Result<Option<Self>> {
        let ready = PACKAGE.ready("real_codex", test).await?;
        Ok(ready.map(|program| Self { program }))
    }

    /// A world with a backend `codex` at the scripted model.
    pub(super) async fn world(&self) -> Result<World> {
        let world = World::with(QUICK).await?;
        world.server.name_key(KEY, "ours");
        let program = self.program.display().to_string();
        let url = format!("{}/v1", world.server.url());
        let add = [
            "backend",
            "add",
            "codex",
            "--kind",
            "codex",
            "--command",
            &program,
            "--base-url",
            &url,
            "--model",
            "gpt-5.5",
            "--key-env",
            "LH_TEST_KEY",
        ];
        world.cli(&add).await?.ok()?;
        Ok(world)
    }
}

//! Claude Code, ready to be run.

use std::path::PathBuf;

use anyhow::Result;

use crate::real_agent::Package;
use crate::support::{KEY, QUICK, World};

const PACKAGE: Package = Package {
    name: "Claude Code",
    package: "@anthropic-ai/claude-code",
    version: "2.1.329",
    folder: "claude-code",
    platforms: "@anthropic-ai",
    programs: &["claude"],
};

/// The program, ready to be run.
pub(super) struct Claude {
    program: PathBuf,
}

impl Claude {
    /// As [`Package::ready`].
    pub(super) async fn ready(test: &str) -> Result<Option<Self>> {
        let ready = PACKAGE.ready("real_claude", test).await?;
        Ok(ready.map(|program| Self { program }))
    }

    /// A world with a backend `claude` at the scripted model.
    pub(super) async fn world(&self) -> Result<World> {
        let world = World::with(QUICK).await?;
        world.server.name_key(KEY, "ours");
        let (program, url) = (self.program.display().to_string(), world.server.url());
        let add = [
            "backend",
            "add",
            "claude",
            "--kind",
            "claude-code",
            "--command",
            &program,
            "--base-url",
            &url,
            "--model",
            "claude-sonnet-5-5",
            "--key-env",
            "LH_TEST_KEY",
        ];
        world.cli(&add).await?.ok()?;
        Ok(world)
    }
}

//! OpenCode, ready to be run.

use std::{fs, path::PathBuf};

use anyhow::Result;
use serde_json::json;

use crate::real_agent::Package;
use crate::support::{KEY, QUICK, World};

/// One that is asked for as any other: of some OpenCode sends what OpenAI refuses.
const MODEL: &str = "scripted-1";

const PACKAGE: Package = Package {
    name: "OpenCode",
    package: "opencode-ai",
    version: "1.18.33",
    folder: "opencode",
    // Its platforms' packages stand beside all others.
    platforms: "",
    programs: &["bin/opencode"],
};

/// The program, ready to be run.
pub(super) struct OpenCode {
    program: PathBuf,
}

impl OpenCode {
    /// As [`Package::ready`].
    pub(super) async fn ready(test: &str) -> Result<Option<Self>> {
        let ready = PACKAGE.ready("real_opencode", test).await?;
        Ok(ready.map(|program| Self { program }))
    }

    /// A world with a backend `opencode` at the scripted model.
    pub(super) async fn world(&self) -> Result<World> {
        let world = World::with(QUICK).await?;
        world.server.name_key(KEY, "ours");
        let folder = world.daemon.home.user_home().join(".config/opencode");
        fs::create_dir_all(&folder)?;
        let settings = json!({
            "autoupdate": false,
            "model": format!("mock/{MODEL}"),
            "small_model": format!("mock/{MODEL}"),
            "permission": {"edit": "ask", "bash": "ask"},
            "provider": {"mock": {
                "npm": "@ai-sdk/openai-compatible", "name": "Scripted",
                "options": {"baseURL": format!("{}/v1", world.server.url()), "apiKey": KEY},
                "models": {MODEL: {
                    "name": "Scripted", "cost": {"input": 2, "output": 10},
                    "limit": {"context": 200_000, "output": 8_000},
                }},
            }},
        });
        fs::write(folder.join("opencode.json"), settings.to_string())?;
        let program = self.program.display().to_string();
        // Without its plugins and its catalogue of models: both are looked up on the network.
        let command = format!(
            "env OPENCODE_DISABLE_DEFAULT_PLUGINS=1 OPENCODE_DISABLE_MODELS_FETCH=1 {program} acp"
        );
        let add = [
            "backend",
            "add",
            "opencode",
            "--kind",
            "acp",
            "--command",
            &command,
            "--model",
            MODEL,
        ];
        world.cli(&add).await?.ok()?;
        Ok(world)
    }
}

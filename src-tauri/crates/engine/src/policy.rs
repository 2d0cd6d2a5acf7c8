//! Which operations run, which a person decides, which are refused: the rules in force for
//! a run (crate `policy`), asked about its calls.

use std::path::{Path, PathBuf};

use agents::tools::Tool;
use domain::{Decision, OpClass, Preset, Run, Verdict};
use policy::{Around, Call, Layer, Policy, Source, Temp, Trust};

use crate::core::{Core, Engine};

/// The user's own rules, in the home folder.
const USERS: &str = "policy.toml";

/// A project's, in its folder.
const PROJECTS: &str = ".longhaul/policy.toml";

/// The rules in force for a run.
pub(crate) struct Rules {
    policy: Policy,
    preset: Preset,
    /// The task's verify command, which the user has allowed by naming it.
    verify: Option<String>,
    /// The folder the run works in.
    workspace: Option<PathBuf>,
    /// What its sandbox keeps from all others, where there is one.
    temp: Option<Temp>,
}

impl Core {
    /// The rules in force for `run` now: its preset, the user's, the project's. The
    /// project's are read from the user's folder, not from the workspace, where the run
    /// could change them.
    pub(crate) async fn rules(&self, run: &Run) -> Rules {
        let workspace = run.workspace.as_ref().map(|w| PathBuf::from(&w.path));
        Rules {
            policy: self
                .policy_for(run.task.policy, Path::new(&run.task.project))
                .await,
            preset: run.task.policy,
            verify: run.task.verify.clone(),
            workspace,
            temp: self.private_temp().await,
        }
    }

    /// A preset's rules with the user's and the project's on top.
    pub(crate) async fn policy_for(&self, preset: Preset, project: &Path) -> Policy {
        let trust = match self.settings().project(project).trust_policy {
            true => Trust::Trusted,
            false => Trust::OnlyTightens,
        };
        let files = [
            (Source::User, self.parts.home.join(USERS), Trust::Trusted),
            (Source::Project, project.join(PROJECTS), trust),
        ];
        let mut policy = Policy::of(preset);
        for (source, file, trust) in files {
            match tokio::fs::read_to_string(&file).await {
                Ok(text) => policy = policy.with(layer(source, &file, &text, trust)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    policy = policy.with(Layer::broken(
                        source,
                        &format!("{}: {error}", file.display()),
                    ))
                }
            }
        }
        policy
    }
}

impl Engine {
    /// What the rules in force for `project` say of a command under a preset (the user's
    /// default if none is named), and which rule says it.
    pub async fn explain(
        &self,
        command: &str,
        project: &Path,
        preset: Option<Preset>,
    ) -> policy::Decided {
        let preset = preset.unwrap_or(self.core.settings().policy);
        let policy = self.core.policy_for(preset, project).await;
        let temp = self.core.private_temp().await;
        let around = Around {
            workspace: Some(project),
            temp: temp.as_ref(),
        };
        policy.decide(Call::Shell(command), around)
    }
}

/// Rules that cannot be read ask about everything: what they would have refused is not known.
fn layer(source: Source, file: &Path, text: &str, trust: Trust) -> Layer {
    Layer::parse(source, text, trust).unwrap_or_else(|error| {
        tracing::error!(file = %file.display(), %error, "rules cannot be read; everything is reviewed");
        Layer::broken(source, &format!("{}: {error}", file.display()))
    })
}

impl Rules {
    /// What they say of a call of a native model.
    pub(crate) fn decide(&self, tool: &Tool) -> Decision {
        let lines = |text: &str| u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
        match tool {
            Tool::Shell { command, .. } => self.command(command),
            Tool::Write { path, content } => self.ask(Call::Change {
                tool: policy::Tool::Write,
                path,
                lines: lines(content),
            }),
            Tool::Edit {
                path,
                old_text,
                new_text,
                ..
            } => self.ask(Call::Change {
                tool: policy::Tool::Edit,
                path,
                lines: lines(old_text).saturating_add(lines(new_text)),
            }),
            _ => allow("it changes nothing"),
        }
    }

    /// What they say of a call an agent asks permission for.
    pub(crate) fn decide_agent_call(&self, call: &agents::ObservedCall) -> Decision {
        let input: serde_json::Value = serde_json::from_str(&call.input).unwrap_or_default();
        let text = |key: &str| input.get(key).and_then(serde_json::Value::as_str);
        match (
            call.class,
            text("command"),
            text("file_path").or_else(|| text("path")),
        ) {
            (OpClass::Pure, _, _) => allow("it changes nothing"),
            (_, Some(command), _) => self.command(command),
            (_, None, Some(path)) => self.ask(Call::Change {
                tool: policy::Tool::Edit,
                path,
                lines: 0,
            }),
            _ => self.changes(&input).unwrap_or_else(|| {
                self.ask(Call::Other {
                    name: &call.name,
                    read_only: false,
                })
            }),
        }
    }

    /// What they say of a patch of several files: as of its gravest part. None if the input
    /// names no files.
    fn changes(&self, input: &serde_json::Value) -> Option<Decision> {
        let changes = input["changes"].as_array()?;
        let decided = changes.iter().map(|change| {
            let path = change["path"].as_str()?;
            let lines = change["diff"].as_str().unwrap_or_default().lines().count();
            Some(self.ask(Call::Change {
                tool: policy::Tool::Edit,
                path,
                lines: u32::try_from(lines).unwrap_or(u32::MAX),
            }))
        });
        let decided: Vec<Decision> = decided.collect::<Option<_>>()?;
        decided.into_iter().max_by_key(|decision| decision.verdict)
    }

    fn command(&self, command: &str) -> Decision {
        let decided = self.ask(Call::Shell(command));
        let named = self
            .verify
            .as_deref()
            .is_some_and(|verify| verify.trim() == command.trim());
        match (decided.verdict, self.preset) {
            (Verdict::Review, Preset::Balanced) if named => {
                allow("it is the task's verify command")
            }
            _ => decided,
        }
    }

    fn ask(&self, call: Call<'_>) -> Decision {
        let around = Around {
            workspace: self.workspace.as_deref(),
            temp: self.temp.as_ref(),
        };
        let decided = self.policy.decide(call, around);
        Decision {
            verdict: decided.verdict,
            rule: decided.why,
        }
    }
}

/// A call that cannot be understood is never run; the model is told why.
pub(crate) fn malformed() -> Decision {
    Decision {
        verdict: Verdict::Deny,
        rule: "the call is malformed".to_owned(),
    }
}

/// Asking the model is what a run is for; its budget is its policy.
pub(crate) fn model_call() -> Decision {
    allow("model calls are bounded by the budget")
}

/// A command the user wrote into the task.
pub(crate) fn users_own_command() -> Decision {
    allow("it is the task's verify command")
}

pub(crate) fn project_setup() -> Decision {
    allow("it is the project's setup command")
}

/// What an agent does without asking, by its own rules.
pub(crate) fn agents_own_rules() -> Decision {
    allow("the agent's own rules: it did not ask")
}

fn allow(rule: &str) -> Decision {
    Decision {
        verdict: Verdict::Allow,
        rule: rule.to_owned(),
    }
}

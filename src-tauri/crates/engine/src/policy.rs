//! Which operations run, which a person decides, which are refused: the rules in force for
//! a run (crate `policy`), asked about its calls.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agents::tools::Tool;
use domain::{Decision, NanoUsd, OpClass, Preset, Run, Verdict};
use policy::{Around, At, Call, Decided, Layer, NotOffered, Proposal, Temp};

use crate::core::{Core, Engine};
use crate::rule_files::InForce;

/// The rules in force for a run.
#[derive(Clone)]
pub(crate) struct Rules {
    rules: Arc<InForce>,
    preset: Preset,
    /// The task's verify command, which the user has allowed by naming it.
    verify: Option<String>,
    /// The user's folder.
    project: PathBuf,
    /// The folder the run works in.
    workspace: Option<PathBuf>,
    /// What its sandbox keeps from all others, where there is one.
    temp: Option<Temp>,
    /// What it has cost so far.
    spent: NanoUsd,
}

impl Core {
    /// The rules in force for `run` now: its preset, the user's, the project's. The
    /// project's are read from the user's folder, not from the workspace, where the run
    /// could change them.
    pub(crate) async fn rules(&self, run: &Run) -> Rules {
        let workspace = run.workspace.as_ref().map(|w| PathBuf::from(&w.path));
        let project = PathBuf::from(&run.task.project);
        Rules {
            rules: self.in_force(run.task.policy, &project).await,
            preset: run.task.policy,
            verify: run.task.verify.clone(),
            project,
            workspace,
            temp: self.private_temp().await,
            spent: run.spent.settled + run.spent.unsettled,
        }
    }
}

impl Engine {
    /// What the rules in force for `project` say of a command under a preset (the user's
    /// default if none is named), and which rule says it.
    pub async fn explain(&self, command: &str, project: &Path, preset: Option<Preset>) -> Decided {
        let rules = self.rules_in_force(preset, project).await;
        let temp = self.core.private_temp().await;
        let at = At {
            around: Around {
                workspace: Some(project),
                temp: temp.as_ref(),
            },
            spent: NanoUsd::ZERO,
        };
        rules.policy.decide(Call::Shell(command), at)
    }
}

/// A call that is decided about, with its own texts.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// It changes nothing.
    Looks,
    Command(String),
    Change {
        tool: policy::Tool,
        path: String,
        lines: u32,
    },
    /// A patch: a change each.
    Patch(Vec<Asked>),
    Other(String),
}

impl Asked {
    /// A call of a native model.
    pub(crate) fn of_tool(tool: &Tool) -> Self {
        match tool {
            Tool::Shell { command, .. } => Self::Command(command.clone()),
            Tool::Write { path, content } => Self::Change {
                tool: policy::Tool::Write,
                path: path.clone(),
                lines: lines(content),
            },
            Tool::Edit {
                path,
                old_text,
                new_text,
                ..
            } => Self::Change {
                tool: policy::Tool::Edit,
                path: path.clone(),
                lines: lines(old_text).saturating_add(lines(new_text)),
            },
            _ => Self::Looks,
        }
    }

    /// A call an agent asks permission for.
    pub(crate) fn of_call(call: &agents::ObservedCall) -> Self {
        Self::of_agent(&call.name, call.class, &call.input)
    }

    /// The same, by its tool, and its arguments as JSON.
    pub(crate) fn of_agent(name: &str, class: OpClass, input: &str) -> Self {
        let input: serde_json::Value = serde_json::from_str(input).unwrap_or_default();
        let text = |key: &str| input.get(key).and_then(serde_json::Value::as_str);
        let path = text("file_path").or_else(|| text("path"));
        match (class, text("command"), path) {
            (OpClass::Pure, _, _) => Self::Looks,
            (_, Some(command), _) => Self::Command(command.to_owned()),
            (_, None, Some(path)) => Self::Change {
                tool: match text("content") {
                    Some(_) => policy::Tool::Write,
                    None => policy::Tool::Edit,
                },
                path: path.to_owned(),
                lines: ["content", "old_string", "new_string"]
                    .into_iter()
                    .filter_map(text)
                    .fold(0, |sum, text| lines(text).saturating_add(sum)),
            },
            _ => patch(&input).map_or_else(|| Self::Other(name.to_owned()), Self::Patch),
        }
    }

    /// As one call; `None` for several.
    fn call(&self) -> Option<Call<'_>> {
        Some(match self {
            Self::Patch(_) => return None,
            Self::Looks => Call::Look,
            Self::Command(command) => Call::Shell(command),
            Self::Change { tool, path, lines } => Call::Change {
                tool: *tool,
                path,
                lines: *lines,
            },
            // What agents ask for does not come with what the tool says of itself.
            Self::Other(name) => Call::Other {
                name,
                read_only: None,
            },
        })
    }
}

/// The changes of a patch; `None` if the input names no files.
fn patch(input: &serde_json::Value) -> Option<Vec<Asked>> {
    let change = |change: &serde_json::Value| {
        Some(Asked::Change {
            tool: policy::Tool::Edit,
            path: change["path"].as_str()?.to_owned(),
            lines: lines(change["diff"].as_str().unwrap_or_default()),
        })
    };
    let changes = input["changes"].as_array()?;
    let changes: Option<Vec<Asked>> = changes.iter().map(change).collect();
    changes.filter(|changes| !changes.is_empty())
}

fn lines(text: &str) -> u32 {
    u32::try_from(text.lines().count()).unwrap_or(u32::MAX)
}

impl Rules {
    /// What they say of a call of a native model.
    pub(crate) fn decide(&self, tool: &Tool) -> Decision {
        self.judge(&Asked::of_tool(tool))
    }

    /// What they say of a call an agent asks permission for.
    pub(crate) fn decide_agent_call(&self, call: &agents::ObservedCall) -> Decision {
        self.judge(&Asked::of_call(call))
    }

    /// What they say of a call.
    pub(crate) fn judge(&self, asked: &Asked) -> Decision {
        let named = match asked {
            Asked::Looks => return allow("it changes nothing"),
            Asked::Command(command) => {
                let is = |verify: &String| verify.trim() == command.trim();
                self.verify.as_ref().is_some_and(is)
            }
            _ => false,
        };
        let Some(call) = asked.call() else {
            return self.judge_patch(asked);
        };
        let decided = self.rules.policy.decide(call, self.at());
        match (decided.verdict, self.preset) {
            (Verdict::Review, Preset::Balanced) if named => Decision {
                rule_id: Some("task:verify".to_owned()),
                ..users_own_command()
            },
            _ => Decision {
                verdict: decided.verdict,
                rule: decided.why,
                rule_id: Some(decided.rule_id),
            },
        }
    }

    /// The narrowest rules of the user's for this project that would allow it, whether or
    /// not they are written already.
    pub(crate) fn propose(&self, asked: &Asked) -> Result<Proposal, NotOffered> {
        let several = || NotOffered::InVain("it changes several files at once".to_owned());
        let call = asked.call().ok_or_else(several)?;
        let without = self.rules.policy.clone().without(policy::Source::Here);
        without.propose(call, self.at(), &self.project)
    }

    /// A patch is as grave as its gravest part.
    fn judge_patch(&self, asked: &Asked) -> Decision {
        let parts = match asked {
            Asked::Patch(parts) => parts.as_slice(),
            _ => &[],
        };
        let decided = parts.iter().rev().map(|part| self.judge(part));
        decided
            .max_by_key(|decision| decision.verdict)
            .unwrap_or_else(malformed)
    }

    /// With more rules on top.
    pub(crate) fn with(mut self, layer: Layer) -> Self {
        let with = self.rules.policy.clone().with(layer);
        self.rules = Arc::new(InForce {
            policy: with,
            ..(*self.rules).clone()
        });
        self
    }

    /// The user's folder.
    pub(crate) fn project(&self) -> &Path {
        &self.project
    }

    fn at(&self) -> At<'_> {
        At {
            around: Around {
                workspace: self.workspace.as_deref(),
                temp: self.temp.as_ref(),
            },
            spent: self.spent,
        }
    }
}

/// A call that cannot be understood is never run; the model is told why.
pub(crate) fn malformed() -> Decision {
    Decision {
        verdict: Verdict::Deny,
        rule: "the call is malformed".to_owned(),
        rule_id: None,
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
        rule_id: None,
    }
}

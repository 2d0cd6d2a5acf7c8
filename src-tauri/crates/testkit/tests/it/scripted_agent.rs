use std::{path::Path, process::Stdio, time::Duration};

use serde_json::{Value, json};
use testkit::EffectLedger;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(20);

/// The agent and the pipes to it.
struct Agent {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    seen: Vec<Value>,
}

impl Agent {
    fn start(home: &Path, script: &Value, extra: &[&str]) -> Self {
        std::fs::write(home.join("script.json"), script.to_string()).unwrap();
        let fixed = "-p --input-format stream-json --output-format stream-json --verbose --permission-prompt-tool stdio";
        let mut child = Command::new(env!("CARGO_BIN_EXE_scripted-agent"))
            .args(fixed.split(' '))
            .args(extra)
            .env_clear()
            .env("HOME", home)
            .env("PATH", "/usr/bin:/bin")
            .env("SCRIPTED_AGENT_SCRIPT", home.join("script.json"))
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            input: child.stdin.take(),
            child,
            output,
            seen: Vec::new(),
        }
    }

    async fn send(&mut self, message: Value) {
        self.input
            .as_mut()
            .unwrap()
            .write_all(format!("{message}\n").as_bytes())
            .await
            .unwrap();
    }

    async fn prompt(&mut self, text: &str) {
        self.send(
            json!({"type": "user", "message": {"role": "user", "content": text}, "session_id": ""}),
        )
        .await;
    }

    /// The next message `wanted` picks; `null` if standard output ends first.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = timeout(DEADLINE, async {
            while let Some(line) = self.output.next_line().await.unwrap() {
                let message: Value =
                    serde_json::from_str(&line).unwrap_or_else(|_| json!({"garbage": line}));
                self.seen.push(message.clone());
                if wanted(&message) {
                    return message;
                }
            }
            Value::Null
        });
        found
            .await
            .unwrap_or_else(|_| panic!("not told in time: {:#?}", self.seen))
    }

    async fn result(&mut self) -> Value {
        self.until(|m| m["type"] == "result").await
    }

    async fn permission(&mut self) -> Value {
        self.until(|m| m["request"]["subtype"] == "can_use_tool")
            .await
    }

    async fn answer(&mut self, request: &Value, response: Value) {
        let id = &request["request_id"];
        self.send(json!({"type": "control_response", "response": {"subtype": "success", "request_id": id, "response": response}})).await;
    }

    /// Closes its input and returns its exit code.
    async fn finish(mut self) -> Option<i32> {
        self.input = None;
        self.until(|_| false).await;
        timeout(DEADLINE, self.child.wait())
            .await
            .expect("an end")
            .unwrap()
            .code()
    }

    fn texts(&self) -> String {
        let blocks = self
            .seen
            .iter()
            .filter(|m| m["type"] == "assistant")
            .filter_map(|m| m["message"]["content"].as_array())
            .flatten();
        blocks
            .filter_map(|b| b["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn one_turn(steps: Value) -> Value {
    json!({"turns": [{"steps": steps, "usage": {"input": 100, "output": 9}, "cost_usd": 0.25}]})
}

#[tokio::test]
async fn an_allowed_tool_is_really_run_and_a_denied_one_is_not() {
    let home = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(
        home.path(),
        &one_turn(json!([
            {"do": "text", "text": "First a file."},
            {"do": "tool", "name": "Write", "input": {"file_path": "a.txt", "content": "hello"}},
            {"do": "tool", "name": "Bash", "input": {"command": "echo no > b.txt"}},
            {"do": "text", "text": "That was it."}
        ])),
        &["--session-id", "s-1", "--include-partial-messages"],
    );
    agent.send(json!({"type": "control_request", "request_id": "i", "request": {"subtype": "initialize"}})).await;
    let ready = agent.until(|m| m["type"] == "control_response").await;
    assert_eq!(
        (
            &ready["response"]["request_id"],
            &ready["response"]["subtype"]
        ),
        (&json!("i"), &json!("success"))
    );
    agent.prompt("go").await;
    let write = agent.permission().await;
    assert_eq!(write["request"]["tool_name"], "Write");
    assert!(
        !home.path().join("a.txt").exists(),
        "it acted before it was allowed to"
    );
    agent.answer(&write, json!({"behavior": "allow", "updatedInput": {"file_path": "a.txt", "content": "changed"}})).await;
    let bash = agent.permission().await;
    assert_eq!(
        std::fs::read_to_string(home.path().join("a.txt")).unwrap(),
        "changed"
    );
    agent
        .answer(&bash, json!({"behavior": "deny", "message": "not today"}))
        .await;
    let told = agent.until(|m| m["type"] == "user").await;
    assert_eq!(told["message"]["content"][0]["content"], "not today");
    let result = agent.result().await;
    assert_eq!(
        (&result["subtype"], &result["is_error"], &result["result"]),
        (&json!("success"), &json!(false), &json!("That was it."))
    );
    assert_eq!(
        (&result["total_cost_usd"], &result["usage"]["input_tokens"]),
        (&json!(0.25), &json!(100))
    );
    assert_eq!(result["permission_denials"].as_array().unwrap().len(), 1);
    assert!(agent.seen.iter().all(|m| m.get("request").is_some()
        || m.get("response").is_some()
        || m["session_id"] == "s-1"));
    assert!(
        agent
            .seen
            .iter()
            .any(|m| m["event"]["type"] == "message_stop")
    );
    assert!(!home.path().join("b.txt").exists());
    assert_eq!(agent.finish().await, Some(0));
}

#[tokio::test]
async fn a_resumed_session_mentions_the_interrupted_call_and_does_not_repeat_it() {
    let home = tempfile::tempdir().unwrap();
    let ledger = EffectLedger::at(home.path().join("effects"));
    let command = ledger.shell("deploy");
    let script = one_turn(json!([
        {"do": "text", "text": "Deploying."},
        {"do": "tool", "name": "Bash", "input": {"command": command}, "die": "after"},
        {"do": "text", "text": "Now the rest."}
    ]));
    let skip_permissions = ["--permission-mode", "bypassPermissions"];
    let mut agent = Agent::start(
        home.path(),
        &script,
        &[&["--session-id", "s-2"], &skip_permissions[..]].concat(),
    );
    agent.prompt("go").await;
    assert_eq!(
        agent.result().await,
        Value::Null,
        "it was to die before the result"
    );
    assert_eq!(ledger.count("deploy").unwrap(), 1);

    let mut again = Agent::start(
        home.path(),
        &script,
        &[&["--resume", "s-2"], &skip_permissions[..]].concat(),
    );
    again.prompt("continue please").await;
    let result = again.result().await;
    assert_eq!(
        (&result["result"], &result["session_id"]),
        (&json!("Now the rest."), &json!("s-2"))
    );
    assert!(again.texts().contains("[Tool call interrupted:"));
    assert!(
        !again.texts().contains("Deploying."),
        "finished steps are not told again"
    );
    ledger.at_most_once("deploy").unwrap();
    drop(again);

    let reuse = Agent::start(home.path(), &script, &["--session-id", "s-2"]);
    assert_eq!(reuse.finish().await, Some(1));
    let mut unknown = Agent::start(home.path(), &script, &["--resume", "s-3"]);
    assert_eq!(
        unknown.result().await["errors"][0],
        "No conversation found with session ID: s-3"
    );
}

#[tokio::test]
async fn a_careless_agent_repeats_the_call_when_told_to() {
    let home = tempfile::tempdir().unwrap();
    let ledger = EffectLedger::at(home.path().join("effects"));
    let mut script = one_turn(
        json!([{"do": "tool", "name": "Bash", "input": {"command": ledger.shell("pay")}}, {"do": "text", "text": "Paid."}]),
    );
    script["on_resume"] = json!("repeat");
    script["turns"][0]["steps"][0]["die"] = json!("asked");
    let mut agent = Agent::start(home.path(), &script, &["--session-id", "s"]);
    agent.prompt("go").await;
    agent.permission().await;
    assert_eq!(agent.result().await, Value::Null);
    script["turns"][0]["steps"][0]["die"] = Value::Null;
    let mut again = Agent::start(home.path(), &script, &["--resume", "s"]);
    again.prompt("go on").await;
    let asked = again.permission().await;
    again.answer(&asked, json!({"behavior": "allow"})).await;
    assert_eq!(again.result().await["result"], "Paid.");
    assert_eq!(ledger.count("pay").unwrap(), 1);
}

#[tokio::test]
async fn an_interrupt_stops_the_command_and_the_turn() {
    let home = tempfile::tempdir().unwrap();
    let ledger = EffectLedger::at(home.path().join("effects"));
    let command = format!(
        "{}; sleep 60; {}",
        ledger.shell("begun"),
        ledger.shell("ended")
    );
    let script = one_turn(
        json!([{"do": "tool", "name": "Bash", "input": {"command": command}}, {"do": "text", "text": "Not said."}]),
    );
    let mut agent = Agent::start(
        home.path(),
        &script,
        &["--permission-mode", "bypassPermissions"],
    );
    agent.prompt("go").await;
    ledger.wait_for("begun", 1, DEADLINE).await.unwrap();
    agent.send(json!({"type": "control_request", "request_id": "x", "request": {"subtype": "interrupt"}})).await;
    let result = agent.result().await;
    assert_eq!(
        (&result["subtype"], &result["terminal_reason"]),
        (&json!("error_during_execution"), &json!("aborted_tools"))
    );
    assert!(!agent.texts().contains("Not said."));
    assert_eq!(agent.finish().await, Some(1));
    assert_eq!(ledger.count("ended").unwrap(), 0);
}

#[tokio::test]
async fn failures_are_told_as_the_real_one_tells_them() {
    let home = tempfile::tempdir().unwrap();
    let script = json!({"turns": [{
        "steps": [
            {"do": "api_retry", "status": 429, "error": "rate_limit", "delay_ms": 1},
            {"do": "garbage", "text": "Segmentation fault (not really)"}
        ],
        "error": {"message": "API Error: Request rejected (429)", "status": 429}
    }]});
    let mut agent = Agent::start(home.path(), &script, &[]);
    agent.prompt("go").await;
    let result = agent.result().await;
    assert_eq!(
        (
            &result["subtype"],
            &result["is_error"],
            &result["api_error_status"]
        ),
        (&json!("success"), &json!(true), &json!(429))
    );
    let told = |wanted: &dyn Fn(&Value) -> bool| agent.seen.iter().any(wanted);
    assert!(told(
        &|m| m["subtype"] == "api_retry" && m["error_status"] == 429
    ));
    assert!(told(&|m| m["garbage"]
        .as_str()
        .is_some_and(|g| g.starts_with("Segmentation"))));
    assert!(told(&|m| m["message"]["model"] == "<synthetic>"));
    assert_eq!(agent.finish().await, Some(1));
}

#[tokio::test]
async fn a_deaf_agent_can_only_be_killed() {
    let home = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(
        home.path(),
        &one_turn(json!([{"do": "text", "text": "Hm."}, {"do": "hang", "deaf": true}])),
        &[],
    );
    agent.prompt("go").await;
    agent.until(|m| m["type"] == "assistant").await;
    // The hanging request; it does not hear from here on.
    agent.until(|m| m["status"] == "requesting").await;
    agent.send(json!({"type": "control_request", "request_id": "x", "request": {"subtype": "interrupt"}})).await;
    agent.until(|m| m["type"] == "control_response").await;
    agent.child.start_kill().unwrap();
    assert_eq!(agent.result().await, Value::Null, "it minded the interrupt");
}

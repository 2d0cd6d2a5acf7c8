//! systemd user unit (systemd.service(5), systemd.kill(5)).

use super::ServiceFacts;

/// The unit's text. `KillMode=process`: a restart or upgrade of the daemon must not
/// touch the keepers, which live in its cgroup.
pub(crate) fn unit(facts: &ServiceFacts) -> String {
    format!(
        "\
[Unit]
Description=Longhaul daemon: long AI-agent runs
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=exec
ExecStart={program} daemon run
Environment={home}
Environment={path}
Restart=on-failure
RestartSec=2
KillMode=process
TimeoutStopSec=90

[Install]
WantedBy=default.target
",
        program = quoted(&facts.program),
        home = quoted(&format!("LONGHAUL_HOME={}", facts.home)),
        path = quoted(&format!("PATH={}", facts.path)),
    )
}

/// Quoted as systemd.syntax(7) asks, with its specifiers and variables switched off.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}

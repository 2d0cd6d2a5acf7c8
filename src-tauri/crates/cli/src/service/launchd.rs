//! launchd agent (launchd.plist(5)).

use super::{ServiceFacts, xml};

/// The property list's text. `AbandonProcessGroup`: keepers outlive the daemon.
pub(crate) fn plist(facts: &ServiceFacts) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>dev.longhaul.daemon</string>
  <key>ProgramArguments</key>
  <array><string>{program}</string><string>daemon</string><string>run</string></array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>LONGHAUL_HOME</key><string>{home}</string>
    <key>PATH</key><string>{path}</string>
  </dict>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
  <key>AbandonProcessGroup</key><true/>
</dict>
</plist>
"#,
        program = xml(&facts.program),
        home = xml(&facts.home),
        path = xml(&facts.path),
    )
}

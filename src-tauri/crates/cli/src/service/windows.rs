//! Windows logon task (Task Scheduler schema 1.2).

use super::{ServiceFacts, xml};

/// The task's XML. A task has no environment of its own, so the home is set by `cmd`.
pub(crate) fn task(facts: &ServiceFacts) -> String {
    let command = format!(
        "/d /c set \"LONGHAUL_HOME={}\" && \"{}\" daemon run",
        facts.home, facts.program
    );
    format!(
        r#"<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>5</Count></RestartOnFailure>
  </Settings>
  <Actions><Exec><Command>cmd.exe</Command><Arguments>{}</Arguments></Exec></Actions>
</Task>
"#,
        xml(&command)
    )
}

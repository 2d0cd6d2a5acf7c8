//! What the shell can be told to do. The tray's menu and the window's palette name an
//! action by the same id; `ui/src/actions` has the window's side of this table.

use domain::RunId;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Shows what somebody must decide.
    OpenInbox,
    /// Shows a run.
    OpenRun(RunId),
    /// Lets a stopped run go on.
    ResumeRun(RunId),
    /// Lets all interrupted runs go on. Those somebody paused stay paused.
    ResumeInterrupted,
    /// Stops all runs at their next operation boundary.
    PauseAll,
    /// Shows the form for a new run.
    NewRun,
    /// Shows the window.
    OpenWindow,
    /// Ends this program. Runs go on.
    QuitWindow,
    /// Ends the daemon at the runs' next operation boundaries, once confirmed.
    StopEverything,
    /// Starts a daemon that was stopped.
    StartDaemon,
}

/// Actions without an object: id, action, the menu's words.
const TABLE: &[(&str, Action, &str)] = &[
    ("go.inbox", Action::OpenInbox, "Inbox"),
    (
        "runs.resume-interrupted",
        Action::ResumeInterrupted,
        "Resume all",
    ),
    ("app.pause-all", Action::PauseAll, "Pause all"),
    ("app.new-run", Action::NewRun, "New run…"),
    ("window.open", Action::OpenWindow, "Open Longhaul"),
    (
        "window.quit",
        Action::QuitWindow,
        "Quit window (runs go on)",
    ),
    ("daemon.stop", Action::StopEverything, "Stop everything…"),
    ("daemon.start", Action::StartDaemon, "Start Longhaul again"),
];

/// Ids of actions on a run: what stands before `:RUN`.
const OPEN_RUN: &str = "run.open";
const RESUME_RUN: &str = "run.resume";

impl Action {
    /// The id, with the object behind a colon where there is one.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::OpenRun(run) => format!("{OPEN_RUN}:{run}"),
            Self::ResumeRun(run) => format!("{RESUME_RUN}:{run}"),
            plain => plain.entry().0.to_owned(),
        }
    }

    /// The action of an id; none for one the shell does not know.
    pub(crate) fn of(id: &str) -> Option<Self> {
        match id.split_once(':') {
            Some((OPEN_RUN, run)) => run.parse().ok().map(Self::OpenRun),
            Some((RESUME_RUN, run)) => run.parse().ok().map(Self::ResumeRun),
            Some(_) => None,
            None => TABLE
                .iter()
                .find(|(known, ..)| *known == id)
                .map(|(_, action, _)| action.clone()),
        }
    }

    /// The menu's words for an action without an object.
    pub(crate) fn words(&self) -> &'static str {
        self.entry().2
    }

    fn entry(&self) -> &'static (&'static str, Self, &'static str) {
        TABLE
            .iter()
            .find(|(_, action, _)| action == self)
            .expect("every action without an object is in the table")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_action() {
        let run: RunId = "01990000-0000-7000-8000-000000000001"
            .parse()
            .expect("an id");
        let plain = TABLE.iter().map(|(_, action, _)| action.clone());
        for action in plain.chain([Action::OpenRun(run), Action::ResumeRun(run)]) {
            assert_eq!(Action::of(&action.id()), Some(action));
        }
    }

    #[test]
    fn unknown_ids_do_nothing() {
        for id in [
            "",
            "run.resume",
            "run.resume:all",
            "run.delete:0199",
            "stop",
        ] {
            assert_eq!(Action::of(id), None, "{id}");
        }
    }
}

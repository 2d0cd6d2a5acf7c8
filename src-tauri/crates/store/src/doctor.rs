//! Everything that can be verified about a home, in plain words.

use std::path::Path;

use sqlx::SqliteConnection;

use crate::anchor::{self, Found};
use crate::error::{OpenError, ReadError};
use crate::{backup, connect, inspect, open};

const RESTORE: &str =
    "Put a backup back with `longhaul restore FILE`; what is there now is kept aside.";

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found, in words.
    pub detail: String,
    /// What can be done, when something is wrong.
    pub hint: Option<String>,
}

/// What doctor found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Every check, in the order made.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn ok(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }

    fn good(&mut self, name: &'static str, detail: impl Into<String>) {
        self.checks.push(Check {
            name,
            ok: true,
            detail: detail.into(),
            hint: None,
        });
    }

    fn bad(&mut self, name: &'static str, detail: impl Into<String>, hint: &str) {
        let hint = Some(hint.to_owned());
        self.checks.push(Check {
            name,
            ok: false,
            detail: detail.into(),
            hint,
        });
    }

    fn problems(
        &mut self,
        name: &'static str,
        good: &str,
        found: Result<Vec<String>, ReadError>,
        hint: &str,
    ) {
        match found {
            Ok(problems) if problems.is_empty() => self.good(name, good),
            Ok(problems) => self.bad(name, problems.join("; "), hint),
            Err(error) => self.bad(name, error.to_string(), hint),
        }
    }

    fn opening(&mut self, name: &'static str, good: &str, found: Result<(), OpenError>) {
        match found {
            Ok(()) => self.good(name, good),
            Err(error) => self.bad(name, error.to_string(), error.hint()),
        }
    }
}

/// Verifies a home. Reads only; a daemon may be running.
pub async fn doctor(home: &Path) -> Report {
    let mut report = Report::default();
    let file = connect::db_path(home);
    if !file.exists() {
        let error = OpenError::Missing {
            home: home.display().to_string(),
        };
        report.bad("store", error.to_string(), error.hint());
        return report;
    }
    // The anchor is read first: the journal may only grow meanwhile.
    let anchored = anchor::read(home);
    match connect::reader(&file).await {
        Ok(mut conn) => examine(&mut report, &mut conn, home, anchored).await,
        Err(error) => {
            let error = OpenError::from_db(&error);
            report.bad("store", error.to_string(), error.hint());
        }
    }
    backups(&mut report, home).await;
    report
}

async fn examine(
    report: &mut Report,
    conn: &mut SqliteConnection,
    home: &Path,
    anchored: std::io::Result<Found>,
) {
    report.opening(
        "library",
        "without known faults",
        connect::check_version(conn).await,
    );
    match open::version_of(conn).await {
        Ok(found) if found == open::known_version() => report.good("format", format!("{found}")),
        Ok(found) if found > open::known_version() => {
            let error = OpenError::NewerSchema {
                found,
                known: open::known_version(),
            };
            return report.bad("format", error.to_string(), error.hint());
        }
        Ok(found) => {
            return report.bad(
                "format",
                format!("{found} is older than this Longhaul's"),
                "Start the daemon: it brings the store up to date, with a backup before.",
            );
        }
        Err(error) => return report.bad("format", error.to_string(), RESTORE),
    }
    report.opening(
        "settings",
        "as they must be",
        connect::check_file_settings(conn).await,
    );
    report.problems("pages", "sound", inspect::pages(conn).await, RESTORE);
    report.problems(
        "journal",
        "every event is what was recorded",
        inspect::chains(conn).await,
        RESTORE,
    );
    check_anchor(report, conn, anchored).await;
    let snapshots = inspect::bad_snapshots(conn).await;
    report.problems(
        "snapshots",
        "sound",
        snapshots,
        "Nothing is lost: the journal is read from further back.",
    );
    match inspect::contents(conn, home).await {
        Ok((count, problems)) if problems.is_empty() => {
            report.good("contents", format!("{count}, each what was stored"));
        }
        Ok((_, problems)) => report.bad("contents", problems.join("; "), RESTORE),
        Err(error) => report.bad("contents", error.to_string(), RESTORE),
    }
    let projections = inspect::wrong_projections(conn, home).await;
    report.problems("projections", "what the journal says", projections, RESTORE);
    report.problems(
        "locks",
        "each is held by a run that may work",
        inspect::idle_leases(conn).await,
        "Restart the daemon (`longhaul daemon stop`; the next command starts it): it gives them back.",
    );
}

async fn check_anchor(
    report: &mut Report,
    conn: &mut SqliteConnection,
    anchored: std::io::Result<Found>,
) {
    let anchored = match anchored {
        Ok(anchored) => anchored,
        Err(error) => return report.bad("anchor", error.to_string(), RESTORE),
    };
    let id = match open::read_store_id(conn).await {
        Ok(Some(id)) => id,
        _ => return report.bad("anchor", "the store's id is unreadable", RESTORE),
    };
    let checked = open::check_anchor(conn, id, anchored).await;
    match (checked, anchored) {
        (Err(error), _) => report.bad("anchor", error.to_string(), error.hint()),
        (Ok(0), _) => report.good("anchor", "there is nothing recorded yet"),
        (Ok(_), Found::None) => report.bad(
            "anchor",
            "there is none, so a lost end of the journal would go unseen",
            "It is written again with the next event. Compare the newest runs with what you remember.",
        ),
        (Ok(_), Found::Mark { bad_slots: 2.., .. }) => report.bad(
            "anchor",
            "some of it is unreadable; its newest mark agrees with the journal",
            "Nothing is lost. It is written again with the next events.",
        ),
        (Ok(_), Found::Mark { bad_slots: 1, .. }) => report.bad(
            "anchor",
            "one of its marks is unreadable (a power loss can tear one); the newest readable one agrees with the journal",
            "Nothing is known to be lost. It is written again with the next events.",
        ),
        (Ok(last), _) => report.good("anchor", format!("agrees with the journal's end ({last})")),
    }
}

async fn backups(report: &mut Report, home: &Path) {
    let found = match backup::own_backups(home) {
        Ok(found) => found,
        Err(error) => {
            return report.bad(
                "backups",
                error.to_string(),
                "Check the folder's permissions.",
            );
        }
    };
    let Some((_, newest)) = found.last() else {
        return report.good("backups", "none yet; the first is made within a day");
    };
    let verified = match connect::plain(newest).await {
        Ok(mut conn) => backup::verify(&mut conn, newest).await,
        Err(error) => Err(error.into()),
    };
    match verified {
        Ok(()) => report.good("backups", format!("{}, the newest is usable", found.len())),
        Err(error) => report.bad(
            "backups",
            error.to_string(),
            "Make a new one with `longhaul backup`.",
        ),
    }
}

//! What must hold after any crash, each broken rule in words. An empty list is a pass.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Event, OpOutcome, RunId, RunState};
use protocol::{DoctorRequest, FindingLevel, LogEntry, ReviewsRequest, RunView, ShowRequest};
use testkit::model_server::Outcome;
use testkit::processes::ProcessId;
use testkit::project::CALC_FIXED;

use super::bills;
use super::journals::{self, Call, Ending};
use super::script::{self, NOTES};
use super::world::{World, comes_true};

/// How long the event stream may lag, and processes may take to end.
const LAG: Duration = Duration::from_secs(10);

/// Checks a home whose runs are all completed and whose daemon runs.
pub(crate) async fn check(world: &World) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    let mut journals = BTreeMap::new();
    for run in world.runs() {
        journals.insert(run, journals::journal(&world.client, run).await?);
    }
    nothing_forgotten(world, &journals, &mut complaints).await?;
    decisions_kept(world, &journals, &mut complaints);
    let calls: Vec<Call> = journals
        .iter()
        .flat_map(|(run, e)| journals::calls(*run, e))
        .collect();
    effects_true(world, &calls, &mut complaints)?;
    commands_adopted(world, &calls, &mut complaints);
    nothing_open(world, &calls, &mut complaints).await?;
    for (run, entries) in &journals {
        let request = ShowRequest {
            run: run.to_string(),
            ..ShowRequest::default()
        };
        let shown = world.client.show(request).await?;
        run_is_whole(&shown, &mut complaints);
        bills_agree(world, &shown, entries, &mut complaints);
    }
    histories_legal(world, &mut complaints);
    project_untouched(world, &mut complaints)?;
    doctor_content(world, &mut complaints).await?;
    no_orphans(world, &mut complaints).await;
    if world.deaths == 1 && world.resumed > 0 {
        complaints.push("after one crash a run did not go on by itself".to_owned());
    }
    Ok(complaints)
}

/// Everything that was ever shown is in the journal, unchanged, and the stream showed all.
async fn nothing_forgotten(
    world: &World,
    journals: &BTreeMap<RunId, Vec<LogEntry>>,
    complaints: &mut Vec<String>,
) -> anyhow::Result<()> {
    let witness = world.witness()?;
    let recorded: usize = journals.values().map(Vec::len).sum();
    comes_true(LAG, || witness.count() >= recorded).await;
    let seen = witness.entries();
    complaints.extend(witness.complaints());
    for ((run, seq), entry) in &seen {
        let index = usize::try_from(*seq).unwrap_or(0).wrapping_sub(1);
        match journals.get(run).and_then(|entries| entries.get(index)) {
            Some(kept) if kept.event == entry.event && kept.at == entry.at && kept.seq == *seq => {}
            kept => complaints.push(format!(
                "an acknowledged event was lost or changed: run {run} event {seq} was {entry:?} and is {kept:?}"
            )),
        }
    }
    for (run, entries) in journals {
        let numbered = entries.iter().zip(1..).all(|(entry, seq)| entry.seq == seq);
        if !numbered {
            complaints.push(format!("run {run}: its journal has gaps"));
        }
        let shown = seen.range((*run, 0)..=(*run, u64::MAX)).count();
        if shown != entries.len() {
            complaints.push(format!(
                "run {run}: the event stream showed {shown} of {} events",
                entries.len()
            ));
        }
    }
    Ok(())
}

/// Every acknowledged task and decision is there; every decision is used once at most.
fn decisions_kept(
    world: &World,
    journals: &BTreeMap<RunId, Vec<LogEntry>>,
    complaints: &mut Vec<String>,
) {
    let events = || journals.values().flatten().map(|entry| &entry.event);
    for (id, choice) in &world.decisions {
        let times = events()
            .filter(|e| matches!(e, Event::ReviewDecided { review, answer } if review == id && answer.choice == *choice))
            .count();
        if times != 1 {
            complaints.push(format!(
                "the acknowledged decision '{choice}' on review {id} is recorded {times} times"
            ));
        }
        let used = events()
            .filter(|e| matches!(e, Event::ReviewUsed { review } if review == id))
            .count();
        if used != 1 {
            complaints.push(format!("the decision on review {id} was used {used} times"));
        }
    }
}

/// The world has every effect once, and the journal says so.
fn effects_true(world: &World, calls: &[Call], complaints: &mut Vec<String>) -> anyhow::Result<()> {
    for task in &world.tasks {
        for effect in script::effects_of(&task.name) {
            let times = world.effects.count(&effect)?;
            let of_it: Vec<&Call> = calls
                .iter()
                .filter(|c| c.effect() == Some(&effect))
                .collect();
            if times > 1 {
                complaints.push(format!(
                    "the effect {effect} happened {times} times: {of_it:?}"
                ));
            }
            let [call] = of_it.as_slice() else {
                complaints.push(format!(
                    "{} calls were to have the effect {effect}",
                    of_it.len()
                ));
                continue;
            };
            let done = matches!(
                call.ending,
                Ending::Happened
                    | Ending::Answered {
                        outcome: OpOutcome::Ok,
                        ..
                    }
            );
            // A keeper that was killed before its child began is told to the agent as such.
            let told_not_begun =
                matches!(&call.ending, Ending::Answered { .. }) && world.keepers_killed;
            let answered = matches!(call.ending, Ending::Answered { .. }) && done;
            if answered && effect.ends_with("-pay") && !call.told.contains("paid") {
                complaints.push(format!("what a command printed was lost: {call:?}"));
            }
            if done != (times > 0) || !(done || told_not_begun) {
                complaints.push(format!(
                    "the effect {effect} happened {times} times, and the journal says {call:?}"
                ));
            }
        }
    }
    Ok(())
}

/// A command whose keeper lived through the daemon's death ends, and its end is recorded.
fn commands_adopted(world: &World, calls: &[Call], complaints: &mut Vec<String>) {
    for keeper in &world.left_alive {
        let Some(call) = calls.iter().find(|call| call.keepers.contains(keeper)) else {
            complaints.push(format!("no journal knows the living keeper {keeper}"));
            continue;
        };
        let adopted = call.ended_by.as_ref() == Some(keeper)
            && matches!(call.ending, Ending::Answered { .. });
        if !adopted {
            complaints.push(format!(
                "the command of the living keeper {keeper} was not adopted: {call:?}"
            ));
        }
    }
    for call in calls
        .iter()
        .filter(|call| call.in_doubt > 0 && !world.keepers_killed)
    {
        complaints.push(format!(
            "only the daemon died, and yet something was in doubt: {call:?}"
        ));
    }
}

/// Every operation is over, and nothing is left to be decided.
async fn nothing_open(
    world: &World,
    calls: &[Call],
    complaints: &mut Vec<String>,
) -> anyhow::Result<()> {
    for call in calls {
        let settled = match &call.ending {
            Ending::Answered {
                outcome: OpOutcome::Ok,
                ..
            }
            | Ending::Happened => true,
            Ending::Answered { .. } => world.keepers_killed,
            Ending::Open | Ending::Skipped | Ending::Failed(_) => false,
        };
        if !settled {
            complaints.push(format!(
                "run {}: {} ended as {:?}: {call:?}",
                call.run, call.op, call.ending
            ));
        }
    }
    let reviews = world
        .client
        .reviews(ReviewsRequest::default())
        .await?
        .reviews;
    if !reviews.is_empty() {
        complaints.push(format!("reviews are left of completed runs: {reviews:?}"));
    }
    Ok(())
}

/// The run did what it was to do, in its own files.
fn run_is_whole(run: &RunView, complaints: &mut Vec<String>) {
    if run.state != RunState::Completed {
        complaints.push(format!("run {} is {}", run.id, run.state));
    }
    let Some(path) = &run.workspace.path else {
        return complaints.push(format!("run {} has no workspace", run.id));
    };
    for (file, wanted) in [("calc.sh", CALC_FIXED), ("NOTES.md", NOTES)] {
        let found = std::fs::read_to_string(std::path::Path::new(path).join(file));
        if found.as_deref().ok() != Some(wanted) {
            complaints.push(format!("run {}: {file} is {found:?}", run.id));
        }
    }
}

fn bills_agree(world: &World, run: &RunView, entries: &[LogEntry], complaints: &mut Vec<String>) {
    let Some(task) = world.tasks.iter().find(|task| task.run == Some(run.id)) else {
        return;
    };
    let marker = format!("task={}]]", task.name);
    let requests = world.model.requests();
    let mine = |id: &str| {
        requests
            .iter()
            .any(|r| r.request_id == id && r.body["messages"][0].to_string().contains(&marker))
    };
    let rows: Vec<_> = world
        .model
        .ledger()
        .rows
        .into_iter()
        .filter(|row| mine(&row.request_id))
        .collect();
    bills::check(run, entries, &rows, complaints);
}

/// The model server checks every history as the vendor does.
fn histories_legal(world: &World, complaints: &mut Vec<String>) {
    for request in world.model.requests() {
        if let Outcome::Error {
            status: 400..=499,
            message,
        } = &request.outcome
        {
            complaints.push(format!("the model server refused a request: {message}"));
        }
    }
}

fn project_untouched(world: &World, complaints: &mut Vec<String>) -> anyhow::Result<()> {
    let (status, head) = (world.project.status()?, world.project.head()?);
    if !status.is_empty() || head != world.project_head {
        complaints.push(format!(
            "the user's project was changed: {status:?}, {head}"
        ));
    }
    Ok(())
}

async fn doctor_content(world: &World, complaints: &mut Vec<String>) -> anyhow::Result<()> {
    let report = world.client.doctor(DoctorRequest::default()).await?;
    for finding in report
        .findings
        .iter()
        .filter(|f| f.level == FindingLevel::Problem)
    {
        complaints.push(format!("doctor: {}: {}", finding.area, finding.what));
    }
    if !report.ok {
        complaints.push("doctor says that something is broken".to_owned());
    }
    Ok(())
}

/// Nothing but the daemon runs.
async fn no_orphans(world: &World, complaints: &mut Vec<String>) {
    let daemon = ProcessId::of(world.daemon.pid());
    let others = || {
        let mut all = world.daemon.home.processes();
        all.retain(|process| Some(*process) != daemon);
        all
    };
    if !comes_true(LAG, || others().is_empty()).await {
        complaints.push(format!("processes were left behind: {:?}", others()));
    }
}

//! What is told, how often, and together with what.

use domain::{Event, QueueReason};
use protocol::{NoticeAction, NoticeKind};

use super::*;

#[test]
fn each_kind_is_told_once() {
    let mut stage = Stage::new();
    stage.happens(1, asks(1, 11));
    stage.happens(2, finished());
    stage.happens(3, failed("the server kept failing"));
    stage.happens(4, interrupted());
    stage.happens(5, Event::BudgetWarned);
    let told = stage.told(10);
    let kinds: Vec<NoticeKind> = told.iter().map(|n| n.kind).collect();
    use NoticeKind::*;
    assert_eq!(kinds, [NeedsYou, Failed, Interrupted, Budget, Finished]);
    assert_eq!(told[0].title, "“Task 1” needs you");
    assert_eq!(told[1].body, "the server kept failing");
    assert_eq!(told[2].actions, [NoticeAction::Resume, NoticeAction::Open]);
    assert_eq!(stage.told(600), []);
}

#[test]
fn what_is_not_worth_it_is_not_told() {
    let mut stage = Stage::new();
    stage.happens(1, queued(QueueReason::New));
    stage.happens(1, Event::Noted { text: "x".into() });
    stage.happens(1, Event::Cancelled { by: "user".into() });
    stage.happens(2, Event::Paused { by: "user".into() });
    assert_eq!(stage.told(3600), []);
}

#[test]
fn several_runs_within_seconds_are_one_notice() {
    let mut stage = Stage::new();
    for run in 1..=4 {
        stage.happens(run, asks(run, 10 + run));
    }
    stage.happens(5, finished());
    let told = stage.told(10);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(told[0].title, "4 runs need you");
    assert_eq!(told[0].body, "“Task 1”, “Task 2” and 2 more");
    assert_eq!(told[0].actions, [NoticeAction::Open]);
    assert_eq!(told[0].link, "longhaul://inbox");
    assert_eq!(told[0].runs.len(), 4);
    assert_eq!(told[1].title, "“Task 5” is finished");
}

#[test]
fn a_run_is_told_of_at_most_once_a_minute_and_the_rest_is_summed_up() {
    let mut stage = Stage::new();
    stage.happens(1, asks(1, 11));
    assert_eq!(stage.told(5).len(), 1);
    stage.happens(1, asks(1, 12));
    assert_eq!(stage.told(20), []);
    stage.happens(1, asks(1, 13));
    assert_eq!(stage.told(25), []);
    // Another run does not wait for it.
    stage.happens(2, finished());
    assert_eq!(stage.told(5).len(), 1);
    let told = stage.told(60);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].title, "“Task 1” needs you");
    assert!(told[0].body.ends_with("(and 1 more)"), "{}", told[0].body);
    assert_eq!(told[0].slot, format!("run:{}", run_id(1)));
}

#[test]
fn no_run_is_ever_told_of_twice_in_a_minute() {
    let mut stage = Stage::new();
    let mut last: std::collections::BTreeMap<RunId, Timestamp> = Default::default();
    let mut count = 0;
    // Every 7 s something happens to one of three runs.
    for n in 0..400u128 {
        let run = n % 3 + 1;
        let event = match n % 5 {
            0 => interrupted(),
            1 => queued(QueueReason::Restarted),
            2 => Event::BudgetWarned,
            _ => asks(run, 1000 + n),
        };
        stage.happens(run, event);
        for notice in stage.told(7) {
            count += 1;
            for run in notice.runs {
                let at = notice.at.0;
                if let Some(before) = last.insert(run, at) {
                    assert!(at.ms_since(before) >= 60_000, "{run:?} after {before:?}");
                }
            }
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn what_is_no_longer_true_is_closed_or_never_told() {
    let mut stage = Stage::new();
    stage.happens(1, asks(1, 11));
    stage.happens(1, decided(11));
    assert_eq!(stage.after(120), Changes::default());
    stage.happens(1, asks(1, 12));
    let told = stage.told(10);
    stage.happens(1, decided(12));
    assert_eq!(stage.after(1).close, [told[0].id.clone()]);
    // The end of a run closes what it asked for; a resumed one has not failed.
    stage.happens(2, asks(2, 21));
    let told = stage.told(10);
    stage.happens(2, failed("x"));
    let changes = stage.after(70);
    assert_eq!(changes.close, [told[0].id.clone()]);
    assert_eq!(changes.show.len(), 1);
    stage.happens(2, queued(QueueReason::Resumed));
    assert_eq!(stage.after(1).close, [changes.show[0].id.clone()]);
}

#[test]
fn a_group_is_closed_when_nothing_of_it_is_true_any_more() {
    let mut stage = Stage::new();
    stage.happens(1, asks(1, 11));
    stage.happens(2, asks(2, 21));
    let told = stage.told(10);
    stage.happens(1, decided(11));
    assert_eq!(stage.after(1).close, [""; 0]);
    stage.happens(2, decided(21));
    assert_eq!(stage.after(1).close, [told[0].id.clone()]);
}

#[test]
fn interruptions_are_one_notice_whatever_became_of_them() {
    let mut stage = Stage::new();
    for run in 1..=5 {
        stage.happens(run, interrupted());
    }
    for run in 1..=3 {
        stage.happens(run, queued(QueueReason::Restarted));
    }
    let told = stage.told(10);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].title, "5 runs were interrupted");
    assert_eq!(
        told[0].body,
        "3 went on by themselves, 2 wait for you: “Task 4” and “Task 5”."
    );
    assert_eq!(told[0].actions, [NoticeAction::Resume, NoticeAction::Open]);
    let mut stage = Stage::new();
    stage.happens(1, interrupted());
    stage.happens(1, queued(QueueReason::Restarted));
    let told = stage.told(10);
    assert!(told[0].body.ends_with("It went on by itself."), "{told:#?}");
    assert_eq!(told[0].actions, [NoticeAction::Open]);
}

#[test]
fn a_limit_is_told_when_it_lasts_a_quarter_of_an_hour() {
    let mut stage = Stage::new();
    stage.happens(1, limited(None));
    assert_eq!(stage.told(14 * 60), []);
    // Looking again is the same wait.
    stage.happens(1, limited(None));
    let told = stage.told(90);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].title, "“Task 1” waits for a limit");
    assert_eq!(stage.told(3600), []);
    stage.happens(1, unlimited());
    assert_eq!(stage.after(1).close, [told[0].id.clone()]);
    // A short one is not told; one that is known to be long is told at once.
    stage.happens(2, limited(Some(stage.now.plus_ms(60_000))));
    stage.told(60);
    stage.happens(2, unlimited());
    assert_eq!(stage.told(3600), []);
    stage.happens(3, limited(Some(stage.now.plus_ms(3 * 3_600_000))));
    let told = stage.told(5);
    assert!(told[0].body.contains("in about 3 h"), "{}", told[0].body);
}

#[test]
fn what_is_not_wanted_is_not_told_now_or_later() {
    let mut stage = Stage::new();
    stage.wishes.kinds = vec![NoticeKind::Failed];
    stage.happens(1, finished());
    stage.happens(2, failed("x"));
    assert_eq!(stage.told(10).len(), 1);
    stage.wishes.kinds.clear();
    stage.happens(3, failed("x"));
    assert_eq!(stage.told(10), []);
    stage.wishes = Wishes::all();
    stage.restart();
    assert_eq!(stage.told(600), []);
}

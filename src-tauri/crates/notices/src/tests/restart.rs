//! Nothing is told twice, and what is still true is told once.

use domain::{QueueReason, Wait};

use super::*;

#[test]
fn nothing_is_told_twice_after_a_restart() {
    let mut stage = Stage::new();
    stage.happens(1, asks(1, 11));
    stage.happens(2, finished());
    assert_eq!(stage.told(10).len(), 2);
    stage.restart();
    assert_eq!(stage.told(600), []);
}

#[test]
fn what_was_not_told_yet_is_told_by_the_next_daemon_if_it_is_still_true() {
    let mut stage = Stage::new();
    stage.happens(1, asks(1, 11));
    stage.happens(2, asks(2, 21));
    stage.happens(3, finished());
    // It dies before anything is told; meanwhile one of them is decided.
    stage.restart();
    stage.happens(2, decided(21));
    let told = stage.told(10);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(told[0].title, "“Task 1” needs you");
    stage.restart();
    assert_eq!(stage.told(600), []);
}

#[test]
fn what_is_held_back_keeps_its_place_while_later_things_are_told() {
    let mut stage = Stage::new();
    stage.happens(1, asks(1, 11));
    assert_eq!(stage.told(5).len(), 1);
    // Held back for a minute; another run's news passes it.
    stage.happens(1, asks(1, 12));
    stage.happens(2, finished());
    assert_eq!(stage.told(5).len(), 1);
    stage.restart();
    // The minute is kept over the restart, too.
    assert_eq!(stage.told(40), []);
    let told = stage.told(30);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].review, Some(review_id(12)));
}

#[test]
fn a_notice_that_reached_nobody_is_told_again() {
    let mut stage = Stage::new();
    stage.happens(1, asks(1, 11));
    stage.now = stage.board.next().unwrap();
    assert_eq!(stage.board.due(stage.now, &Wishes::all()).show.len(), 1);
    let undelivered = stage.board.memory(stage.now).clone();
    assert_eq!(undelivered.mark, 0);
    let mut undelivered = undelivered;
    undelivered.recent.clear();
    stage.restart_with(undelivered);
    assert_eq!(stage.told(10).len(), 1);
}

#[test]
fn a_wait_for_a_limit_is_told_once_over_restarts() {
    let mut stage = Stage::new();
    stage.happens(1, limited(None));
    let wait = Wait {
        cause: WaitCause::RateLimit,
        until: None,
        detail: "limit".to_owned(),
        since: stage.now,
    };
    assert_eq!(stage.told(600), []);
    stage.restart();
    stage.board.waits(run_id(1), "Task 1", &wait);
    assert_eq!(stage.told(600).len(), 1);
    let memory = stage.board.memory(stage.now).clone();
    stage.board = Board::new(memory);
    stage.board.waits(run_id(1), "Task 1", &wait);
    assert_eq!(stage.told(3600), []);
}

#[test]
fn a_restart_itself_is_told_once() {
    let mut stage = Stage::new();
    stage.happens(1, interrupted());
    stage.restart();
    stage.happens(1, queued(QueueReason::Restarted));
    assert_eq!(stage.told(10).len(), 1);
    stage.restart();
    assert_eq!(stage.told(600), []);
}

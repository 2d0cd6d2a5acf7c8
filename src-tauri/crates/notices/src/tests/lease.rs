//! Who shows a notice.

use protocol::{NoticeAction, NoticeKind, NoticesRequest};

use super::*;
use crate::{Desk, Held};

fn notice(id: &str) -> Notice {
    Notice {
        id: id.to_owned(),
        slot: id.to_owned(),
        kind: NoticeKind::Finished,
        title: "t".to_owned(),
        body: String::new(),
        actions: vec![NoticeAction::Open],
        review: None,
        runs: Vec::new(),
        link: String::new(),
        at: START.into(),
    }
}

fn call(holder: &str, shown: &[&str]) -> NoticesRequest {
    NoticesRequest {
        holder: holder.to_owned(),
        shown: shown.iter().map(|id| (*id).to_owned()).collect(),
        wait_ms: 20_000,
        leaving: false,
    }
}

fn at(seconds: i64) -> Timestamp {
    START.plus_ms(seconds * 1000)
}

#[test]
fn without_a_holder_the_daemon_shows_it() {
    let mut desk = Desk::default();
    assert!(desk.offer(notice("a"), at(0)).is_some());
    assert_eq!(desk.overdue(at(60)), []);
}

#[test]
fn the_holder_shows_it_and_the_daemon_does_not() {
    let mut desk = Desk::default();
    assert_eq!(desk.call(&call("app", &[]), at(0)), Held::ByCaller);
    assert!(desk.give(at(0)).is_none());
    assert!(desk.offer(notice("a"), at(1)).is_none());
    assert_eq!(desk.give(at(1)).unwrap().show, [notice("a")]);
    assert!(desk.give(at(1)).is_none(), "given once");
    assert_eq!(desk.call(&call("app", &["a"]), at(2)), Held::ByCaller);
    assert_eq!(desk.overdue(at(20)), []);
    assert!(!desk.waits_for("a"));
}

#[test]
fn what_the_holder_does_not_name_within_5_s_the_daemon_shows() {
    let mut desk = Desk::default();
    desk.call(&call("app", &[]), at(0));
    assert!(desk.offer(notice("a"), at(1)).is_none());
    desk.give(at(1)).unwrap();
    assert_eq!(desk.overdue(at(5)), []);
    assert_eq!(desk.next(), Some(at(6)));
    assert_eq!(desk.overdue(at(6)), [notice("a")]);
    // It lost the lease: the next one does not wait for it.
    assert!(desk.offer(notice("b"), at(7)).is_some());
    assert_eq!(desk.call(&call("app", &[]), at(8)), Held::ByCaller);
    assert!(desk.offer(notice("c"), at(9)).is_none());
}

#[test]
fn a_lease_ends_with_its_connection_its_time_or_its_holders_wish() {
    let mut desk = Desk::default();
    desk.call(&call("app", &[]), at(0));
    assert!(desk.offer(notice("a"), at(1)).is_none());
    desk.lost("app");
    assert_eq!(desk.overdue(at(1)), [notice("a")]);
    desk.call(&call("app", &[]), at(2));
    assert!(
        desk.offer(notice("b"), at(40)).is_some(),
        "20 s and 5 s are over"
    );
    desk.call(&call("app", &[]), at(41));
    let leaving = NoticesRequest {
        leaving: true,
        ..call("app", &[])
    };
    assert_eq!(desk.call(&leaving, at(42)), Held::Left);
    assert!(desk.offer(notice("c"), at(42)).is_some());
}

#[test]
fn one_at_a_time_and_the_next_holder_gets_what_the_last_one_missed() {
    let mut desk = Desk::default();
    desk.call(&call("app", &[]), at(0));
    assert_eq!(desk.call(&call("other", &[]), at(1)), Held::ByAnother);
    assert!(desk.offer(notice("a"), at(1)).is_none());
    desk.give(at(1)).unwrap();
    desk.lost("app");
    assert_eq!(desk.call(&call("other", &[]), at(2)), Held::ByCaller);
    assert_eq!(desk.give(at(2)).unwrap().show, [notice("a")]);
}

#[test]
fn what_is_untrue_before_it_is_shown_is_not_shown() {
    let mut desk = Desk::default();
    desk.call(&call("app", &[]), at(0));
    assert!(desk.offer(notice("a"), at(1)).is_none());
    assert!(desk.close("a"), "nobody had it yet");
    assert!(desk.give(at(1)).is_none());
    assert!(desk.offer(notice("b"), at(2)).is_none());
    desk.give(at(2)).unwrap();
    assert!(!desk.close("b"));
    assert_eq!(desk.give(at(3)).unwrap().close, ["b"]);
    // Who was away for a while is told, too.
    assert_eq!(desk.overdue(at(60)), []);
    assert!(!desk.close("b"));
    desk.call(&call("app", &[]), at(61));
    assert_eq!(desk.give(at(61)).unwrap().close, ["b"]);
}

#[test]
fn who_notifies_is_not_for_a_run_to_say() {
    use protocol::{NoticeActRequest, Request};
    // What changes something is refused from inside a run; the daemon goes by this.
    assert_ne!(NoticesRequest::INVALIDATES, []);
    assert_ne!(NoticeActRequest::INVALIDATES, []);
}

//! What a notice may offer, and what stands on it.

use protocol::NoticeAction;

use super::*;
use crate::words::{BODY, clean, span};

fn told(review: Review, low_risk: bool) -> Notice {
    let mut board = Board::new(Memory::default());
    let event = Event::ReviewRequested {
        review: Box::new(review),
    };
    let happened = Happened {
        gseq: 1,
        run: run_id(1),
        at: START,
        event: &event,
    };
    let subject = Subject {
        title: "Mend <b>it</b>".to_owned(),
        low_risk,
    };
    board.hear(happened, &subject, START);
    let now = board.next().unwrap();
    board.due(now, &Wishes::all()).show.remove(0)
}

#[test]
fn only_low_risk_is_approved_from_a_notice() {
    let notice = told(review(1, 11, "touch made"), true);
    use NoticeAction::*;
    assert_eq!(notice.actions, [Approve, Reject, Open]);
    assert_eq!(notice.body, "touch made");
    assert_eq!(notice.review, Some(review_id(11)));
    assert_eq!(notice.link, format!("longhaul://review/{}", review_id(11)));
    assert_eq!(told(review(1, 11, "touch made"), false).actions, [Open]);
}

#[test]
fn nobody_approves_what_cannot_be_read_on_the_notice() {
    let long = format!(
        "touch made{}; rm -rf ~",
        " ".repeat(3).repeat(9) + &"x".repeat(BODY)
    );
    for hidden in [
        long.as_str(),
        "touch \u{202e}edam",
        "touch made\u{1b}[2K",
        "",
    ] {
        let notice = told(review(1, 11, hidden), true);
        assert_eq!(notice.actions, [NoticeAction::Open], "{hidden:?}");
    }
    let mut elsewhere = review(1, 11, "touch made");
    elsewhere.detail_blob = Some(BlobRef("whole".to_owned()));
    assert_eq!(told(elsewhere, true).actions, [NoticeAction::Open]);
    let mut other = review(1, 11, "touch made");
    other.choices.remove(0);
    assert_eq!(told(other, true).actions, [NoticeAction::Open]);
    // Lines are shown as lines.
    let two = told(review(1, 11, "touch a\n\ntouch b"), true);
    assert_eq!(two.body, "touch a ⏎ touch b");
}

#[test]
fn texts_are_one_short_visible_line() {
    let notice = told(review(1, 11, &"very long ".repeat(500)), true);
    let all = notice.title.chars().count() + notice.body.chars().count();
    assert!(all <= 220, "{all}");
    let cleaned = clean("a\u{202e}b\u{200b}c\u{7}\td\r\ne\u{e0041}", 100);
    assert_eq!((cleaned.text.as_str(), cleaned.whole), ("abc d ⏎ e", false));
    assert_eq!(clean("äöü", 2).text, "ä…");
    assert!(clean("plain", 5).whole);
}

#[test]
fn waits_are_said_in_hours_and_minutes() {
    assert_eq!(span(1), "1 min");
    assert_eq!(span(3_600_000), "1 h");
    assert_eq!(span(5_460_000), "1 h 31 min");
}

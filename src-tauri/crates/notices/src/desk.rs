//! Who shows notices: the desktop application that holds the lease, else the daemon.

use domain::Timestamp;
use protocol::{MAX_NOTICES_WAIT_MS, Notice, Notices, NoticesRequest};

/// What the holder has not named as shown after this time, in milliseconds, the daemon
/// shows (DESIGN §2).
pub const ACKNOWLEDGE_MS: i64 = 5_000;

/// Ids to take away that are kept for a holder who is not there.
const REMEMBERED: usize = 200;

/// Whether a caller has the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It has, and is to be told.
    ByCaller,
    /// Another application has.
    ByAnother,
    /// The caller gave it back.
    Left,
}

#[derive(Debug)]
struct Lease {
    holder: String,
    /// Unless it calls again, it ends then.
    until: Timestamp,
}

#[derive(Debug)]
struct Offered {
    notice: Notice,
    at: Timestamp,
    /// The holder has been given it.
    given: bool,
}

/// The lease, and what its holder was offered.
#[derive(Debug, Default)]
pub struct Desk {
    lease: Option<Lease>,
    offered: Vec<Offered>,
    closing: Vec<String>,
}

impl Desk {
    /// A call begins. The ids it names were shown.
    pub fn call(&mut self, request: &NoticesRequest, now: Timestamp) -> Held {
        self.expire(now);
        if self
            .lease
            .as_ref()
            .is_some_and(|l| l.holder != request.holder)
        {
            return Held::ByAnother;
        }
        self.offered
            .retain(|offered| !request.shown.contains(&offered.notice.id));
        if request.leaving {
            self.lease = None;
            return Held::Left;
        }
        if self.lease.is_none() {
            // What an earlier call was given may have been lost with its connection.
            for offered in &mut self.offered {
                offered.given = false;
            }
        }
        let wait = i64::from(request.wait_ms.min(MAX_NOTICES_WAIT_MS));
        self.lease = Some(Lease {
            holder: request.holder.clone(),
            until: now.plus_ms(wait + ACKNOWLEDGE_MS),
        });
        Held::ByCaller
    }

    /// What the holder has not been given, if there is anything. Its call is answered, so
    /// it has to call again soon.
    pub fn give(&mut self, now: Timestamp) -> Option<Notices> {
        let show: Vec<Notice> = self
            .offered
            .iter_mut()
            .filter(|offered| !offered.given)
            .map(|offered| {
                offered.given = true;
                offered.notice.clone()
            })
            .collect();
        let close = std::mem::take(&mut self.closing);
        if show.is_empty() && close.is_empty() {
            return None;
        }
        self.answered(now);
        Some(Notices {
            leased: true,
            show,
            close,
        })
    }

    /// The holder's call ended: it has to call again soon.
    pub fn answered(&mut self, now: Timestamp) {
        if let Some(lease) = &mut self.lease {
            lease.until = now.plus_ms(ACKNOWLEDGE_MS);
        }
    }

    /// The holder's connection broke in the middle of a call.
    pub fn lost(&mut self, holder: &str) {
        self.lease.take_if(|lease| lease.holder == holder);
    }

    /// Gives the notice to whoever holds the lease; gives it back where nobody does.
    pub fn offer(&mut self, notice: Notice, now: Timestamp) -> Option<Notice> {
        self.expire(now);
        if self.lease.is_none() {
            return Some(notice);
        }
        self.offered.push(Offered {
            notice,
            at: now,
            given: false,
        });
        None
    }

    /// Has a notice taken away. True if it was never given to anybody.
    pub fn close(&mut self, id: &str) -> bool {
        let mut given = true;
        self.offered.retain(|offered| {
            let this = offered.notice.id == id;
            given &= !this || offered.given;
            !this
        });
        // Kept also while nobody holds the lease: who showed it may come back.
        if given {
            self.closing.push(id.to_owned());
            let extra = self.closing.len().saturating_sub(REMEMBERED);
            self.closing.drain(..extra);
        }
        !given
    }

    /// Notices the holder has not named in time, and all of them when it is gone. Who
    /// lets one pass shows no more until it calls again.
    pub fn overdue(&mut self, now: Timestamp) -> Vec<Notice> {
        self.expire(now);
        let gone = self.lease.is_none();
        let late = |offered: &Offered| gone || offered.at.plus_ms(ACKNOWLEDGE_MS) <= now;
        if self.offered.iter().any(late) {
            self.lease = None;
            return self
                .offered
                .drain(..)
                .map(|offered| offered.notice)
                .collect();
        }
        Vec::new()
    }

    /// When to look for overdue notices, if any are offered.
    pub fn next(&self) -> Option<Timestamp> {
        let first = self.offered.first()?.at.plus_ms(ACKNOWLEDGE_MS);
        Some(
            self.lease
                .as_ref()
                .map_or(first, |lease| first.min(lease.until)),
        )
    }

    /// Whether the notice was offered and not named as shown.
    pub fn waits_for(&self, id: &str) -> bool {
        self.offered.iter().any(|offered| offered.notice.id == id)
    }

    fn expire(&mut self, now: Timestamp) {
        self.lease.take_if(|lease| lease.until <= now);
    }
}

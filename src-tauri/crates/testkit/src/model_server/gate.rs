//! Gates: places where an answer waits until the test says go.

use std::time::Duration;

use tokio::sync::watch;

/// Where in an answer a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldPoint {
    /// The request has arrived; not even headers go out.
    BeforeAnswer,
    /// So many events have gone out.
    AfterEvents(usize),
    /// Everything but `message_stop` has gone out.
    BeforeStop,
}

/// The server's end of a gate.
#[derive(Clone, Debug)]
pub(crate) struct Barrier {
    pub(crate) script: String,
    pub(crate) turn: usize,
    pub(crate) point: HoldPoint,
    arrived: watch::Sender<u32>,
    open: watch::Receiver<bool>,
}

impl Barrier {
    pub(crate) async fn pass(&self) {
        self.arrived.send_modify(|n| *n += 1);
        // A dropped gate is an open one.
        let _ = self.open.clone().wait_for(|open| *open).await;
    }
}

/// Holds every request for one turn of one script until released or dropped.
#[derive(Debug)]
pub struct Gate {
    arrived: watch::Receiver<u32>,
    open: watch::Sender<bool>,
}

pub(crate) fn gate(script: &str, turn: usize, point: HoldPoint) -> (Gate, Barrier) {
    let (arrived, arrivals) = watch::channel(0);
    let (opener, open) = watch::channel(false);
    (
        Gate {
            arrived: arrivals,
            open: opener,
        },
        Barrier {
            script: script.to_owned(),
            turn,
            point,
            arrived,
            open,
        },
    )
}

impl Gate {
    /// Waits until a request stands at the gate.
    ///
    /// # Errors
    /// If none does within `deadline`.
    pub async fn arrived(&self, deadline: Duration) -> anyhow::Result<()> {
        self.arrived_times(1, deadline).await
    }

    /// Waits until `n` requests have come to the gate, those that left again included.
    ///
    /// # Errors
    /// If fewer do within `deadline`.
    pub async fn arrived_times(&self, n: u32, deadline: Duration) -> anyhow::Result<()> {
        let mut arrived = self.arrived.clone();
        let waited = tokio::time::timeout(deadline, arrived.wait_for(|count| *count >= n)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            _ => anyhow::bail!(
                "{} of {n} requests came to the gate within {deadline:?}",
                *self.arrived.borrow()
            ),
        }
    }

    /// Lets everything through, now and later.
    pub fn release(&self) {
        self.open.send_replace(true);
    }
}

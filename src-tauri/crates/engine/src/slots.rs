//! Bounded concurrency: a run works only while it holds a slot. First come,
//! first served within a priority.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{oneshot, watch};

/// The shared set of slots.
#[derive(Clone)]
pub(crate) struct Slots {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    taken: usize,
    total: usize,
    arrivals: u64,
    waiting: BTreeMap<(Reverse<i32>, u64), oneshot::Sender<Slot>>,
    /// Whether any is taken, for those who look after what works.
    any_taken: watch::Sender<bool>,
}

impl Inner {
    fn take(&mut self) {
        self.taken += 1;
        self.tell();
    }

    fn give_back(&mut self) {
        self.taken -= 1;
        self.tell();
    }

    fn tell(&self) {
        let any = self.taken > 0;
        self.any_taken
            .send_if_modified(|before| std::mem::replace(before, any) != any);
    }
}

/// The right to work. Given back when dropped.
pub(crate) struct Slot {
    slots: Option<Slots>,
}

impl Slots {
    pub(crate) fn new(total: usize) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                taken: 0,
                total,
                arrivals: 0,
                waiting: BTreeMap::new(),
                any_taken: watch::Sender::new(false),
            })),
        }
    }

    /// A slot, if one is free and nobody waits for it.
    pub(crate) fn try_acquire(&self) -> Option<Slot> {
        let mut inner = self.lock();
        if inner.taken >= inner.total || !inner.waiting.is_empty() {
            return None;
        }
        inner.take();
        Some(Slot {
            slots: Some(self.clone()),
        })
    }

    /// Waits for a slot. Dropping the future gives up the place in the queue.
    pub(crate) async fn acquire(&self, priority: i32) -> Slot {
        if let Some(slot) = self.try_acquire() {
            return slot;
        }
        let receiver = {
            let mut inner = self.lock();
            inner.arrivals += 1;
            let key = (Reverse(priority), inner.arrivals);
            let (sender, receiver) = oneshot::channel();
            inner.waiting.insert(key, sender);
            receiver
        };
        // A slot may have been freed between the two locks.
        self.hand_out();
        receiver
            .await
            .expect("a waiting run is only removed by being given a slot")
    }

    /// Makes it so many slots. Who has one keeps it; of fewer, the next is handed out
    /// when enough were given back.
    pub(crate) fn resize(&self, total: usize) {
        self.lock().total = total;
        self.hand_out();
    }

    /// How many slots there are, and how many are taken.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.total, inner.taken)
    }

    /// Whether any slot is taken, and when that changes.
    pub(crate) fn any_taken(&self) -> watch::Receiver<bool> {
        self.lock().any_taken.subscribe()
    }

    /// Whether anybody waits for a slot.
    pub(crate) fn contended(&self) -> bool {
        self.lock()
            .waiting
            .values()
            .any(|sender| !sender.is_closed())
    }

    fn hand_out(&self) {
        loop {
            let next = {
                let mut inner = self.lock();
                if inner.taken >= inner.total {
                    return;
                }
                let Some((_, sender)) = inner.waiting.pop_first() else {
                    return;
                };
                inner.take();
                sender
            };
            // Sent outside the lock: a slot that nobody takes is dropped here, which gives it back.
            if let Err(mut unwanted) = next.send(Slot {
                slots: Some(self.clone()),
            }) {
                unwanted.slots = None;
                self.lock().give_back();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no code panics while holding the slots")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slots) = self.slots.take() {
            slots.lock().give_back();
            slots.hand_out();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn hands_slots_out_by_priority_and_then_by_arrival() {
        let slots = Slots::new(1);
        let held = slots.acquire(0).await;
        let mut late = Box::pin(slots.acquire(0));
        let mut later = Box::pin(slots.acquire(0));
        let mut urgent = Box::pin(slots.acquire(5));
        for waiting in [&mut late, &mut later, &mut urgent] {
            assert!(waiting.now_or_never().is_none());
        }
        assert!(slots.contended());
        drop(held);
        assert!((&mut late).now_or_never().is_none());
        let slot = (&mut urgent)
            .now_or_never()
            .expect("the urgent one is first");
        drop(slot);
        let slot = (&mut late)
            .now_or_never()
            .expect("then the one that came first");
        assert!((&mut later).now_or_never().is_none());
        drop(slot);
        assert!((&mut later).now_or_never().is_some());
    }

    #[tokio::test]
    async fn more_slots_let_others_go_at_once_and_fewer_take_none_away() {
        let slots = Slots::new(1);
        let held = slots.acquire(0).await;
        let mut second = Box::pin(slots.acquire(0));
        assert!((&mut second).now_or_never().is_none());
        slots.resize(2);
        let other = (&mut second).now_or_never().expect("there are two now");
        slots.resize(1);
        assert_eq!(slots.usage(), (1, 2));
        drop(held);
        assert!(slots.try_acquire().is_none());
        drop(other);
        assert!(slots.try_acquire().is_some());
    }

    #[tokio::test]
    async fn a_run_that_gives_up_waiting_loses_no_slot() {
        let slots = Slots::new(1);
        let held = slots.acquire(0).await;
        let mut gone = Box::pin(slots.acquire(0));
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        drop(held);
        assert_eq!(slots.usage(), (1, 0));
        assert!(!*slots.any_taken().borrow());
        assert!(slots.try_acquire().is_some());
    }
}

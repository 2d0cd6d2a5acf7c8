//! The child and everything it started: who lives, who is to be stopped.
//!
//! The keeper is a subreaper: whoever loses its parent below it becomes its
//! child. So "no children" (ECHILD) means that the whole tree is gone, whatever
//! sessions and process groups its members made for themselves.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, wait, waitid,
};

use super::inside::ending;
use crate::memory;
use crate::processes::{self, ProcessId, Stat};
use crate::record::{Ending, StopCause};
use crate::spec::Limits;
use crate::wire::Refusal;

/// How long what the child left behind may go on by itself: the `tee` of a shell's
/// process substitution still writes what it has.
const LINGER: Duration = Duration::from_millis(250);

/// From TERM to KILL for what the child left behind.
const LEFTOVER_GRACE: Duration = Duration::from_millis(500);

/// Between two rounds of KILL, while a tree forks faster than it dies.
const SWEEP: Duration = Duration::from_millis(10);

/// The same, once it is clear that somebody hangs in the kernel.
const SLOW_SWEEP: Duration = Duration::from_secs(1);

/// Rounds of KILL before [`SLOW_SWEEP`].
const FAST_SWEEPS: u32 = 100;

pub(super) struct Tree {
    child: ProcessId,
    /// Set if the child is a sandbox: the command's number in there.
    command: Option<i32>,
    deaths: Deaths,
    ending: Option<Ending>,
    /// No descendant lives.
    empty: bool,
    /// When the child's end is followed by the end of its leftovers.
    linger_until: Option<Instant>,
    stop: Option<Stop>,
    /// Who was stopped after the child had ended by itself.
    pub(super) leftovers: u32,
    pub(super) stopped_by: Option<StopCause>,
}

struct Stop {
    /// From now on KILL, and when next.
    kill_at: Instant,
    sweeps: u32,
}

impl Tree {
    pub(super) fn new(child: ProcessId) -> io::Result<Self> {
        Ok(Self {
            child,
            command: None,
            deaths: Deaths::watch()?,
            ending: None,
            empty: false,
            linger_until: None,
            stop: None,
            leftovers: 0,
            stopped_by: None,
        })
    }

    /// Readable when somebody died; None when nobody is left to die.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        (!self.empty).then(|| self.deaths.edge.as_fd())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    pub(super) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Buries the dead.
    pub(super) fn reap(&mut self, now: Instant) {
        self.deaths.clear();
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if u32::try_from(pid.as_raw_pid()) == Ok(self.child.pid) {
                        self.ended(ending(status), now);
                    }
                }
                Ok(None) => break,
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.empty = true;
                    break;
                }
            }
        }
        self.deaths.go_on();
    }

    /// The child is a sandbox in which the command has this number.
    pub(super) fn is_wrapped(&mut self, command: i32) {
        self.command = Some(command);
    }

    /// The command ended, and what it left behind has a moment. The first word about it
    /// counts: a sandbox's own end comes later and says less.
    pub(super) fn ended(&mut self, ending: Ending, now: Instant) {
        if self.ending.is_none() {
            self.ending = Some(ending);
            self.linger_until = Some(now + LINGER);
        }
    }

    /// Signals the command's process group. The child's number stays taken for as long
    /// as it is not buried, which only [`Self::reap`] does.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Refusal> {
        if self.ending.is_some() {
            return Err(Refusal::Ended);
        }
        let leader = match self.command {
            None => Some(self.child.pid),
            Some(inner) => self.members().iter().map(|s| s.id.pid).find(|pid| {
                // In a sandbox of its own making, somebody else may have that number too.
                processes::inner_pids(*pid).first() == Some(&inner)
            }),
        };
        let group = leader.and_then(|pid| i32::try_from(pid).ok());
        let group = group.and_then(Pid::from_raw).ok_or(Refusal::Ended)?;
        kill_process_group(group, signal).map_err(|e| Refusal::Failed(e.to_string()))
    }

    /// TERM now, KILL after `grace`. An earlier KILL stands.
    pub(super) fn stop(&mut self, cause: StopCause, grace: Duration, now: Instant) {
        if self.ending.is_none() {
            self.stopped_by.get_or_insert(cause);
        }
        self.begin_stop(grace, now);
    }

    fn begin_stop(&mut self, grace: Duration, now: Instant) {
        if !grace.is_zero() && self.stop.is_none() {
            self.signal_all(Signal::TERM);
        }
        let kill_at = now + grace;
        match &mut self.stop {
            Some(stop) => stop.kill_at = stop.kill_at.min(kill_at),
            None => self.stop = Some(Stop { kill_at, sweeps: 0 }),
        }
    }

    fn signal_all(&self, signal: Signal) -> u32 {
        // A sandbox ends at once with all that is in it: only when nobody has time left.
        let all = match signal {
            Signal::KILL => processes::descendants(std::process::id()),
            _ => self.members(),
        };
        all.iter()
            .filter(|s| !s.is_zombie())
            .map(|s| u32::from(s.id.signal(signal)))
            .sum()
    }

    /// The command and what it started, without what only keeps them in their sandbox.
    fn members(&self) -> Vec<Stat> {
        let mut all = processes::descendants(std::process::id());
        if self.command.is_some() {
            all.retain(|s| s.id.pid != self.child.pid && s.parent != self.child.pid);
        }
        all
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.empty {
            return;
        }
        if self.stop.is_none() && self.linger_until.is_some_and(|at| now >= at) {
            let left = self.members();
            self.leftovers = left.iter().map(|s| u32::from(!s.is_zombie())).sum();
            self.begin_stop(LEFTOVER_GRACE, now);
        }
        if self.stop.as_ref().is_some_and(|stop| now >= stop.kill_at) {
            self.signal_all(Signal::KILL);
            if let Some(stop) = &mut self.stop {
                stop.sweeps = stop.sweeps.saturating_add(1);
                let pause = if stop.sweeps < FAST_SWEEPS {
                    SWEEP
                } else {
                    SLOW_SWEEP
                };
                stop.kill_at = now + pause;
            }
        }
    }

    /// When [`Self::tick`] has something to do next.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        if self.empty {
            return None;
        }
        self.stop
            .as_ref()
            .map(|stop| stop.kill_at)
            .or(self.linger_until)
    }

    /// Which limit they are beyond, all together.
    pub(super) fn beyond(&self, limits: Limits) -> Option<StopCause> {
        let all = processes::numbers_below(std::process::id());
        let living = u32::try_from(all.len()).unwrap_or(u32::MAX);
        if limits.processes.is_some_and(|most| living > most) {
            return Some(StopCause::Processes);
        }
        let most = limits.memory_bytes?;
        let taken: u64 = all.into_iter().map(memory::own).sum();
        (taken > most).then_some(StopCause::Memory)
    }

    /// CPU milliseconds and number of the living.
    pub(super) fn activity(&self) -> (u64, u32) {
        let me = std::process::id();
        let living = processes::descendants(me);
        let buried = processes::stat(me).map_or(0, |s| s.reaped_ticks);
        let ticks: u64 = living.iter().map(|s| s.own_ticks + s.reaped_ticks).sum();
        let members = self.members();
        let count = members.iter().map(|s| u32::from(!s.is_zombie())).sum();
        (processes::ticks_to_ms(ticks + buried), count)
    }
}

/// A thread that waits for deaths and leaves the burying to the loop, so that
/// nothing is signalled by a number that was just given back.
struct Deaths {
    edge: PipeReader,
    next: SyncSender<()>,
    seen: bool,
}

impl Deaths {
    fn watch() -> io::Result<Self> {
        let (edge, mut tell) = io::pipe()?;
        let (next, go_on) = sync_channel::<()>(1);
        rustix::io::ioctl_fionbio(&edge, true)?;
        thread::Builder::new()
            .stack_size(64 * 1024)
            .spawn(move || {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                loop {
                    match waitid(WaitId::All, options) {
                        Err(Errno::INTR) => continue,
                        Ok(_) => {}
                        // Nobody is left, and nobody will come.
                        Err(_) => {
                            let _ = tell.write_all(b"x");
                            return;
                        }
                    }
                    if tell.write_all(b"d").is_err() || go_on.recv().is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            edge,
            next,
            seen: false,
        })
    }

    fn clear(&mut self) {
        let mut buffer = [0; 16];
        while let Ok(n @ 1..) = self.edge.read(&mut buffer) {
            self.seen |= buffer[..n].contains(&b'd');
        }
    }

    fn go_on(&mut self) {
        if std::mem::take(&mut self.seen) {
            let _ = self.next.try_send(());
        }
    }
}

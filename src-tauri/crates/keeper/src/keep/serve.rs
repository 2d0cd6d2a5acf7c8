//! The keeper's loop: one thread, woken by what it waits for and nothing else.

mod sandbox;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::clients::Client;
use super::inside::Ear;
use super::outlet::{Outlet, Ticket};
use super::resident;
use super::spool::Spool;
use super::tree::Tree;
use super::{Forked, now_ms};
use crate::record::{self, EXIT, Ending, Exit, State, StopCause};
use crate::spec::{Orphan, Spec};
use crate::usage;
use crate::wire::{Action, Activity, Answer, Event, Progress, Refusal, Request, Signal, Stream};

/// From TERM to KILL when the time is over.
const TIMEOUT_GRACE: Duration = Duration::from_secs(2);

/// From TERM to KILL for an agent nobody came back to: Claude Code takes 1.6 s to
/// end its children and its transcript.
const ORPHAN_GRACE: Duration = Duration::from_secs(5);

/// How long output is waited for when the whole tree is gone but somebody outside
/// it still holds the pipe.
const DRAIN: Duration = Duration::from_secs(2);

/// How often it is looked at what the child and all it started take.
const WEIGH_EVERY: Duration = Duration::from_secs(1);

/// The shortest time between two progress reports: a flood of output must not
/// become a flood of reports.
const REPORT_EVERY: Duration = Duration::from_millis(4);

pub(super) struct Parts {
    pub(super) dir: PathBuf,
    pub(super) spec: Spec,
    pub(super) state: State,
    pub(super) lock: File,
    pub(super) listener: UnixListener,
    pub(super) forked: Forked,
    pub(super) early: Vec<UnixStream>,
}

pub(super) struct Keep {
    dir: PathBuf,
    spec: Spec,
    state: State,
    /// Released when this process ends, however it ends.
    _lock: File,
    listener: UnixListener,
    clients: Vec<Client>,
    next_token: u64,
    tree: Tree,
    /// Tells of the command in a sandbox.
    ear: Option<Ear>,
    stdin: Outlet,
    out: Spool,
    err: Spool,
    buffer: Vec<u8>,
    deadline: Option<Instant>,
    /// When it is looked at what the child takes.
    weigh_at: Option<Instant>,
    lonely_since: Option<Instant>,
    drain_until: Option<Instant>,
    reported_at: Instant,
    /// When memory is given back, unless something happens before.
    rest_at: Option<Instant>,
    /// What clients know the spools hold.
    reported: Progress,
    /// To be answered when the tree is gone.
    waiting_for_end: Vec<Ticket>,
}

/// How long nothing must have happened before memory is given back.
const QUIET: Duration = Duration::from_secs(1);

/// What the loop was woken by.
#[derive(Clone, Copy)]
enum Source {
    Inside,
    Deaths,
    Listener,
    Out,
    Err,
    Stdin,
    Client(u64),
}

impl Keep {
    pub(super) fn new(parts: Parts) -> io::Result<Self> {
        let Parts {
            dir,
            spec,
            state,
            lock,
            listener,
            forked,
            early,
        } = parts;
        let now = Instant::now();
        let max = spec.max_spool_bytes;
        let mut keep = Self {
            tree: Tree::new(forked.id)?,
            ear: None,
            stdin: Outlet::new(forked.stdin)?,
            out: Spool::create(&dir, Stream::Out, Some(forked.out), max)?,
            err: Spool::create(&dir, Stream::Err, forked.err, max)?,
            deadline: spec
                .timeout_ms
                .and_then(|ms| now.checked_add(Duration::from_millis(ms))),
            weigh_at: spec.limits.are_set().then_some(now + WEIGH_EVERY),
            lonely_since: Some(now),
            dir,
            spec,
            state,
            _lock: lock,
            listener,
            clients: Vec::new(),
            next_token: 0,
            buffer: vec![0; 64 * 1024],
            drain_until: None,
            reported_at: now,
            rest_at: Some(now + QUIET),
            reported: Progress::default(),
            waiting_for_end: Vec::new(),
        };
        for stream in early {
            keep.welcome(stream);
        }
        Ok(keep)
    }

    pub(super) fn serve(mut self) -> ExitCode {
        while !self.is_over(Instant::now()) {
            for source in self.wait() {
                self.rest_at = Some(Instant::now() + QUIET);
                self.handle(source);
            }
            self.tick(Instant::now());
        }
        self.conclude()
    }

    fn is_over(&self, now: Instant) -> bool {
        let drained = self.out.is_closed() && self.err.is_closed();
        self.tree.is_empty() && (drained || self.drain_until.is_some_and(|at| now >= at))
    }

    fn wait(&self) -> Vec<Source> {
        let mut sources = vec![Source::Listener];
        let mut fds = vec![PollFd::new(&self.listener, PollFlags::IN)];
        let inside = self.ear.as_ref().map(|ear| ear.source().as_fd());
        let optional = [
            (Source::Inside, inside, PollFlags::IN),
            (Source::Deaths, self.tree.source(), PollFlags::IN),
            (Source::Out, self.out.source(), PollFlags::IN),
            (Source::Err, self.err.source(), PollFlags::IN),
            (Source::Stdin, self.stdin.waiting(), PollFlags::OUT),
        ];
        for (source, fd, flags) in optional {
            if let Some(fd) = fd {
                sources.push(source);
                fds.push(PollFd::from_borrowed_fd(fd, flags));
            }
        }
        for client in &self.clients {
            let more = if client.has_more_to_say() {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            sources.push(Source::Client(client.token));
            fds.push(PollFd::from_borrowed_fd(
                client.source(),
                PollFlags::IN | more,
            ));
        }
        let timeout = self.next_tick().map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            }
        });
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return Vec::new();
        }
        let woken = fds.iter().map(|fd| !fd.revents().is_empty());
        sources
            .into_iter()
            .zip(woken)
            .filter_map(|(s, woken)| woken.then_some(s))
            .collect()
    }

    fn handle(&mut self, source: Source) {
        match source {
            Source::Inside => self.hear(),
            Source::Deaths => {
                // A command's end is told before its sandbox ends.
                self.hear();
                self.tree.reap(Instant::now());
            }
            Source::Listener => {
                while let Ok((stream, _)) = self.listener.accept() {
                    self.welcome(stream);
                }
            }
            Source::Out => self.out.drain(&mut self.buffer),
            Source::Err => self.err.drain(&mut self.buffer),
            Source::Stdin => self.flush_stdin(),
            Source::Client(token) => self.serve_client(token),
        }
    }

    fn welcome(&mut self, stream: UnixStream) {
        self.next_token += 1;
        if let Some(mut client) = Client::welcome(self.next_token, stream, &self.spec.id) {
            client.report(self.progress());
            self.clients.push(client);
            self.lonely_since = None;
        }
    }

    fn serve_client(&mut self, token: u64) {
        let Some(client) = self.client(token) else {
            return;
        };
        client.flush();
        for (request, payload) in client.requests() {
            let ticket = Ticket {
                client: token,
                request: request.id,
            };
            if let Some(result) = self.act(ticket, request, payload) {
                self.answer(ticket, result);
            }
        }
        self.flush_stdin();
        self.clients.retain(|c| !c.is_gone());
        if self.clients.is_empty() {
            self.lonely_since.get_or_insert(Instant::now());
        }
    }

    /// The answer, unless it comes later.
    fn act(
        &mut self,
        ticket: Ticket,
        request: Request,
        payload: Vec<u8>,
    ) -> Option<Result<Answer, Refusal>> {
        let now = Instant::now();
        let result = match request.action {
            Action::Write { .. } => {
                self.stdin.write(ticket, payload);
                return None;
            }
            Action::CloseStdin => {
                self.stdin.close(ticket);
                return None;
            }
            Action::KillTree => {
                self.tree.stop(StopCause::Request, Duration::ZERO, now);
                self.waiting_for_end.push(ticket);
                return None;
            }
            Action::Stop { grace_ms } => {
                self.tree
                    .stop(StopCause::Request, Duration::from_millis(grace_ms), now);
                Ok(Answer::Done)
            }
            Action::Signal(signal) => {
                let signal = match signal {
                    Signal::Interrupt => rustix::process::Signal::INT,
                    Signal::Terminate => rustix::process::Signal::TERM,
                    Signal::Kill => rustix::process::Signal::KILL,
                };
                self.tree.signal(signal).map(|()| Answer::Done)
            }
            Action::Activity => Ok(Answer::Activity(self.activity())),
            Action::Release { stream, up_to } => {
                let spool = match stream {
                    Stream::Out => &mut self.out,
                    Stream::Err => &mut self.err,
                };
                let released = spool.release(up_to);
                released
                    .map(|()| Answer::Done)
                    .map_err(|e| Refusal::Failed(e.to_string()))
            }
        };
        Some(result)
    }

    fn activity(&self) -> Activity {
        let (cpu_ms, processes) = self.tree.activity();
        Activity {
            cpu_ms,
            processes,
            output_bytes: self.out.written() + self.err.written(),
        }
    }

    fn flush_stdin(&mut self) {
        for (ticket, result) in self.stdin.flush() {
            self.answer(ticket, result.map(|()| Answer::Done));
        }
    }

    fn answer(&mut self, ticket: Ticket, result: Result<Answer, Refusal>) {
        if let Some(client) = self.client(ticket.client) {
            client.send(&Event::Reply {
                id: ticket.request,
                result,
            });
        }
    }

    fn client(&mut self, token: u64) -> Option<&mut Client> {
        self.clients.iter_mut().find(|c| c.token == token)
    }

    fn progress(&self) -> Progress {
        Progress {
            out: self.out.kept(),
            err: self.err.kept(),
        }
    }

    fn lonely_until(&self) -> Option<Instant> {
        match self.spec.orphan {
            Orphan::StopAfter { grace_ms } if self.tree.stopped_by.is_none() => self
                .lonely_since?
                .checked_add(Duration::from_millis(grace_ms)),
            _ => None,
        }
    }

    fn report_at(&self) -> Option<Instant> {
        let due = self.reported != self.progress();
        due.then_some(self.reported_at + REPORT_EVERY)
    }

    fn next_tick(&self) -> Option<Instant> {
        let own = [
            self.deadline,
            self.weigh_at,
            self.lonely_until(),
            self.report_at(),
            self.drain_until,
            self.rest_at,
        ];
        own.into_iter()
            .chain([self.tree.next_tick()])
            .flatten()
            .min()
    }

    fn tick(&mut self, now: Instant) {
        if self.deadline.is_some_and(|at| now >= at) {
            self.deadline = None;
            self.tree.stop(StopCause::Timeout, TIMEOUT_GRACE, now);
        }
        if self.lonely_until().is_some_and(|at| now >= at) {
            self.tree.stop(StopCause::Orphaned, ORPHAN_GRACE, now);
            self.lonely_since = None;
        }
        if self.weigh_at.is_some_and(|at| now >= at) {
            self.weigh(now);
        }
        self.tree.tick(now);
        if self.tree.is_empty() {
            self.drain_until.get_or_insert(now + DRAIN);
            for ticket in std::mem::take(&mut self.waiting_for_end) {
                self.answer(ticket, Ok(Answer::Done));
            }
        }
        if self.report_at().is_some_and(|at| now >= at) {
            self.reported_at = now;
            self.report();
        }
        if self.rest_at.is_some_and(|at| now >= at) {
            self.rest_at = None;
            resident::give_back();
        }
    }

    /// Kills all of it once it takes too much: whoever takes the machine's last memory
    /// leaves no time to end in order.
    fn weigh(&mut self, now: Instant) {
        let beyond = self.tree.beyond(self.spec.limits);
        if let Some(cause) = beyond {
            self.tree.stop(cause, Duration::ZERO, now);
        }
        let over = beyond.is_some() || self.tree.is_empty();
        self.weigh_at = (!over).then_some(now + WEIGH_EVERY);
    }

    fn report(&mut self) {
        self.reported = self.progress();
        for client in &mut self.clients {
            client.report(self.reported);
        }
    }

    fn conclude(mut self) -> ExitCode {
        let consumed = usage::of_children();
        let exit = Exit {
            // The tree cannot be empty without the child having been buried.
            ending: self.tree.ending().cloned().unwrap_or(Ending::Code(-1)),
            stopped_by: self.tree.stopped_by,
            started_at_ms: self.state.started_at_ms,
            ended_at_ms: now_ms(),
            out: self.out.settle(),
            err: self.err.settle(),
            leftovers: self.tree.leftovers,
            cpu_user_ms: consumed.user_ms,
            cpu_system_ms: consumed.system_ms,
            max_rss_kib: consumed.max_rss_kib,
        };
        faults::crash_point("keeper.before_exit_record");
        if record::write(&self.dir, EXIT, &exit).is_err() {
            // Saying it ended without a record would be a promise that cannot be
            // kept after a restart. Without one it counts as lost, and is asked about.
            return ExitCode::FAILURE;
        }
        faults::crash_point("keeper.exit_recorded");
        let _ = fs::remove_file(&self.spec.socket);
        self.report();
        for mut client in self.clients {
            client.send(&Event::Exit(exit.clone()));
            client.finish();
        }
        ExitCode::SUCCESS
    }
}

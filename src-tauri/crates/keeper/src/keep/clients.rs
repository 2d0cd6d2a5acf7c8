//! Connections of clients, none of which can hold the keeper up.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use crate::wire::{Action, Event, LINE_MAX, Progress, Request, VERSION, WRITE_MAX};

pub(super) struct Client {
    pub(super) token: u64,
    stream: UnixStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// What this client was last told, to tell it only news.
    told: Progress,
    gone: bool,
}

impl Client {
    /// None if another user is at the other end.
    pub(super) fn welcome(token: u64, stream: UnixStream, id: &str) -> Option<Self> {
        let peer = socket_peercred(&stream).ok()?.uid;
        if !(peer == geteuid() || peer.is_root()) {
            return None;
        }
        stream.set_nonblocking(true).ok()?;
        let mut client = Self {
            token,
            stream,
            inbox: Vec::new(),
            outbox: Vec::new(),
            told: Progress::default(),
            gone: false,
        };
        client.send(&Event::Hello {
            version: VERSION,
            id: id.to_owned(),
        });
        Some(client)
    }

    pub(super) fn source(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    pub(super) fn has_more_to_say(&self) -> bool {
        !self.outbox.is_empty()
    }

    pub(super) fn send(&mut self, event: &Event) {
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            self.outbox.extend_from_slice(&line);
            self.flush();
        }
    }

    /// A client that does not keep up gets only the newest figures, once it reads.
    pub(super) fn report(&mut self, progress: Progress) {
        if self.told != progress && self.outbox.is_empty() {
            self.told = progress;
            self.send(&Event::Progress(progress));
        }
    }

    pub(super) fn flush(&mut self) {
        while !self.outbox.is_empty() && !self.gone {
            match self.stream.write(&self.outbox) {
                Ok(n) => {
                    self.outbox.drain(..n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.gone = true,
            }
        }
    }

    /// Says the rest, giving a client that hangs one second.
    pub(super) fn finish(mut self) {
        let until = Instant::now() + Duration::from_secs(1);
        if self.stream.set_nonblocking(false).is_err() {
            return;
        }
        while !self.outbox.is_empty() && !self.gone {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_write_timeout(Some(left)).is_err() {
                return;
            }
            self.flush();
        }
    }

    /// Reads what has come; the complete requests, with their payloads.
    pub(super) fn requests(&mut self) -> Vec<(Request, Vec<u8>)> {
        let mut buffer = [0; 8 * 1024];
        // One request's worth a turn, so that the inbox stays bounded.
        while self.inbox.len() < LINE_MAX + WRITE_MAX {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.gone = true;
                    break;
                }
                Ok(n) => self.inbox.extend_from_slice(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.gone = true;
                    break;
                }
            }
        }
        let mut requests = Vec::new();
        while let Some(request) = self.next_request() {
            requests.push(request);
        }
        requests
    }

    fn next_request(&mut self) -> Option<(Request, Vec<u8>)> {
        let Some(end) = self.inbox.iter().position(|b| *b == b'\n') else {
            self.gone |= self.inbox.len() > LINE_MAX;
            return None;
        };
        let Ok(request) = serde_json::from_slice::<Request>(&self.inbox[..end]) else {
            // What follows a line we do not understand cannot be trusted.
            self.gone = true;
            self.inbox.clear();
            return None;
        };
        let len = match request.action {
            Action::Write { len } => len,
            _ => 0,
        };
        if len > WRITE_MAX {
            self.gone = true;
            return None;
        }
        let payload_end = end + 1 + len;
        if self.inbox.len() < payload_end {
            return None;
        }
        let payload = self.inbox[end + 1..payload_end].to_vec();
        self.inbox.drain(..payload_end);
        Some((request, payload))
    }
}

//! The child's standard input: what clients sent and the pipe has not taken yet.

use std::collections::VecDeque;
use std::io::{self, PipeWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::ioctl_fionbio;

use crate::wire::Refusal;

/// Who asked, to be answered when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) client: u64,
    pub(super) request: u64,
}

enum Input {
    Bytes(Vec<u8>, usize),
    Close,
}

pub(super) struct Outlet {
    pipe: Option<PipeWriter>,
    queue: VecDeque<(Ticket, Input)>,
}

impl Outlet {
    pub(super) fn new(pipe: Option<PipeWriter>) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            // Our end only: the child's is another open file.
            ioctl_fionbio(pipe, true)?;
        }
        Ok(Self {
            pipe,
            queue: VecDeque::new(),
        })
    }

    /// The pipe, if it is worth waiting for.
    pub(super) fn waiting(&self) -> Option<BorrowedFd<'_>> {
        if self.queue.is_empty() {
            None
        } else {
            self.pipe.as_ref().map(AsFd::as_fd)
        }
    }

    pub(super) fn write(&mut self, ticket: Ticket, bytes: Vec<u8>) {
        self.queue.push_back((ticket, Input::Bytes(bytes, 0)));
    }

    pub(super) fn close(&mut self, ticket: Ticket) {
        self.queue.push_back((ticket, Input::Close));
    }

    /// Writes what the pipe takes; returns who is to be answered, and how.
    pub(super) fn flush(&mut self) -> Vec<(Ticket, Result<(), Refusal>)> {
        let mut answers = Vec::new();
        while let Some((ticket, input)) = self.queue.front_mut() {
            let ticket = *ticket;
            let result = match (input, &mut self.pipe) {
                (Input::Close, pipe) => {
                    *pipe = None;
                    Ok(())
                }
                (Input::Bytes(..), None) => Err(Refusal::StdinClosed),
                (Input::Bytes(bytes, done), Some(pipe)) => match pipe.write(&bytes[*done..]) {
                    Ok(n) => {
                        *done += n;
                        if *done < bytes.len() {
                            continue;
                        }
                        Ok(())
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => {
                        self.pipe = None;
                        Err(Refusal::StdinClosed)
                    }
                },
            };
            answers.push((ticket, result));
            self.queue.pop_front();
        }
        answers
    }
}

//! A keeper is a small process that owns one child (a shell command, an agent),
//! outlives the daemon that started it, spools the child's output to disk, records
//! its end durably, and answers on a private socket.
//!
//! [`main`] and [`run`] are the keeper process: synchronous, a few hundred KiB of
//! its own memory. [`spawn`], [`adopt`] and [`Keeper`] are the daemon's side of it,
//! on tokio. [`reap`], [`place_of`] and [`collect_garbage`] look at
//! keepers from outside.
//!
//! What holds: nothing a child started outlives its keeper's exit record; a keeper
//! that is killed takes its child with it (the parent-death signal), and what the
//! child had started is found by [`reap`]; a child of which [`adopt`] says that it
//! never started never will.
//!
//! Unix with Linux's `/proc`, pidfds and subreapers. Elsewhere it does not build.

mod client;
mod connection;
mod keep;
mod loss;
mod memory;
mod output;
mod processes;
mod record;
mod spec;
mod sweep;
mod usage;
mod wire;

pub use client::{AdoptError, Adoption, SpawnError, adopt, spawn};
pub use connection::{Keeper, Outcome};
pub use keep::{main, run};
pub use loss::Evidence;
pub use memory::{installed_memory, memory_of};
pub use output::{Output, tail};
pub use processes::ProcessId;
pub use record::{Ending, Exit, StartFailure, StartFailureKind, State, StopCause, StreamEnd};
pub use spec::{Limits, MARKER, Orphan, SOCKET_PATH_MAX, Spec, Stdin, Streams};
pub use sweep::{Place, Reaped, Stray, collect_garbage, keepers, place_of, reap};
pub use wire::{Activity, Progress, Refusal, Signal, Stream};

/// How much of the end of a stream is kept when its spool is full.
pub const TAIL_BYTES: usize = 64 * 1024;

//! What is told on the desktop, when, in which words, and how it is shown.
//!
//! [`Board`] and [`Desk`] are pure: they are told what happened and what time it is.
//! The board makes notices out of events: what deserves one, grouped and never more than
//! one a run a minute, closed again when it is no longer true, and with a [`Memory`] that
//! outlives the daemon, so that nothing is told twice. The desk knows who shows them: the
//! desktop application that holds the lease, or the daemon. [`Screen`] is what both show
//! them with.

mod board;
mod desk;
mod memory;
mod news;
mod screen;
#[cfg(test)]
mod tests;
mod words;

pub use board::{Board, Changes, asks};
pub use desk::{ACKNOWLEDGE_MS, Desk, Held};
pub use memory::Memory;
pub use news::{Happened, Subject, Wishes, worth_a_look};
pub use screen::{Click, Screen, ScreenError};
pub use words::reply;

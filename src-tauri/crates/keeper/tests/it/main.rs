//! The keeper as a process, from outside.

mod bench;
mod death;
mod life;
mod limits;
mod strangers;

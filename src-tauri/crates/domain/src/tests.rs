//! The fold, against made-up journals: what may follow what, and what it adds up to.

mod illegal;
mod journals;
mod messages;
mod states;

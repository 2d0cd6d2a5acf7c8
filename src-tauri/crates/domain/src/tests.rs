//! The fold, against made-up journals: what may follow what, and what it adds up to.

mod illegal;
mod journals;
mod lineage;
mod messages;
mod states;

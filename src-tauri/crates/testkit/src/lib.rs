//! The world around Longhaul, made to order: a model API that says what a script says
//! and fails where it is told to.
//!
//! A dev-dependency of the other crates, and what `longhaul rehearse` runs against. It
//! depends on none of them but `domain`.

pub mod model_server;

pub use model_server::ModelServer;

//! What all model APIs over HTTP have in common: connections, event streams, patience,
//! and the ways a request comes to nothing.

pub(crate) mod http;
pub(crate) mod listen;
pub(crate) mod sse;
pub(crate) mod trouble;

pub use http::{BaseUrlError, Http, HttpError};

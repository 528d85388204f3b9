//! The roster (RFC 6121 §2).

mod get;
mod push;
mod refusals;
mod remove;
mod set;
mod versions;

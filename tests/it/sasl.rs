//! Authentication (RFC 6120 §6).

mod failures;
mod mechanisms;
mod returning;
mod scram;
mod throttle;

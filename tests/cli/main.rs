//! The real `magpie` as an operator meets it: commands, exit codes, what they print, and what is left on disk.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod archive;
mod chat;
mod devices;
mod operations;
mod pubsub;
mod push;
mod rooms;
mod running;
mod sessions;
mod stopped;
mod support;
mod uploads;

//! Black-box tests: one binary, one module per concern, each test a short play over a real socket.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod bind;
mod blocking;
mod bosh;
mod caps;
mod carbons;
mod client_state;
mod commands;
mod durability;
mod http;
mod invite;
mod iq;
mod limits;
mod mam;
mod messages;
mod muc;
mod offline;
mod pep;
mod presence;
mod pubsub;
mod push;
mod roster;
mod sasl;
mod sasl2;
mod stream_management;
mod streams;
mod subscription;
mod tidy;
mod tls;
mod websocket;
mod xeps;

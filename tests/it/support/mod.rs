//! What every test stands on: a real server in this process, clients that speak literal XML to it, and patterns for what
//! comes back. None of it uses the server's own XML, SASL or JID code.

#![allow(dead_code, reason = "a kit: not every tool is in use at every time")]

pub(crate) mod client;
pub(crate) mod contacts;
pub(crate) mod http2;
pub(crate) mod invites;
pub(crate) mod login;
pub(crate) mod pattern;
pub(crate) mod sasl2;
pub(crate) mod scram;
pub(crate) mod server;
pub(crate) mod transport;
pub(crate) mod websocket;
pub(crate) mod xml;

#[allow(unused_imports, reason = "see above")]
pub(crate) use client::{Client, settle};
#[allow(unused_imports, reason = "see above")]
pub(crate) use server::{DOMAIN, TestServer};

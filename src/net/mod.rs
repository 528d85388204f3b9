//! The network below the XML stream: listening sockets, who may connect, TLS and its certificates, and DNS look-ups.
//! Nothing here knows XML, accounts or the configuration file; values come in as plain parameters.

// A test may fail where it likes.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod addr;
pub mod budget;
pub mod cert;
pub mod dns;
pub mod listener;
pub mod proxy_protocol;
pub mod selfsigned;
pub mod shaper;
pub mod tls;
pub mod transport;
pub mod websocket;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tls_tests;

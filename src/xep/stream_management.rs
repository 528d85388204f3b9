//! XEP-0198: acknowledgements and resumption of a client's stream. It is a part of the stream and has nothing to declare;
//! this is its entry in the catalogue.
//!
//! What is durable when: `h` counts a stanza of the client's when all it caused is committed or was written to its
//! recipients' sockets. A message that was written to the socket of a client with stream management waits in memory and in the
//! session journal until the client acknowledges it; if the session is lost for good, it goes the way of an offline message. A
//! stored message stays in the store until the client has acknowledged it. Sessions survive a restart of the server.
//!
//! The counters are in `account/ack.rs`, the table of sessions in `account/resumable.rs`, the stream in
//! `c2s/stream_management.rs` and `c2s/session/managed.rs`, what survives a restart in `journal`.

use crate::extension::{About, Extension};

/// Stream management.
pub struct StreamManagement;

impl Extension for StreamManagement {
    fn about(&self) -> About {
        About::new("XEP-0198", "Stream Management", "1.6.3")
    }
}

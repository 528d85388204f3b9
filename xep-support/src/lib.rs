//! XMPP protocol vocabulary: what bytes mean. No sockets, no clock, no SQL.

pub mod bosh;
pub mod formats;
pub mod jid;
pub mod ns;
pub mod sasl;
pub mod sasl2;
pub mod stanza;
pub mod stream;
pub mod xml;

//! Which resources of a local account get a stanza (RFC 6121 §8.5), and what becomes of one that nobody can take.

pub mod carbons;
pub mod message;
pub mod offline;
pub mod presence;

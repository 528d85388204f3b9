//! XML streams (RFC 6120 §4, §11): headers, errors, limits, liveness, and what chunking must not change.

mod chunks;
mod end;
mod header;
mod limits;
mod liveness;
mod restricted;
mod stanzas;

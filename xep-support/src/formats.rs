//! Formats that many extensions share.

pub mod avatar;
pub mod bookmarks;
pub mod caps;
pub mod date;
pub mod delay;
pub mod form;
pub mod rsm;
pub mod stanza_id;

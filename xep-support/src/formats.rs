//! Formats that many extensions share.

pub mod date;
pub mod delay;
pub mod form;

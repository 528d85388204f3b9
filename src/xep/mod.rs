//! Behaviour by extension: a file each. Nothing outside names them but `catalogue.rs`.

pub mod caps;
pub mod carbons;
pub mod client_access;
pub mod contact;
pub mod disco;
pub mod external_services;
pub mod jid_escaping;
pub mod jingle_message;
pub mod last_activity;
pub mod mam;
pub mod offline;
pub mod ping;
pub mod private;
pub mod pubsub;
pub mod push;
pub mod register;
pub mod sasl2;
pub mod session;
pub mod stanza_id;
pub mod stream_management;
pub mod time;
pub mod vcard;
pub mod version;

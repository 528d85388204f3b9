//! Magpie, an XMPP server. Modules in order of their layers, lowest first.

pub mod clock;
pub mod close;
pub mod config;
pub mod histogram;
pub mod limits;
pub mod log;
pub mod net;
pub mod sasl;
pub mod storage;

pub mod account;
pub mod apply;
pub mod attempts;
pub mod hold;
pub mod hosts;
pub mod journal;
pub mod outbox;
pub mod pubsub;
pub mod qr;
pub mod requests;
pub mod rooms;
pub mod settings;
pub mod site;
pub mod web_client;

pub mod core;
pub mod counters;
pub mod extension;

pub mod delivery;
pub mod router;

pub mod im;
pub mod ops;
pub mod uploads;
pub mod xep;

pub mod admin;

pub mod c2s;
pub mod http;

pub mod catalogue;
pub mod control;
pub mod housekeeping;
pub mod server;

pub mod cli;

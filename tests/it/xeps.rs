//! The small extensions every client asks for, one file for each group of them.

mod account;
mod activity;
mod disco;
mod external_services;
mod kept;
mod register;
mod server;

use crate::support::Client;

/// Lets `watcher` see the presence of `watched`; what comes of it is dropped.
#[track_caller]
fn subscribe(watcher: &mut Client, watched: &mut Client) {
    watcher.send(&format!("<presence type='subscribe' to='{}'/>", watched.var("bare")));
    watcher.sync();
    watched.send(&format!("<presence type='subscribed' to='{}'/>", watcher.var("bare")));
    watched.sync();
    watcher.sync();
}

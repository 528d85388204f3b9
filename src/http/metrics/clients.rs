//! Connections, sessions, logins, errors.

use super::page::Page;
use crate::core::Core;
use crate::http::Web;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use xep_support::stanza::error::Condition;

pub(super) fn write(page: &mut Page, web: &Web) {
    let (core, counters) = (&web.core, &web.core.counters);
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    let by_http = core.site.counters.connections.load(Relaxed);
    let others = by_http + core.site.counters.forwarded.load(Relaxed);
    page.gauge("magpie_connections", "Connections by what is spoken on them, those not logged in included.")
        .with("kind", "client", web.budget.connections().saturating_sub(others))
        .with("kind", "http", by_http);
    page.counter("magpie_connections_accepted_total", "Connections accepted.")
        .with("kind", "client", count(&counters.connections))
        .with("kind", "http", count(&core.site.counters.connections_accepted));
    page.counter("magpie_connections_refused_total", "Connections refused by a limit.")
        .is(count(&counters.connections_refused));
    page.counter("magpie_tls_failures_total", "TLS handshakes that failed.").is(count(&counters.tls_failed));
    page.counter("magpie_logins_total", "Logins by their outcome.")
        .with("outcome", "success", count(&counters.logins))
        .with("outcome", "failure", count(&counters.logins_failed));
    page.counter("magpie_registrations_total", "Accounts made by clients.").is(count(&counters.registrations));
    sessions(page, core);
    let mut errors = page.counter("magpie_stanza_errors_total", "Stanzas answered with an error, by its condition.");
    for (condition, counter) in Condition::ALL.iter().zip(&counters.stanza_errors) {
        errors = errors.with("condition", condition.as_str(), count(counter));
    }
}

/// One look at every session.
fn sessions(page: &mut Page, core: &Core) {
    let accounts = core.accounts.connected();
    let (mut attached, mut detached, mut available) = (0usize, 0usize, 0usize);
    let (mut stanzas, mut bytes, mut most) = (0, 0, 0);
    for account in &accounts {
        for bound in &account.lock().resources {
            let (waiting_bytes, waiting_stanzas) = bound.resource.outbox.depth();
            *(if bound.is_detached() { &mut detached } else { &mut attached }) += 1;
            available += usize::from(bound.presence.is_some());
            stanzas += waiting_stanzas;
            bytes += waiting_bytes;
            most = most.max(waiting_bytes);
        }
    }
    page.gauge("magpie_sessions", "Sessions by whether they have a connection just now (XEP-0198).")
        .with("state", "attached", attached)
        .with("state", "detached", detached);
    page.gauge("magpie_sessions_available", "Sessions that have sent presence.").is(available);
    page.gauge("magpie_accounts_connected", "Accounts that have sessions.").is(accounts.len());
    page.gauge("magpie_accounts_in_memory", "Accounts in memory, connected or not.").is(core.accounts.len());
    page.gauge("magpie_outbox_stanzas", "Stanzas that wait for clients to read.").is(stanzas);
    page.gauge("magpie_outbox_bytes", "Bytes of these.").is(bytes);
    page.gauge("magpie_outbox_bytes_largest", "Bytes that wait for the one client for which most waits.").is(most);
}

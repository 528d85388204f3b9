//! Connections, sessions, logins, stanzas, errors.

use super::page::Page;
use crate::core::Core;
use crate::counters::LinkKind;
use crate::http::Web;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use xep_support::stanza::Kind;
use xep_support::stanza::error::Condition;
use xep_support::stream::StreamCondition;

pub(super) fn write(page: &mut Page, web: &Web) {
    let (core, counters) = (&web.core, &web.core.counters);
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    connections(page, web);
    page.counter("magpie_connections_refused_total", "Connections refused by a limit.")
        .is(count(&counters.connections_refused));
    page.counter("magpie_tls_failures_total", "TLS handshakes that failed.").is(count(&counters.tls_failed));
    let mut logins = page.counter("magpie_logins_total", "Logins by the mechanism and what came of them.");
    for (mechanism, succeeded, failed) in counters.logins.by_mechanism() {
        let labels = |outcome| [("mechanism", mechanism), ("outcome", outcome)];
        logins = logins.with_all(&labels("success"), succeeded).with_all(&labels("failure"), failed);
    }
    let mut failures =
        page.counter("magpie_login_failures_total", "Logins that failed, by the condition clients are told.");
    for (condition, times) in counters.logins.failures() {
        failures = failures.with("condition", condition, times);
    }
    page.counter("magpie_registrations_total", "Accounts made by clients.").is(count(&counters.registrations));
    sessions(page, core);
    stanzas(page, core);
    let mut errors = page.counter("magpie_stanza_errors_total", "Stanzas answered with an error, by its condition.");
    for (condition, counter) in Condition::ALL.iter().zip(&counters.stanza_errors) {
        errors = errors.with("condition", condition.as_str(), count(counter));
    }
    let mut errors = page.counter("magpie_stream_errors_total", "Streams ended with an error, by its condition.");
    for (condition, counter) in StreamCondition::ALL.iter().zip(&counters.stream_errors) {
        errors = errors.with("condition", condition.as_str(), count(counter));
    }
}

fn connections(page: &mut Page, web: &Web) {
    let (links, site) = (&web.core.counters.links, &web.core.site.counters);
    let by_http = site.connections.load(Relaxed);
    // Those of which nobody knows yet what they will speak: TLS is being set up.
    let mut unknown = web.budget.connections().saturating_sub(by_http + site.forwarded.load(Relaxed));
    let mut now = page.gauge("magpie_connections", "Connections by what they are and how far they have come.");
    for kind in LinkKind::ALL {
        let (negotiating, bound, _) = links.of(kind);
        let labels = |state| [("kind", kind.name()), ("state", state)];
        now = now.with_all(&labels("negotiating"), negotiating).with_all(&labels("bound"), bound);
        unknown = unknown.saturating_sub(negotiating + bound);
    }
    now.with_all(&[("kind", "http"), ("state", "open")], by_http)
        .with_all(&[("kind", "unknown"), ("state", "negotiating")], unknown);
    let mut accepted = page.counter("magpie_connections_accepted_total", "Connections accepted, by what they are.");
    for kind in LinkKind::ALL {
        accepted = accepted.with("kind", kind.name(), links.of(kind).2);
    }
    accepted.with("kind", "http", site.connections_accepted.load(Relaxed));
}

fn stanzas(page: &mut Page, core: &Core) {
    let mut stanzas =
        page.counter("magpie_stanzas_total", "Stanzas from clients (in) and to clients (out), by their kind.");
    for (direction, tally) in [("in", core.counters.stanzas_in.total()), ("out", core.counters.stanzas_out.total())] {
        for kind in [Kind::Message, Kind::Presence, Kind::Iq] {
            let labels = [("direction", direction), ("kind", kind.name())];
            stanzas = stanzas.with_all(&labels, tally[kind as usize]);
        }
    }
}

/// What waits in the outboxes of sessions of one state.
#[derive(Default)]
struct Waiting {
    sessions: usize,
    /// Of the outbox that has not been empty for longest.
    age_seconds: u32,
}

/// One look at every session.
fn sessions(page: &mut Page, core: &Core) {
    let accounts = core.accounts.connected();
    let (mut attached, mut detached, mut available) = (Waiting::default(), Waiting::default(), 0usize);
    let (mut stanzas, mut bytes, mut most) = (0, 0, 0);
    for account in &accounts {
        for bound in &account.lock().resources {
            let outbox = &bound.resource.outbox;
            let (waiting_bytes, waiting_stanzas) = outbox.depth();
            let waiting = if bound.is_detached() { &mut detached } else { &mut attached };
            waiting.sessions += 1;
            waiting.age_seconds = waiting.age_seconds.max(outbox.age_seconds().unwrap_or(0));
            available += usize::from(bound.presence.is_some());
            stanzas += waiting_stanzas;
            bytes += waiting_bytes;
            most = most.max(waiting_bytes);
        }
    }
    page.gauge("magpie_sessions", "Sessions by whether they have a connection just now (XEP-0198).")
        .with("state", "attached", attached.sessions)
        .with("state", "detached", detached.sessions);
    page.gauge("magpie_sessions_available", "Sessions that have sent presence.").is(available);
    page.gauge("magpie_accounts_connected", "Accounts that have sessions.").is(accounts.len());
    page.gauge("magpie_accounts_in_memory", "Accounts in memory, connected or not.").is(core.accounts.len());
    page.gauge("magpie_outbox_stanzas", "Stanzas that wait for clients to read.").is(stanzas);
    page.gauge("magpie_outbox_bytes", "Bytes of these.").is(bytes);
    page.gauge("magpie_outbox_bytes_largest", "Bytes that wait for the one client for which most waits.").is(most);
    page.gauge(
        "magpie_outbox_age_seconds",
        "For how long something has waited for the client that is behind for longest.",
    )
    .with("state", "attached", u64::from(attached.age_seconds))
    .with("state", "detached", u64::from(detached.age_seconds));
}

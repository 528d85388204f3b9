//! Figures and health: who gets them, and who does not.

use super::serve;
use super::wire::Http;
use crate::support::TestServer;

fn at_metrics(server: &TestServer) -> Http {
    Http::connect(server.server().core().site.listening().unwrap().metrics[0])
}

#[test]
fn a_listener_of_their_own_has_nothing_else() {
    let server = serve(|c| c.metrics.listen = vec!["127.0.0.1:0".parse().unwrap()]);
    let mut http = at_metrics(&server);
    assert_eq!(http.get("/healthz").text(), "ok\n");
    let ready = http.get("/readyz");
    assert_eq!((ready.status, ready.text()), (200, "ready\n"));
    assert_eq!(http.get("/metrics").status, 200);
    for path in ["/", "/.well-known/host-meta", "/upload/x/y"] {
        assert_eq!(http.get(path).status, 404, "{path}");
    }
}

#[test]
fn others_do_not_even_learn_that_they_exist() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(http.get(path).status, 404, "{path}");
        assert_eq!(http.ask("POST", path, &[]).status, 404, "{path}");
    }
}

#[test]
fn addresses_are_let_in_for_whom_they_ask() {
    let server = serve(|c| c.metrics.allow_from = vec!["127.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap()]);
    let mut http = Http::plain(&server);
    assert_eq!(http.get("/metrics").status, 200);
    assert_eq!(http.ask("GET", "/metrics", &["X-Forwarded-For: 192.0.2.1"]).status, 200);
    assert_eq!(http.ask("GET", "/metrics", &["X-Forwarded-For: 192.0.2.2"]).status, 404);
    assert_eq!(http.ask("GET", "/metrics", &["X-Forwarded-For: 192.0.2.1, 192.0.2.2"]).status, 404);
    assert_eq!(http.ask("GET", "/metrics", &["Forwarded: for=192.0.2.2"]).status, 404);
}

/// A proxy nobody trusts speaks for itself.
#[test]
fn a_stranger_cannot_say_he_is_somebody_else() {
    let server = serve(|c| {
        c.http.trusted_proxies.clear();
        c.metrics.allow_from = vec!["192.0.2.1".parse().unwrap()];
    });
    let mut http = Http::plain(&server);
    assert_eq!(http.ask("GET", "/metrics", &["X-Forwarded-For: 192.0.2.1"]).status, 404);
}

/// Through a proxy comes whoever the proxy says, and nobody in the proxy's own name.
#[test]
fn a_stranger_cannot_pass_for_the_proxy() {
    let server = serve(|c| c.metrics.allow_from = vec!["127.0.0.1".parse().unwrap()]);
    let mut http = Http::plain(&server);
    assert_eq!(http.get("/metrics").status, 200);
    let through = "X-Forwarded-For: 192.0.2.1";
    for forged in ["Forwarded: for=203.0.113.5", "Forwarded: for=127.0.0.1", "Forwarded: for=unknown", "Forwarded: x"] {
        assert_eq!(http.ask("GET", "/metrics", &[through, forged]).status, 404, "{forged}");
    }
    assert_eq!(http.ask("GET", "/metrics", &["X-Forwarded-For: é, 192.0.2.1"]).status, 404);
    assert_eq!(http.ask("GET", "/metrics", &["X-Forwarded-For: 192.0.2.1, unknown"]).status, 404);
}

/// All who hide behind a proxy share what one address may.
#[test]
fn hiding_behind_a_proxy_is_no_way_around_limits() {
    let server = serve(|c| c.limits.connections_per_address_max = 0);
    let mut http = Http::plain(&server);
    assert_eq!(http.get("/").status, 200);
    assert_eq!(http.ask("GET", "/", &["X-Forwarded-For: 192.0.2.1"]).status, 429);
    assert_eq!(http.ask("GET", "/", &["X-Forwarded-For: 192.0.2.1", "Forwarded: for=203.0.113.5"]).status, 429);
}

//! XEP-0156, XEP-0487, RFC 6415: host-meta.

use serde_json::{Value, json};

use super::serve;
use super::wire::Http;

fn jrd(http: &mut Http, host: &str) -> Value {
    http.send(format!("GET /.well-known/host-meta.json HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let answer = http.answer();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json; charset=utf-8")));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    serde_json::from_slice(&answer.body).unwrap()
}

/// XEP-0156 §2.2: XRD is a must. Ways that are not there are not told.
#[test]
fn host_meta_in_xml() {
    let server = serve(|_| {});
    let answer = Http::plain(&server).get("/.well-known/host-meta");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/xrd+xml; charset=utf-8")));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "§3");
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("cross-origin"));
    assert_eq!(
        answer.text(),
        "<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'/>\n"
    );
}

/// XEP-0156 §3: pages of other sites may read it.
#[test]
fn a_preflight_is_answered() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    let asked = ["Origin: https://chat.example", "Access-Control-Request-Method: GET"];
    let answer = http.ask("OPTIONS", "/.well-known/host-meta.json", &asked);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("*")));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

/// XEP-0487 §2.1: direct TLS, where it listens.
#[test]
fn direct_tls_is_told_in_json() {
    let server = serve(|c| c.domains.push("second.example".into()));
    let port = server.c2s_tls_addr().port();
    let mut http = Http::plain(&server);
    let link = |sni| {
        json!({ "rel": "urn:xmpp:alt-connections:tls", "port": port, "ips": ["127.0.0.1"], "priority": 10, "weight": 50,
            "sni": sni })
    };
    let expected = |sni| json!({ "xmpp": { "ttl": 3600 }, "links": [link(sni)] });
    assert_eq!(jrd(&mut http, "im.example"), expected("im.example"));
    assert_eq!(jrd(&mut http, "second.example:5280"), expected("second.example"));
    assert_eq!(jrd(&mut http, "www.example"), expected("im.example"), "a name of the web alone");
}

/// Addresses that nobody knows are not told, and without them nothing of XEP-0487 is (§2.1: `ips`).
#[test]
fn without_addresses_the_old_document_is_left() {
    let server = serve(|c| c.c2s.tls_listen = vec!["0.0.0.0:0".parse().unwrap()]);
    assert_eq!(jrd(&mut Http::plain(&server), "im.example"), json!({ "links": [] }));
    let server = serve(|c| {
        c.c2s.tls_listen = vec!["0.0.0.0:0".parse().unwrap()];
        c.http.addresses = vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
    });
    let ips = &jrd(&mut Http::plain(&server), "im.example")["links"][0]["ips"];
    assert_eq!(*ips, json!(["192.0.2.7", "2001:db8::7"]));
}

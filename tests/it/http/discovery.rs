//! XEP-0156, XEP-0487, RFC 6415: host-meta.

use serde_json::{Value, json};

use super::serve;
use super::wire::Http;
use crate::support::TestServer;

/// The ways to an XMPP stream over HTTPS: relations, schemes and paths, as they are told.
const WAYS: [(&str, &str, &str); 2] = [
    ("urn:xmpp:alt-connections:websocket", "wss", "/xmpp-websocket"),
    ("urn:xmpp:alt-connections:xbosh", "https", "/http-bind"),
];

/// The same with the URLs at this host.
fn ways(server: &TestServer, host: &str) -> Vec<(&'static str, String)> {
    let port = server.server().core().site.listening().unwrap().https[0].port();
    WAYS.map(|(relation, scheme, path)| (relation, format!("{scheme}://{host}:{port}{path}"))).to_vec()
}

fn in_json(server: &TestServer, host: &str) -> Vec<Value> {
    ways(server, host).into_iter().map(|(rel, href)| json!({ "rel": rel, "href": href })).collect()
}

fn jrd(http: &mut Http, host: &str) -> Value {
    http.send(format!("GET /.well-known/host-meta.json HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let answer = http.answer();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json; charset=utf-8")));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    serde_json::from_slice(&answer.body).unwrap()
}

/// XEP-0156 §2.2: XRD is a must.
#[test]
fn host_meta_in_xml() {
    let server = serve(|_| {});
    let answer = Http::plain(&server).get("/.well-known/host-meta");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/xrd+xml; charset=utf-8")));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "§3");
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("cross-origin"));
    let links = ways(&server, "im.example").into_iter().map(|(rel, href)| format!("<Link rel='{rel}' href='{href}'/>"));
    let links: String = links.collect();
    assert_eq!(
        answer.text(),
        format!(
            "<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>{links}</XRD>\n"
        )
    );
}

/// XEP-0156 §2.2: ways that are not encrypted are not told, and then the document is empty.
#[test]
fn without_https_there_is_nothing_to_tell() {
    let server = serve(|c| c.http.tls_listen.clear());
    let answer = Http::plain(&server).get("/.well-known/host-meta");
    assert_eq!(
        answer.text(),
        "<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'/>\n"
    );
}

/// A reverse proxy in front has URLs of its own.
#[test]
fn behind_a_proxy_its_urls_are_told() {
    let server = serve(|c| c.http.public_url = "https://{domain}/chat".into());
    let links = &jrd(&mut Http::plain(&server), "im.example")["links"];
    assert_eq!(links[0]["href"], "wss://im.example/chat/xmpp-websocket");
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

/// XEP-0487 §2.1: direct TLS, where it listens. The port for nothing else comes first (XEP-0368 §5).
#[test]
fn direct_tls_is_told_in_json() {
    let server = serve(|c| c.domains.push("second.example".into()));
    let (own, shared) = (server.c2s_tls_addr().port(), server.https_addr().port());
    let mut http = Http::plain(&server);
    let link = |sni, port, priority| {
        json!({ "rel": "urn:xmpp:alt-connections:tls", "port": port, "ips": ["127.0.0.1"], "priority": priority,
            "weight": 50, "sni": sni })
    };
    let expected = |sni| {
        let mut links = in_json(&server, sni);
        links.extend([link(sni, own, 10), link(sni, shared, 20)]);
        json!({ "xmpp": { "ttl": 3600 }, "links": links })
    };
    assert_eq!(jrd(&mut http, "im.example"), expected("im.example"));
    assert_eq!(jrd(&mut http, "second.example:5280"), expected("second.example"));
    assert_eq!(jrd(&mut http, "www.example"), expected("im.example"), "a name of the web alone");
}

/// With one port for everything, that is the one. Behind a reverse proxy of HTTP there are no streams.
#[test]
fn the_only_port_is_told() {
    let mut server = serve(|c| c.c2s.tls_listen.clear());
    let links = jrd(&mut Http::plain(&server), "im.example")["links"].clone();
    let mut expected = in_json(&server, "im.example");
    expected.push(json!({ "rel": "urn:xmpp:alt-connections:tls", "port": server.https_addr().port(),
        "ips": ["127.0.0.1"], "priority": 10, "weight": 50, "sni": "im.example" }));
    assert_eq!(links, json!(expected));
    server.restart_with(|c| c.http.public_url = "https://{domain}".into());
    let links = jrd(&mut Http::plain(&server), "im.example")["links"].clone();
    assert_eq!(links.as_array().unwrap().len(), WAYS.len(), "{links}");
}

/// Addresses that nobody knows are not told, and without them nothing of XEP-0487 is (§2.1: `ips`).
#[test]
fn without_addresses_the_old_document_is_left() {
    let server = serve(|c| c.c2s.tls_listen = vec!["0.0.0.0:0".parse().unwrap()]);
    let links = in_json(&server, "im.example");
    assert_eq!(jrd(&mut Http::plain(&server), "im.example"), json!({ "links": links }));
    let server = serve(|c| {
        c.c2s.tls_listen = vec!["0.0.0.0:0".parse().unwrap()];
        c.http.addresses = vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
    });
    let ips = &jrd(&mut Http::plain(&server), "im.example")["links"][WAYS.len()]["ips"];
    assert_eq!(*ips, json!(["192.0.2.7", "2001:db8::7"]));
}

//! `/metrics`: what Prometheus reads, and a dashboard that shows it.

use std::collections::BTreeSet;

use super::serve;
use super::upload::{put, slot};
use super::wire::Http;
use crate::support::transport::TlsOptions;
use crate::support::{DOMAIN, TestServer};

fn figures(server: &TestServer) -> String {
    let answer = Http::connect(server.server().core().site.listening().unwrap().metrics[0]).get("/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    answer.text().to_owned()
}

fn with_metrics() -> TestServer {
    serve(|c| c.metrics.listen = vec!["127.0.0.1:0".parse().unwrap()])
}

/// The value of a sample, labels included in its name.
#[track_caller]
fn figure(page: &str, name: &str) -> f64 {
    let mut found = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = found.next().unwrap_or_else(|| panic!("{name} is missing:\n{page}"));
    assert!(found.next().is_none(), "{name} twice");
    value.parse().unwrap()
}

#[test]
fn figures_follow_what_happens() {
    let server = with_metrics();
    let before = figures(&server);
    assert_eq!(figure(&before, "magpie_logins_total{mechanism=\"SCRAM-SHA-256\",outcome=\"success\"}"), 0.0);
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<iq to='im.example' id='1' type='get'><query xmlns='urn:nobody'/></iq>");
    romeo.expect_stanza_error("iq", "1", "cancel", "service-unavailable");
    romeo.send("<message to='nobody@im.example' id='2' type='chat'><body>hi</body></message>");
    romeo.expect_stanza_error("message", "2", "cancel", "service-unavailable");
    let mut refused = server.connect();
    refused.secure();
    refused.auth("PLAIN", "\0romeo\0wrong");
    refused.expect_sasl_failure("not-authorized");
    let (url, key) = slot(&mut romeo, "a", 5);
    put(&server, &url, &key, b"12345");
    let page = figures(&server);
    for (name, value) in [
        ("magpie_logins_total{mechanism=\"SCRAM-SHA-256\",outcome=\"success\"}", 1.0),
        ("magpie_logins_total{mechanism=\"SCRAM-SHA-256\",outcome=\"failure\"}", 0.0),
        ("magpie_logins_total{mechanism=\"PLAIN\",outcome=\"failure\"}", 1.0),
        ("magpie_login_failures_total{condition=\"not-authorized\"}", 1.0),
        ("magpie_sessions{state=\"attached\"}", 1.0),
        ("magpie_sessions{state=\"detached\"}", 0.0),
        ("magpie_sessions_available", 1.0),
        ("magpie_accounts_connected", 1.0),
        ("magpie_accounts", 1.0),
        ("magpie_connections{kind=\"tcp\",state=\"bound\"}", 1.0),
        ("magpie_connections{kind=\"tcp\",state=\"negotiating\"}", 1.0),
        ("magpie_connections_accepted_total{kind=\"tcp\"}", 2.0),
        ("magpie_stanza_errors_total{condition=\"service-unavailable\"}", 2.0),
        ("magpie_stanza_errors_total{condition=\"bad-request\"}", 0.0),
        ("magpie_upload_slots_total{outcome=\"given\"}", 1.0),
        ("magpie_uploads_total{outcome=\"stored\"}", 1.0),
        ("magpie_uploaded_bytes_total", 5.0),
        ("magpie_upload_files", 1.0),
        ("magpie_upload_bytes", 5.0),
        ("magpie_storage_failed_batches_total", 0.0),
        ("magpie_info{version=\"0.1.0\"}", 1.0),
    ] {
        assert_eq!(figure(&page, name), value, "{name}");
    }
    let commits = figure(&page, "magpie_storage_commit_seconds_count");
    assert!(commits > 0.0 && figure(&page, "magpie_storage_commit_seconds_bucket{le=\"+Inf\"}") == commits);
    assert!(figure(&page, "process_resident_memory_bytes") > 1e6);
}

#[test]
fn what_is_said_in_rooms_is_counted() {
    let server = with_metrics();
    let mut romeo = server.online("romeo", "orchard");
    let room = "verona@conference.im.example";
    romeo.send(&format!("<presence to='{room}/r'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    while romeo.next().find("subject", "jabber:client").is_none() {}
    romeo.send(&format!("<message to='{room}' type='groupchat' id='m'><body>hi</body></message>"));
    assert_eq!(romeo.next().attr("id"), Some("m"));
    let page = figures(&server);
    let names = ["magpie_room_messages_total", "magpie_room_deliveries_total", "magpie_rooms_in_memory"];
    assert_eq!(names.map(|name| figure(&page, name)), [1.0; 3]);
    assert_eq!(figure(&page, "magpie_room_messages_moderated_total"), 0.0);
}

/// Both ways, and by kind.
#[test]
fn stanzas_are_counted() {
    let server = with_metrics();
    let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
    let counted = |page: &str, direction: &str, kind: &str| {
        figure(page, &format!("magpie_stanzas_total{{direction=\"{direction}\",kind=\"{kind}\"}}"))
    };
    let before = figures(&server);
    for id in 0..3 {
        romeo.send(&format!("<message to='{{juliet}}' type='chat' id='{id}'><body>hi</body></message>"));
        juliet.next();
    }
    romeo.send("<presence to='{juliet}'/>");
    juliet.next();
    romeo.send("<iq to='im.example' id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
    romeo.next();
    // No stanza at all, to answer to which is counted.
    romeo.send("<presence type='away'/>");
    romeo.next();
    let after = figures(&server);
    let more = |direction, kind| counted(&after, direction, kind) - counted(&before, direction, kind);
    assert_eq!((more("in", "message"), more("out", "message")), (3.0, 3.0));
    assert_eq!((more("in", "presence"), more("out", "presence")), (2.0, 2.0));
    assert_eq!((more("in", "iq"), more("out", "iq")), (1.0, 1.0));
    assert_eq!(figure(&after, "magpie_stanza_errors_total{condition=\"bad-request\"}"), 1.0);
}

/// By what is spoken on them, and how far they have come; they are gone when they are gone.
#[test]
fn connections_are_told_apart() {
    let server = with_metrics();
    server.account("romeo", "secret");
    let mut http = Http::tls(&server, &[b"http/1.1"]);
    assert_eq!(http.get("/").status, 200);
    let mut direct = server.connect_to_https();
    direct.handshake(&TlsOptions::direct(DOMAIN));
    direct.open_to_features();
    let _silent = server.connect_to_https();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.expect_nothing();
    let open = |page: &str| {
        [("tcp", "bound"), ("tcp", "negotiating"), ("tls", "bound"), ("tls", "negotiating")]
            .map(|(kind, state)| figure(page, &format!("magpie_connections{{kind=\"{kind}\",state=\"{state}\"}}")))
    };
    let until = |name: &str, value: f64| {
        while figure(&figures(&server), name) != value {
            std::thread::yield_now();
        }
    };
    assert_eq!(open(&figures(&server)), [1.0, 0.0, 0.0, 1.0]);
    // That of this page is one, too.
    until("magpie_connections{kind=\"http\",state=\"open\"}", 2.0);
    until("magpie_connections{kind=\"unknown\",state=\"negotiating\"}", 1.0);
    direct.send_bytes(b"</nonsense>");
    direct.expect_stream_error("not-well-formed");
    romeo.close();
    until("magpie_connections{kind=\"tcp\",state=\"bound\"}", 0.0);
    until("magpie_connections{kind=\"tls\",state=\"negotiating\"}", 0.0);
    let page = figures(&server);
    assert_eq!(figure(&page, "magpie_stream_errors_total{condition=\"not-well-formed\"}"), 1.0);
    assert_eq!(figure(&page, "magpie_connections_accepted_total{kind=\"tls\"}"), 1.0);
}

/// What waits for a client that is away gets older.
#[test]
fn the_longest_wait_is_told() {
    let server = with_metrics();
    let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
    juliet.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    juliet.expect("<enabled xmlns='urn:xmpp:sm:3' id='{sm}' resume='true' max='{any}'/>");
    assert_eq!(figure(&figures(&server), "magpie_outbox_age_seconds{state=\"attached\"}"), 0.0);
    drop(juliet);
    while figure(&figures(&server), "magpie_sessions{state=\"detached\"}") < 1.0 {
        std::thread::yield_now();
    }
    assert_eq!(figure(&figures(&server), "magpie_outbox_age_seconds{state=\"detached\"}"), 0.0);
    romeo.send("<iq to='{juliet}' id='1' type='get'><query xmlns='jabber:iq:version'/></iq>");
    while figure(&figures(&server), "magpie_outbox_age_seconds{state=\"detached\"}") < 1.0 {
        std::thread::yield_now();
    }
    assert_eq!(figure(&figures(&server), "magpie_outbox_age_seconds{state=\"attached\"}"), 0.0);
}

/// Names, addresses and messages of users are nobody's figures.
#[test]
fn nobody_is_named() {
    let server = with_metrics();
    let _romeo = server.online("romeo", "orchard");
    let page = figures(&server);
    assert!(!page.contains("romeo") && !page.contains("im.example/"), "{page}");
}

/// The format: each family is described once, and its samples follow.
#[test]
fn the_page_is_well_formed() {
    let server = with_metrics();
    let page = figures(&server);
    let mut families = BTreeSet::new();
    let mut family = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap().to_owned();
            assert!(families.insert(family.clone()), "{family} twice");
            let counts = rest.ends_with(" counter");
            assert_eq!(counts, family.ends_with("_total"), "{rest}");
        } else if !line.starts_with("# HELP ") {
            assert!(line.starts_with(&family), "{line} stands under {family}");
            line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
        }
    }
}

/// docs/grafana.json shows everything there is and nothing there is not.
#[test]
fn the_dashboard_and_the_figures_have_the_same_names() {
    let server = with_metrics();
    let page = figures(&server);
    let families: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/grafana.json");
    let dashboard: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
    let expressions: Vec<&str> = targets.flatten().map(|target| target["expr"].as_str().unwrap()).collect();
    let words = expressions.iter().flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    let family = |word: &str| {
        let ends = ["_bucket", "_sum", "_count"];
        let base = ends.iter().find_map(|end| word.strip_suffix(end)).filter(|base| families.contains(base));
        base.unwrap_or(word).to_owned()
    };
    let shown: BTreeSet<String> =
        words.filter(|w| w.starts_with("magpie_") || w.starts_with("process_")).map(family).collect();
    let families: BTreeSet<String> = families.into_iter().map(str::to_owned).collect();
    assert_eq!(shown, families);
}

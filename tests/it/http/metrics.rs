//! `/metrics`: what Prometheus reads, and a dashboard that shows it.

use std::collections::BTreeSet;

use super::serve;
use super::upload::{put, slot};
use super::wire::Http;
use crate::support::TestServer;

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
    assert_eq!(figure(&before, "magpie_logins_total{outcome=\"success\"}"), 0.0);
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
        ("magpie_logins_total{outcome=\"success\"}", 1.0),
        ("magpie_logins_total{outcome=\"failure\"}", 1.0),
        ("magpie_sessions{state=\"attached\"}", 1.0),
        ("magpie_sessions{state=\"detached\"}", 0.0),
        ("magpie_sessions_available", 1.0),
        ("magpie_accounts_connected", 1.0),
        ("magpie_accounts", 1.0),
        ("magpie_connections{kind=\"client\"}", 2.0),
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

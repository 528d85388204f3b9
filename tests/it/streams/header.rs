//! Stream headers (RFC 6120 §4.7, §4.8) and the errors they cause.

use std::collections::BTreeSet;

use crate::support::client::stream_header;
use crate::support::{Client, DOMAIN, TestServer};

const NAMESPACES: &str = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";

/// Whatever is wrong with a header, ours comes first and is complete (RFC 6120 §4.9.1.2).
#[track_caller]
fn refused(server: &TestServer, header: &str, condition: &str) {
    let mut client = server.connect();
    let answer = client.open_with(header);
    assert_header(&mut client);
    assert!(answer.attr("from").is_some_and(|from| !from.is_empty()));
    client.expect_stream_error(condition);
}

#[track_caller]
fn accepted(server: &TestServer, header: &str) -> Client {
    let mut client = server.connect();
    client.open_with(header);
    assert_header(&mut client);
    client.features();
    client
}

#[track_caller]
fn assert_header(client: &mut Client) {
    let header = client.header.clone().expect("a header came");
    client
        .matches("<stream:stream from='{any}' id='{any}' version='1.0' to='{opt}' xml:lang='{any}'/>", &header)
        .unwrap_or_else(|e| client.fail(&e));
    assert!(!header.attr("id").unwrap().is_empty());
}

/// RFC 6120 §4.7.1, §4.7.3, §4.7.5: `from` is the domain, there is an id, the version is 1.0. §4.7.4: there is a language.
#[test]
fn the_answer_has_from_id_version_and_lang() {
    let server = TestServer::start();
    let mut client = server.connect();
    let header = client.open();
    assert_eq!(header.attr("from"), Some(DOMAIN));
    assert_eq!(header.attr("to"), None, "no `from`, no `to` (RFC 6120 §4.7.2)");
    assert!(header.attr("xml:lang").is_some_and(|lang| !lang.is_empty()));
    assert_header(&mut client);
    client.features();
    client.close();
}

/// RFC 6120 §4.7.2.
#[test]
fn the_from_of_the_client_comes_back_as_to() {
    let server = TestServer::start();
    let header = format!("<stream:stream {NAMESPACES} from='romeo@{DOMAIN}' to='{DOMAIN}' version='1.0'>");
    let client = accepted(&server, &header);
    assert_eq!(client.header.unwrap().attr("to"), Some("romeo@im.example"));
}

/// RFC 6120 §4.7.1 with RFC 7622 §3.2: domains compare without case and without a final dot.
#[test]
fn the_case_of_the_domain_does_not_matter() {
    let server = TestServer::start();
    for to in ["IM.Example", "im.example."] {
        let client = accepted(&server, &stream_header(to));
        assert_eq!(client.header.unwrap().attr("from"), Some(DOMAIN));
    }
}

/// RFC 6120 §4.7.3: unique, also between the streams of one connection.
#[test]
fn stream_ids_never_repeat() {
    let server = TestServer::start();
    let mut ids = BTreeSet::new();
    for _ in 0..10 {
        let mut client = server.connect();
        client.secure();
        let plain_and_tls = [client.header.clone().unwrap().attr("id").unwrap().to_owned()];
        for id in plain_and_tls {
            assert!(ids.insert(id), "stream id twice");
        }
        let mut other = server.connect();
        assert!(ids.insert(other.open().attr("id").unwrap().to_owned()), "stream id twice");
    }
}

#[test]
fn each_restart_of_a_stream_has_a_new_id() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut client = server.connect();
    let mut ids = BTreeSet::new();
    client.open_to_features();
    ids.insert(client.header.clone().unwrap().attr("id").unwrap().to_owned());
    client.starttls();
    client.open_to_features();
    ids.insert(client.header.clone().unwrap().attr("id").unwrap().to_owned());
    client.authenticate("SCRAM-SHA-256", "romeo", "secret");
    client.open_to_features();
    ids.insert(client.header.clone().unwrap().attr("id").unwrap().to_owned());
    assert_eq!(ids.len(), 3);
}

/// RFC 6120 §4.7.5: the lower of the two versions, compared as numbers.
#[test]
fn higher_versions_are_answered_with_ours() {
    let server = TestServer::start();
    for version in ["1.1", "1.10", "2.0", "01.0"] {
        accepted(&server, &format!("<stream:stream {NAMESPACES} to='{DOMAIN}' version='{version}'>"));
    }
}

/// RFC 6120 §4.7.5, §4.9.3.25: no version means 0.9.
#[test]
fn older_versions_are_unsupported() {
    let server = TestServer::start();
    for version in ["", "version='0.9'", "version='0.10'"] {
        refused(&server, &format!("<stream:stream {NAMESPACES} to='{DOMAIN}' {version}>"), "unsupported-version");
    }
}

/// RFC 6120 §4.9.3.6.
#[test]
fn a_domain_that_is_not_served_is_host_unknown() {
    let server = TestServer::start();
    for to in ["other.example", "im.example.org", "xim.example", "sub.im.example", "romeo@im.example"] {
        refused(&server, &stream_header(to), "host-unknown");
    }
}

/// RFC 6120 §4.9.3.6: what is no address is not served either (`improper-addressing` is for stanzas between servers).
#[test]
fn a_to_that_is_no_address_is_host_unknown() {
    let server = TestServer::start();
    for to in ["", "@", "a b", "@im.example", "im.example/x", "im..example"] {
        refused(&server, &stream_header(to), "host-unknown");
    }
}

/// RFC 6120 §4.7.2: `to` is needed where there is a choice; a server of one domain knows what is meant.
#[test]
fn a_missing_to_is_a_question_only_with_several_domains() {
    let header = format!("<stream:stream {NAMESPACES} version='1.0'>");
    let server = TestServer::start();
    assert_eq!(accepted(&server, &header).header.unwrap().attr("from"), Some(DOMAIN));
    let server = TestServer::with(|c| c.domains.push("other.example".into()));
    refused(&server, &header, "host-unknown");
}

/// RFC 6120 §4.9.3.10, §4.8.1: of the stream, and of the content.
#[test]
fn foreign_namespaces_are_invalid() {
    let server = TestServer::start();
    let headers = [
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://wrong.example' to='im.example' version='1.0'>",
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='im.example' version='1.0'>",
        "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='im.example' version='1.0'>",
        "<stream xmlns='jabber:client' to='im.example' version='1.0'>",
    ];
    for header in headers {
        refused(&server, header, "invalid-namespace");
    }
}

/// RFC 6120 §4.9.3.2, §4.8.5: the prefix of the stream namespace is `stream`.
#[test]
fn another_prefix_for_the_stream_is_bad() {
    let server = TestServer::start();
    let header =
        "<foo:stream xmlns='jabber:client' xmlns:foo='http://etherx.jabber.org/streams' to='im.example' version='1.0'>";
    refused(&server, header, "bad-namespace-prefix");
}

/// RFC 6120 §4.9.3.1 or §4.9.3.13: what is no stream header at all is still answered with one.
#[test]
fn something_else_than_a_header_is_refused_behind_ours() {
    let server = TestServer::start();
    let cases = [
        ("GET / HTTP/1.1\r\nHost: im.example\r\n\r\n", "not-well-formed"),
        // Also not well-formed as to its namespaces, but this says what is wrong (§4.9.3.2).
        ("<stream:stream to='im.example' version='1.0'>", "bad-namespace-prefix"),
        ("<stream:stream xmlns='jabber:client' xmlns:stream=", "not-well-formed"),
        // No byte order mark (RFC 6120 §11.6), and a declaration only at the very beginning.
        ("\u{feff}<?xml version='1.0'?><stream:stream>", "not-well-formed"),
        ("<?xml version='1.0'?><?xml version='1.0'?><stream:stream>", "restricted-xml"),
    ];
    for (bytes, condition) in cases {
        let mut client = server.connect();
        client.send_bytes(bytes.as_bytes());
        if bytes.ends_with('=') {
            client.send_bytes(b"x y='1'>");
        }
        client.expect_header();
        assert_header(&mut client);
        client.expect_stream_error(condition);
    }
}

/// A root element of another name (RFC 6120 §4.9.3.1: XML that cannot be processed as a stream).
#[test]
fn another_root_element_is_bad_format() {
    let server = TestServer::start();
    let header = format!("<stream:flow {NAMESPACES} to='{DOMAIN}' version='1.0'>");
    refused(&server, &header, "bad-format");
}

/// RFC 6120 §4.9.3.22, §11.6: UTF-8 and nothing else.
#[test]
fn other_encodings_are_unsupported() {
    let server = TestServer::start();
    for encoding in ["UTF-16", "ISO-8859-1", "US-ASCII"] {
        let header =
            stream_header(DOMAIN).replace("version='1.0'?>", &format!("version='1.0' encoding='{encoding}'?>"));
        refused(&server, &header, "unsupported-encoding");
    }
    for encoding in ["UTF-8", "utf-8"] {
        let header =
            stream_header(DOMAIN).replace("version='1.0'?>", &format!("version=\"1.0\" encoding=\"{encoding}\"?>"));
        accepted(&server, &header);
    }
}

/// RFC 6120 §11.5: the XML declaration is welcome, not needed; white space in front of a root without one is harmless.
#[test]
fn the_xml_declaration_may_be_missing() {
    let server = TestServer::start();
    let bare = format!("<stream:stream {NAMESPACES} to='{DOMAIN}' version='1.0'>");
    accepted(&server, &bare);
    accepted(&server, &format!("<?xml version='1.0'?>\n{bare}"));
}

/// RFC 6120 §4.9.3.9: after authentication the `from` of a header has to be the one who authenticated.
#[test]
fn a_header_from_somebody_else_after_authentication_is_invalid_from() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut client = server.connect();
    client.secure();
    client.authenticate("SCRAM-SHA-1", "romeo", "secret");
    client.open_with(&stream_header(DOMAIN).replace("to=", "from='juliet@im.example' to="));
    client.expect_stream_error("invalid-from");
}

/// A restart may not move to another domain of the server (RFC 6120 §4.9.3.6 or .9; the account is of the first one).
#[test]
fn the_domain_cannot_change_after_authentication() {
    let server = TestServer::with(|c| c.domains.push("other.example".into()));
    server.account("romeo", "secret");
    let mut client = server.connect();
    client.secure();
    client.authenticate("SCRAM-SHA-1", "romeo", "secret");
    client.open_with(&stream_header("other.example"));
    let error = client.next();
    assert!(error.name == "error" && error.ns == crate::support::xml::STREAMS, "{error:?}");
    client.expect_closed();
}

/// RFC 6120 §4.3.3: once a stream needs no restart, a second header inside it is an error, not a new beginning.
#[test]
fn a_second_header_inside_a_stream_is_refused() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.open_to_features();
    client.send(&stream_header(DOMAIN).replace("<?xml version='1.0'?>", ""));
    client.send("</stream:stream>");
    let error = client.next();
    assert!(error.name == "error" && error.ns == crate::support::xml::STREAMS, "{error:?}");
    client.expect_closed();
}

/// RFC 6120 §4.7.4, §8.1.5: the language of the stream is that of its stanzas unless they say otherwise.
#[test]
fn the_language_of_the_stream_is_stamped_on_stanzas_without_one() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    server.account("romeo", "secret");
    let mut romeo = server.connect();
    romeo.secure();
    romeo.authenticate("SCRAM-SHA-1", "romeo", "secret");
    romeo.open_with(&stream_header(DOMAIN).replace("to=", "xml:lang='de-CH' to="));
    romeo.features();
    romeo.bind("orchard");
    for (own, expected) in [("", "de-CH"), ("xml:lang='it'", "it")] {
        romeo.send(&format!("<message to='juliet@im.example' {own}><body>x</body></message>"));
        juliet.expect(&format!(
            "<message from='{{romeo}}' to='juliet@im.example' xml:lang='{expected}'><body>x</body></message>"
        ));
    }
}

/// RFC 6120 §3: IPv6 as well as IPv4, where the machine has it.
#[test]
fn ipv6_is_served() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let server = TestServer::with(|c| c.c2s.listen = vec!["[::1]:0".parse().unwrap()]);
    assert!(server.c2s_addr().is_ipv6());
    server.connect().open_to_features();
}

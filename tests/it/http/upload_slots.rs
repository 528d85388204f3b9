//! XEP-0363 §3–§6: discovery, slots and their refusals.

use super::serve;
use super::upload::{slot, slot_with};
use crate::support::TestServer;

/// §3: found among the items of the domain, with the size of files.
#[test]
fn the_service_is_found() {
    let server = serve(|c| c.upload.file_bytes_max = 5_242_880);
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<iq to='im.example' id='1' type='get'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
    let items = romeo.next();
    let query = items.elements().next().unwrap();
    let found = query.elements().find(|item| item.attr("jid") == Some("upload.im.example")).expect("the service");
    assert_eq!(found.attr("name"), Some("HTTP File Upload"));
    romeo.send(
        "<iq to='upload.im.example' id='2' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    );
    romeo.expect(
        "<iq from='upload.im.example' to='{jid}' id='2' type='result'>
          <query xmlns='http://jabber.org/protocol/disco#info'>
            <identity category='store' type='file' name='HTTP File Upload'/>
            <feature var='http://jabber.org/protocol/disco#info'/>
            <feature var='http://jabber.org/protocol/disco#items'/>
            <feature var='urn:xmpp:http:upload:0'/>
            <feature var='urn:xmpp:http:upload:purpose:0#message'/>
            <feature var='urn:xmpp:http:upload:purpose:0#ephemeral'/>
            <x xmlns='jabber:x:data' type='result'>
              <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:http:upload:0</value></field>
              <field var='max-file-size' type='{opt}'><value>5242880</value></field>
            </x>
          </query></iq>",
    );
    romeo.send(
        "<iq to='upload.im.example' id='3' type='get'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
    );
    romeo.expect(
        "<iq from='upload.im.example' to='{jid}' id='3' type='result'>
          <query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
    );
}

/// §4: two URLs, percent-encoded, and the header that makes an upload.
#[test]
fn a_slot_has_two_urls_and_a_key() {
    let server = serve(|c| c.http.public_url = "https://files.{domain}".into());
    let mut romeo = server.online("romeo", "orchard");
    romeo.send(
        "<iq to='upload.im.example' id='s' type='get'>
          <request xmlns='urn:xmpp:http:upload:0' filename='très cool.jpg' size='23456' content-type='image/jpeg'/></iq>",
    );
    let answer = romeo.expect(
        "<iq from='upload.im.example' to='{jid}' id='s' type='result'><slot xmlns='urn:xmpp:http:upload:0'>
          <put url='{put}'><header name='Authorization'>{key}</header></put><get url='{get}'/></slot></iq>",
    );
    drop(answer);
    let (put, key) = (romeo.var("put"), romeo.var("key"));
    assert_eq!(put, romeo.var("get"));
    let token = put.strip_prefix("https://files.im.example/upload/").unwrap();
    let token = token.strip_suffix("/tr%C3%A8s%20cool.jpg").unwrap();
    assert!(token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{put}");
    assert!(key.starts_with("Bearer ") && key.len() > 30, "{key}");
    let (other, _) = slot(&mut romeo, "a.jpg", 1);
    assert!(!other.contains(token));
}

/// Without a setting the URLs lead to the HTTPS listener.
#[test]
fn urls_are_right_by_default() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let port = server.server().core().site.listening().unwrap().https[0].port();
    let (url, _) = slot_with(&mut romeo, "filename='a' size='1'", "");
    assert!(url.starts_with(&format!("https://im.example:{port}/upload/")), "{url}");
}

#[track_caller]
fn refused(server: &TestServer, attributes: &str, child: &str, error: &str) {
    let mut romeo = server.login("romeo", "secret", "elsewhere");
    romeo.send(&format!(
        "<iq to='upload.im.example' id='s' type='get'><request xmlns='urn:xmpp:http:upload:0' {attributes}>{child}</request></iq>"
    ));
    romeo.expect(&format!("<iq from='upload.im.example' to='{{jid}}' id='s' type='error'>{error}</iq>"));
    romeo.close();
}

/// §6.
#[test]
fn a_file_that_is_too_large_is_refused_with_the_size_that_is_not() {
    let server = serve(|c| c.upload.file_bytes_max = 20_000);
    server.account("romeo", "secret");
    let error = "<error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
        <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>File too large. The maximum file size is 20000 bytes</text>
        <file-too-large xmlns='urn:xmpp:http:upload:0'><max-file-size>20000</max-file-size></file-too-large></error>";
    refused(&server, "filename='a' size='20001'", "", error);
    refused(&server, "filename='a' size='18446744073709551615'", "", error);
    let mut romeo = server.login("romeo", "secret", "orchard");
    slot(&mut romeo, "a", 20_000);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let server = serve(|_| {});
    server.account("romeo", "secret");
    let bad = "<error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><any/></error>";
    for attributes in [
        "size='1'",
        "filename='a'",
        "filename='a' size='0'",
        "filename='a' size='x'",
        "filename='' size='1'",
        "filename='a' size='1' content-type='x'",
    ] {
        refused(&server, attributes, "", bad);
    }
    // §5.4: a purpose that is not offered.
    let unknown =
        "<error type='cancel'><feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><any/></error>";
    refused(&server, "filename='a' size='1'", "<permanent xmlns='urn:xmpp:http:upload:purpose:0'/>", unknown);
    // A set is no way to ask.
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<iq to='upload.im.example' id='s' type='set'><request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/></iq>");
    romeo.expect_stanza_error("iq", "s", "cancel", "not-allowed");
}

const RETRY: &str = "<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
    <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text>
    <retry xmlns='urn:xmpp:http:upload:0' stamp='{any}'/></error>";
const NO_RETRY: &str = "<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
    <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error>";

/// §6: a personal limit, and when it will be over.
#[test]
fn who_has_used_up_his_room_is_told_when_to_come_back() {
    let server = serve(|c| {
        c.upload.file_bytes_max = 60;
        c.upload.user_bytes_max = 100;
    });
    let mut romeo = server.online("romeo", "orchard");
    slot(&mut romeo, "a", 60);
    refused(&server, "filename='b' size='41'", "", RETRY);
    slot(&mut romeo, "b", 40);
    // Somebody else's room is not touched.
    let mut juliet = server.online("juliet", "balcony");
    slot(&mut juliet, "a", 60);
}

#[test]
fn slots_that_are_not_used_are_limited() {
    let server = serve(|c| c.upload.slots_pending_max = 1);
    let mut romeo = server.online("romeo", "orchard");
    slot(&mut romeo, "a", 1);
    refused(&server, "filename='b' size='1'", "", RETRY);
}

#[test]
fn files_are_limited_in_number_too() {
    let server = serve(|c| {
        c.upload.user_files_max = 1;
        c.upload.expire_days = 0;
    });
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 1);
    refused(&server, "filename='b' size='1'", "", RETRY);
    super::upload::put(&server, &url, &key, b"x");
    // A file that stays for ever makes no room.
    refused(&server, "filename='b' size='1'", "", NO_RETRY);
}

#[test]
fn uploads_leave_room_on_the_disk() {
    let server = serve(|c| c.upload.free_mib_min = 1 << 29);
    server.account("romeo", "secret");
    refused(&server, "filename='a' size='1'", "", NO_RETRY);
}

/// §6: somebody without an account has no business here.
#[test]
fn guests_upload_nothing() {
    let server = serve(|c| c.auth.anonymous_domains = vec!["im.example".into()]);
    let mut guest = server.connect();
    guest.secure();
    guest.auth("ANONYMOUS", "");
    guest.expect_sasl("success");
    guest.open_to_features();
    guest.bind("x");
    guest.send("<iq to='upload.im.example' id='s' type='get'><request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/></iq>");
    guest.expect_stanza_error("iq", "s", "auth", "forbidden");
}

#[test]
fn what_is_turned_off_is_not_there() {
    for server in [serve(|c| c.upload.enabled = false), TestServer::start()] {
        let mut romeo = server.online("romeo", "orchard");
        romeo
            .send("<iq to='im.example' id='1' type='get'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
        assert!(!romeo.next().raw.contains("upload"));
        romeo.send(
            "<iq to='upload.im.example' id='2' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        );
        romeo.expect_stanza_error("iq", "2", "cancel", "service-unavailable");
        romeo.send("<iq to='upload.im.example' id='3' type='get'><request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/></iq>");
        romeo.expect_stanza_error("iq", "3", "cancel", "service-unavailable");
    }
}

//! XEP-0386: a session together with authentication; XEP-0198 §5: or an old one.

use super::{in_with, secured, server};
use crate::support::sasl2::{LAPTOP, PHONE, SASL2, user_agent};
use crate::support::xml::El;
use crate::support::{Client, TestServer};

const BIND2: &str = "urn:xmpp:bind:0";
const SM: &str = "urn:xmpp:sm:3";

fn jid(success: &El) -> String {
    success.find("authorization-identifier", SASL2).expect("always there").text()
}

fn bind(inside: &str) -> String {
    format!("<bind xmlns='{BIND2}'>{inside}</bind>")
}

fn resumable() -> String {
    bind("<tag>Dino</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/>")
}

/// §3.2: the full JID, `<bound/>`, and a session that works at once.
#[test]
fn a_resource_comes_with_the_success() {
    let server = server();
    let mut romeo = secured(&server);
    let success = romeo.scram2("romeo", "secret", &bind("<tag>Dino</tag>"));
    assert!(jid(&success).starts_with("romeo@im.example/Dino/"), "{success:?}");
    assert!(success.find("bound", BIND2).is_some());
    let features = romeo.features();
    assert!(features.find("bind", "urn:ietf:params:xml:ns:xmpp-bind").is_none(), "bound already");
    assert!(features.find("sm", SM).is_some(), "it may still be turned on");
    romeo.send("<presence/>");
    romeo.expect("<presence from='{jid}' to='{jid}'/>");
    romeo.expect_nothing();
}

/// §3.2.1: the same for the same installation and tag, another one otherwise, and nothing that identifies the client.
#[test]
fn names_are_stable() {
    let server = server();
    let name = |agent: &str, tag: &str| {
        let mut romeo = secured(&server);
        let success = in_with(&mut romeo, "secret", &format!("{agent}{}", bind(tag)));
        romeo.close();
        jid(&success)
    };
    let phone = name(&user_agent(PHONE), "<tag>Dino</tag>");
    assert_eq!(phone, name(&user_agent(&PHONE.to_uppercase()), "<tag>Dino</tag>"));
    assert!(!phone.contains(&PHONE[..8]), "{phone}");
    assert_ne!(phone, name(&user_agent(LAPTOP), "<tag>Dino</tag>"));
    assert_ne!(name("", "<tag>Dino</tag>"), name("", "<tag>Dino</tag>"));
    assert!(name(&user_agent(PHONE), "").split('/').nth(1) == phone.split('/').nth(2));
}

/// §3.2: a client that comes back takes the place of its ghost, even if its tag has changed.
#[test]
fn the_same_installation_replaces_itself() {
    let server = server();
    let enter = |tag: &str| {
        let mut romeo = secured(&server);
        in_with(&mut romeo, "secret", &format!("{}{}", user_agent(PHONE), bind(tag)));
        romeo
    };
    let mut first = enter("<tag>Dino</tag>");
    let mut second = enter("<tag>Dino</tag>");
    first.expect_stream_error("conflict");
    let mut third = enter("<tag>Dino2</tag>");
    second.expect_stream_error("conflict");
    third.expect_nothing();
}

/// §3.2.1: an invalid tag is refused before anything else happens; XEP-0388 §2.6.2.
#[test]
fn a_tag_has_to_be_valid() {
    let server = server();
    let mut romeo = secured(&server);
    romeo.authenticate2(
        "PLAIN",
        Some(b"\0romeo\0secret"),
        &bind("<tag>a&#x200e;&#x7;</tag>").replace("&#x7;", "\u{2028}"),
    );
    romeo.expect_failure2("malformed-request");
}

/// §3.2.1: "The `<bound/>` response MUST contain the resulting `<enabled/>`"; what follows is counted.
#[test]
fn stream_management_is_switched_on() {
    let server = server();
    let mut romeo = secured(&server);
    romeo.scram2("romeo", "secret", &resumable());
    // COMPAT: xmpp.js would take an offer for an invitation to resume.
    assert!(romeo.features().find("sm", SM).is_none());
    romeo.send("<presence/><r xmlns='urn:xmpp:sm:3'/>");
    romeo.expect_in_any_order(&[
        "<presence from='{jid}' to='{jid}'/>",
        "<r xmlns='urn:xmpp:sm:3'/>",
        "<a xmlns='urn:xmpp:sm:3' h='1'/>",
    ]);
    romeo.send("<enable xmlns='urn:xmpp:sm:3'/>");
    romeo.expect(
        "<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
    );
}

/// §3.2.1: "Message Carbons MUST be enabled at this point"; no answer is needed.
#[test]
fn carbons_are_switched_on() {
    let server = server();
    let mut other = server.login("romeo", "secret", "orchard");
    let mut romeo = secured(&server);
    let success = in_with(&mut romeo, "secret", &bind("<enable xmlns='urn:xmpp:carbons:2'/>"));
    assert_eq!(success.find("bound", BIND2).unwrap().raw.matches("carbons").count(), 0);
    other.send("<message to='juliet@im.example' type='chat' id='m'><body>hi</body></message>");
    other.sync();
    let got = romeo.sync();
    assert!(got.iter().any(|el| el.find("sent", "urn:xmpp:carbons:2").is_some()), "{got:?}");
}

/// §3.1: copies of what other devices send (XEP-0280), and a client nobody looks at (XEP-0352).
#[test]
fn copies_and_the_clients_state_are_switched_on() {
    let server = server();
    let mut orchard = server.login("romeo", "secret", "orchard");
    orchard.available();
    let mut phone = secured(&server);
    let features = "<tag>Dino</tag><enable xmlns='urn:xmpp:carbons:2'/><inactive xmlns='urn:xmpp:csi:0'/>";
    phone.scram2("romeo", "secret", &bind(features));
    let _ = phone.features();
    phone.available();
    for show in ["away", "xa"] {
        orchard.send(&format!("<presence><show>{show}</show></presence>"));
        orchard.sync();
    }
    orchard.send("<message to='nobody@im.example' type='chat'><body>hi</body></message>");
    // Of two presences the later one, together with what is important.
    phone.expect("<presence from='{romeo/orchard}' to='{jid}'><show>xa</show></presence>");
    phone.expect("<message from='romeo@im.example' to='{jid}' type='chat'><sent xmlns='urn:xmpp:carbons:2'><any/></sent></message>");
}

/// §3.2: unknown features are for other servers.
#[test]
fn unknown_features_are_ignored() {
    let server = server();
    let mut romeo = secured(&server);
    let success = in_with(&mut romeo, "secret", &bind("<enable xmlns='urn:example:megabind'/>"));
    romeo
        .matches(
            "<success xmlns='urn:xmpp:sasl:2'><additional-data>{any}</additional-data>\
         <authorization-identifier>{any}</authorization-identifier><bound xmlns='urn:xmpp:bind:0'/></success>",
            &success,
        )
        .unwrap();
}

/// §3.2.1: the state of the archive, where there is one.
#[test]
fn the_archive_is_described() {
    let server = TestServer::with(|c| c.archive.enabled = true);
    server.account("romeo", "secret");
    let enter = || {
        let mut romeo = secured(&server);
        let success = in_with(&mut romeo, "secret", &bind(""));
        (romeo, success)
    };
    let (mut romeo, success) = enter();
    romeo
        .matches(
            "<bound xmlns='urn:xmpp:bind:0'><metadata xmlns='urn:xmpp:mam:2'/></bound>",
            success.find("bound", BIND2).unwrap(),
        )
        .unwrap();
    romeo.send("<message to='{bare}' type='chat' id='m'><body>note to self</body></message>");
    romeo.sync();
    let (mut romeo, success) = enter();
    romeo
        .matches(
            "<bound xmlns='urn:xmpp:bind:0'><metadata xmlns='urn:xmpp:mam:2'><start id='{first}' timestamp='{any}'/>\
         <end id='{any}' timestamp='{any}'/></metadata></bound>",
            success.find("bound", BIND2).unwrap(),
        )
        .unwrap();
}

/// §3.2: what is in the archive does not come a second time; what is nowhere else still comes.
#[test]
fn stored_messages_are_left_to_the_archive() {
    let server = TestServer::with(|c| c.archive.enabled = true);
    server.account("romeo", "secret");
    let mut juliet = server.online("juliet", "balcony");
    juliet.send("<message to='romeo@im.example' type='chat' id='archived'><body>1</body></message>");
    juliet.sync();
    let mut setting = server.login("romeo", "secret", "orchard");
    setting.send("<iq type='set' id='p'><prefs xmlns='urn:xmpp:mam:2' default='never'><always/><never/></prefs></iq>");
    setting.sync();
    setting.close();
    juliet.send("<message to='romeo@im.example' type='chat' id='elsewhere'><body>2</body></message>");
    juliet.sync();
    let mut romeo = secured(&server);
    in_with(&mut romeo, "secret", &bind(""));
    romeo.send("<presence/>");
    romeo.expect("<presence from='{jid}' to='{jid}'/>");
    romeo.expect(
        "<message from='{juliet}' to='romeo@im.example' type='chat' id='elsewhere'><body>2</body>\
         <delay xmlns='urn:xmpp:delay' any-attrs='true'><any/></delay></message>",
    );
    romeo.expect_nothing();
    let query = "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>";
    romeo.send(query);
    assert!(romeo.sync().iter().any(|el| el.raw.contains("id='archived'")));
    romeo.send("<iq type='set' id='p'><prefs xmlns='urn:xmpp:mam:2' default='always'><always/><never/></prefs></iq>");
    romeo.sync();
    romeo.close();
    // A client of the older kind gets everything that is stored.
    juliet.send("<message to='romeo@im.example' type='chat' id='last'><body>3</body></message>");
    juliet.sync();
    let mut older = server.login("romeo", "secret", "orchard");
    older.send("<presence/>");
    older.expect("<presence from='{jid}' to='{jid}'/>");
    older.expect("<message from='{juliet}' to='romeo@im.example' type='chat' id='last'><any/></message>");
}

/// A session with an id for its resumption.
fn managed(server: &TestServer) -> (Client, String) {
    let mut romeo = secured(server);
    let success = in_with(&mut romeo, "secret", &format!("{}{}", user_agent(PHONE), resumable()));
    let bound = success.find("bound", BIND2).expect("bound");
    let id = bound.find("enabled", SM).and_then(|e| e.attr("id")).expect("an id").to_owned();
    (romeo, id)
}

/// §3.2: resumption comes first; if it succeeds nothing is bound, and what was not acknowledged follows the features.
#[test]
fn an_old_session_goes_on() {
    let server = server();
    let (mut romeo, id) = managed(&server);
    let mut juliet = server.online("juliet", "balcony");
    romeo.send("<presence/>");
    romeo.expect("<presence from='{jid}' to='{jid}'/>");
    romeo.expect("<r xmlns='urn:xmpp:sm:3'/>");
    juliet.send("<message to='{romeo}' type='chat' id='m'><body>hi</body></message>");
    juliet.sync();
    let jid_before = romeo.jid.clone();
    drop(romeo);
    let mut romeo = secured(&server);
    let resume = format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='1'/>");
    let success = romeo.scram2("romeo", "secret", &format!("{}{resume}{}", user_agent(PHONE), resumable()));
    romeo
        .matches(
            &format!(
                "<success xmlns='urn:xmpp:sasl:2'><additional-data>{{any}}</additional-data>\
             <authorization-identifier>{{romeo}}</authorization-identifier>\
             <resumed xmlns='urn:xmpp:sm:3' previd='{id}' h='1'/></success>"
            ),
            &success,
        )
        .unwrap();
    romeo.features();
    romeo.note_bound(&jid_before.unwrap());
    romeo.expect("<message from='{juliet}' to='{romeo}' type='chat' id='m'><body>hi</body></message>");
    romeo.expect("<r xmlns='urn:xmpp:sm:3'/>");
    romeo.send("<a xmlns='urn:xmpp:sm:3' h='2'/>");
    romeo.expect_nothing();
}

/// §3.2: "If resumption of the previous stream fails, the server MUST include the failure in the response, and then MUST
/// proceed to process the bind request".
#[test]
fn what_cannot_be_resumed_is_bound() {
    let server = server();
    let resume = "<resume xmlns='urn:xmpp:sm:3' previd='unknown' h='0'/>";
    let mut romeo = secured(&server);
    let success = in_with(&mut romeo, "secret", &format!("{resume}{}", bind("<tag>Dino</tag>")));
    let failed = success.find("failed", SM).expect("a failure");
    assert!(failed.raw.contains("item-not-found"), "{failed:?}");
    assert!(success.find("bound", BIND2).is_some() && jid(&success).contains("/Dino/"));
    romeo.expect_nothing();
    // Without a wish to bind it can still be done as ever.
    let mut romeo = secured(&server);
    let success = in_with(&mut romeo, "secret", resume);
    assert!(success.find("failed", SM).is_some() && jid(&success) == "romeo@im.example");
    romeo.bind("orchard");
}

/// Somebody else's session is as unknown as none.
#[test]
fn only_ones_own_session_is_resumed() {
    let server = server();
    server.account("juliet", "secret");
    let (mut romeo, id) = managed(&server);
    let mut juliet = secured(&server);
    let resume = format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>");
    let success = juliet.scram2("juliet", "secret", &resume);
    assert!(success.find("failed", SM).is_some() && success.find("resumed", SM).is_none());
    romeo.expect_nothing();
}

/// XEP-0198 §6: more acknowledged than was sent.
#[test]
fn a_count_from_the_future_ends_the_stream() {
    let server = server();
    let (romeo, id) = managed(&server);
    drop(romeo);
    let mut romeo = secured(&server);
    romeo.authenticate2(
        "PLAIN",
        Some(b"\0romeo\0secret"),
        &format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='7'/>"),
    );
    let error = romeo.expect_stream_error("undefined-condition");
    assert!(error.raw.contains("handled-count-too-high"));
}

/// All places are taken by sessions that live.
#[test]
fn no_room_for_another_resource() {
    let server = TestServer::with(|c| c.limits.resources_per_account_max = 1);
    let mut first = server.online("romeo", "orchard");
    let mut second = secured(&server);
    second.authenticate2("PLAIN", Some(b"\0romeo\0secret"), &bind(""));
    let failure = second.expect_failure2("temporary-auth-failure");
    assert!(failure.raw.contains("too many resources"));
    first.expect_nothing();
}

//! Preferences (XEP-0441).

use super::{query, server};
use crate::support::{Client, TestServer};
use magpie::config::ArchivePolicy;

#[track_caller]
fn set(client: &mut Client, default: &str, always: &str, never: &str) {
    let jids = |jid: &str| if jid.is_empty() { String::new() } else { format!("<jid>{jid}</jid>") };
    let prefs = format!(
        "<prefs xmlns='urn:xmpp:mam:2' default='{default}'><always>{}</always><never>{}</never></prefs>",
        jids(always),
        jids(never)
    );
    client.send(&format!("<iq type='set' id='p'>{prefs}</iq>"));
    client.expect(&format!("<iq type='result' id='p' from='{{opt}}' to='{{opt}}'>{prefs}</iq>"));
}

/// §2.1: what holds until something is said, and what was said; after a restart, too.
#[test]
fn preferences_are_kept() {
    let mut server = server();
    let mut juliet = server.online("juliet", "balcony");
    let get = "<iq type='get' id='g'><prefs xmlns='urn:xmpp:mam:2'/></iq>";
    juliet.send(get);
    juliet.expect(
        "<iq type='result' id='g' from='{opt}' to='{opt}'><prefs xmlns='urn:xmpp:mam:2' default='always'><always/>\
         <never/></prefs></iq>",
    );
    set(&mut juliet, "roster", "romeo@im.example", "montague@im.example/x");
    drop(juliet);
    server.restart();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send(get);
    juliet.expect(
        "<iq type='result' id='g' from='{opt}' to='{opt}'><prefs xmlns='urn:xmpp:mam:2' default='roster'>\
         <always><jid>romeo@im.example</jid></always><never><jid>montague@im.example/x</jid></never></prefs></iq>",
    );
}

/// §2.1.1 … §2.3: for each side its own.
#[test]
fn preferences_are_followed() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut nurse = server.online("nurse", "chamber");
    let mut juliet = server.online("juliet", "balcony");
    set(&mut juliet, "never", "nurse@im.example", "");
    for client in [&mut romeo, &mut nurse] {
        client.send("<message to='juliet@im.example' type='chat'><body>hi</body></message>");
        client.expect_nothing();
    }
    juliet.send("<message to='romeo@im.example' type='chat'><body>ho</body></message>");
    juliet.sync();
    romeo.sync();
    assert_eq!(query(&mut juliet, "").bodies(), ["hi"]);
    assert_eq!(query(&mut romeo, "").bodies(), ["hi", "ho"]);
    set(&mut juliet, "roster", "", "");
    juliet.send("<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='romeo@im.example'/></query></iq>");
    juliet.sync();
    for client in [&mut romeo, &mut nurse] {
        client.send("<message to='juliet@im.example' type='chat'><body>again</body></message>");
        client.expect_nothing();
    }
    juliet.sync();
    let found = query(&mut juliet, "");
    assert_eq!(found.bodies(), ["hi", "again"]);
    assert!(found.messages()[1].attr("from").unwrap().starts_with("romeo@"));
}

/// The server's default is a setting.
#[test]
fn the_default_is_a_setting() {
    let server = TestServer::with(|c| {
        c.archive.enabled = true;
        c.archive.default_preference = ArchivePolicy::Never;
    });
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    set(&mut juliet, "always", "", "");
    super::say(&mut romeo, "juliet@im.example", "hi");
    juliet.sync();
    assert_eq!((query(&mut romeo, "").results.len(), query(&mut juliet, "").results.len()), (0, 1));
}

#[test]
fn wrong_preferences_are_refused() {
    let server = TestServer::with(|c| {
        c.archive.enabled = true;
        c.limits.archive_preferences_max = 1;
    });
    let mut juliet = server.online("juliet", "balcony");
    let rows = [
        ("", "modify", "bad-request"),
        (" default='sometimes'", "modify", "bad-request"),
        (" default='never'><always><jid>@</jid></always", "modify", "bad-request"),
        (" default='never'><always><jid>a@b</jid><jid>c@d</jid></always", "wait", "resource-constraint"),
    ];
    for (rest, kind, condition) in rows {
        let prefs = format!("<prefs xmlns='urn:xmpp:mam:2'{rest}></prefs>");
        juliet.send(&format!("<iq type='set' id='p'>{prefs}</iq>"));
        juliet.expect_stanza_error("iq", "p", kind, condition);
    }
}

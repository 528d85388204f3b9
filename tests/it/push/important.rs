//! What is important enough, and how much is told of it (§9).

use super::*;

/// Nothing of this wakes anybody; a message behind it does.
#[test]
fn what_is_not_important() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    enabled(&server, "mobile", "phone").close();
    for (n, message) in [
        "<message to='{to}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        "<message to='{to}' type='chat'><received xmlns='urn:xmpp:receipts' id='1'/></message>",
        "<message to='{to}' type='chat'><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/></message>",
        "<message to='{to}' type='chat'><body>now or never</body><no-store xmlns='urn:xmpp:hints'/></message>",
        "<message to='{to}' type='chat'><body/></message>",
        "<message to='{to}' type='headline'><body>news</body></message>",
        "<message to='{to}' type='error'><body>broken</body><error type='cancel'><gone \
         xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
        "<message to='{to}' type='chat'><retract xmlns='urn:xmpp:jingle-message:0' id='call'/>\
         <store xmlns='urn:xmpp:hints'/></message>",
        "<presence to='{to}' type='subscribe'/>",
    ]
    .into_iter()
    .enumerate()
    {
        romeo.send(&message.replace("{to}", "juliet@im.example"));
        say(&mut romeo, &format!("important {n}"));
        expect_told(&mut service, "phone", &format!("important {n}"));
    }
}

/// One's own words from another client.
#[test]
fn what_one_wrote_oneself() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    enabled(&server, "mobile", "phone").close();
    let mut desktop = server.login("juliet", "secret", "desktop");
    desktop.send("<message to='juliet@im.example' type='chat'><body>a note to myself</body></message>");
    desktop.sync();
    say(&mut romeo, "hi");
    expect_told(&mut service, "phone", "hi");
}

/// Encrypted content counts, and what stands beside it is not told; neither is anything of a call.
#[test]
fn what_cannot_be_read() {
    let (server, mut service, mut romeo) = with_service(|c| c.push.placeholder = "Something".to_owned());
    enabled(&server, "mobile", "phone").close();
    for message in [
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted><body>encrypted</body>",
        "<propose xmlns='urn:xmpp:jingle-message:0' id='call'/><store xmlns='urn:xmpp:hints'/>",
        "<x xmlns='jabber:x:conference' jid='room@muc.example'/>",
    ] {
        romeo.send(&format!("<message to='juliet@im.example' type='chat'>{message}</message>"));
        let told = notified(&mut service);
        assert_eq!(told.body(), "Something", "{message}");
        assert_eq!(told.field("last-message-sender"), romeo.jid);
        accept(&mut service, &told);
    }
}

/// §9: without the operator's word nobody learns who wrote what; without a placeholder there is no text at all.
#[test]
fn nothing_of_the_content_unless_the_settings_say_so() {
    let (server, mut service, mut romeo) = with_service(|c| {
        c.push.include_content = false;
        c.push.placeholder = String::new();
    });
    enabled(&server, "mobile", "phone").close();
    say(&mut romeo, "a secret");
    let told = notified(&mut service);
    assert_eq!(told.field("last-message-body"), None);
    assert_eq!(told.field("last-message-sender"), None);
    assert!(!told.iq.raw.contains("secret") && !told.iq.raw.contains("romeo"), "{}", told.iq.raw);
    assert_eq!(told.count(), "1");
}

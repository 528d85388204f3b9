//! What was said is taken back: by moderators (XEP-0425), by authors (XEP-0424).

use super::*;

const MODERATE: &str = "urn:xmpp:message-moderate:1";
const RETRACT: &str = "urn:xmpp:message-retract:1";
const MAM: &str = "urn:xmpp:mam:2";

/// Says something; the id the room gives it.
fn say(client: &mut Client, id: &str, inside: &str) -> String {
    client.send(&format!("<message to='{ROOM}' type='groupchat' id='{id}'>{inside}</message>"));
    loop {
        let el = client.next();
        if el.name == "message" && el.attr("id") == Some(id) {
            let told = el.find("stanza-id", "urn:xmpp:sid:0").and_then(|id| id.attr("id"));
            return told.unwrap_or_else(|| panic!("no stanza-id: {}", el.raw)).to_owned();
        }
    }
}

/// Asks to take a message back; the condition it is refused with.
fn moderate(client: &mut Client, id: &str, inside: &str) -> Option<String> {
    client.send(&format!(
        "<iq type='set' id='q' to='{ROOM}'><moderate xmlns='{MODERATE}' id='{id}'>{inside}</moderate></iq>"
    ));
    let answer = answer(client);
    (answer.attr("type") != Some("result")).then(|| condition(&answer).1.to_owned())
}

/// All that is in the archive.
fn archive(client: &mut Client) -> Vec<El> {
    client.send(&format!("<iq type='set' id='q' to='{ROOM}'><query xmlns='{MAM}'/></iq>"));
    let mut messages = Vec::new();
    loop {
        let el = client.next();
        if el.name == "iq" && el.attr("id") == Some("q") {
            assert_eq!(el.attr("type"), Some("result"), "{}", el.raw);
            return messages;
        }
        let forwarded = el.find("result", MAM).and_then(|result| result.find("forwarded", "urn:xmpp:forward:0"));
        messages.extend(forwarded.and_then(|el| el.find("message", "jabber:client")).cloned());
    }
}

fn persistent(server: &TestServer) -> (Client, Client, Client) {
    let (mut crone, mut wicca, mut hag) = coven(server);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    (crone, wicca, hag)
}

/// XEP-0425 §3.1, §4: everybody is told, and a tombstone is left.
#[test]
fn a_moderator_takes_back_what_somebody_said() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = persistent(&server);
    let id = say(&mut hag, "bad", "<body>DM me for free magic potions!</body>");
    say(&mut hag, "good", "<body>Double, double</body>");
    settle(&mut hag, &mut [&mut crone, &mut wicca]);
    let reason = "<reason>not here</reason>";
    assert_eq!(moderate(&mut crone, &id, &format!("<retract xmlns='{RETRACT}'/>{reason}")), None);
    let told = format!(
        "<message from='{ROOM}' to='{{jid}}' type='groupchat' id='{{any}}'><retract xmlns='{RETRACT}' id='{id}'>\
         <moderated xmlns='{MODERATE}' by='{ROOM}/firstwitch'><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/>\
         </moderated><reason>not here</reason></retract><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='{{any}}'/></message>"
    );
    wicca.expect(&told);
    hag.expect(&told);
    let messages = archive(&mut wicca);
    assert_eq!(messages.len(), 3, "{messages:?}");
    let stone = messages[0].find("retracted", RETRACT).expect("a tombstone");
    assert!(messages[0].find("body", "jabber:client").is_none(), "{}", messages[0].raw);
    assert!(messages[0].find("occupant-id", "urn:xmpp:occupant-id:0").is_some(), "{}", messages[0].raw);
    let by = stone.find("moderated", MODERATE).and_then(|el| el.attr("by"));
    assert_eq!(by, Some(&*format!("{ROOM}/firstwitch")));
    assert!(stone.attr("stamp").is_some() && stone.raw.contains("not here"), "{}", stone.raw);
    assert!(messages[2].find("retract", RETRACT).is_some(), "{}", messages[2].raw);
    // Who enters later does not hear it, not even after the room was read from disk.
    let mut hecate = server.online("hecate", "broom");
    let heard = enter(&mut hecate, "hecate");
    assert!(heard.iter().all(|el| !el.raw.contains("potions")), "{heard:?}");
    assert!(heard.iter().any(|el| el.raw.contains("Double, double")), "{heard:?}");
    assert_eq!(moderate(&mut crone, &id, &format!("<retract xmlns='{RETRACT}'/>")).as_deref(), Some("item-not-found"));
}

/// XEP-0425 §3.2.
#[test]
fn what_cannot_be_moderated() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = persistent(&server);
    let retract = format!("<retract xmlns='{RETRACT}'/>");
    let id = say(&mut crone, "m", "<body>Fair is foul</body>");
    let subject = say(&mut crone, "s", "<subject>Spells</subject>");
    assert_eq!(moderate(&mut hag, &id, &retract).as_deref(), Some("forbidden"));
    let mut stranger = server.online("stranger", "road");
    assert_eq!(moderate(&mut stranger, &id, &retract).as_deref(), Some("forbidden"));
    assert_eq!(moderate(&mut crone, "nonsense", &retract).as_deref(), Some("item-not-found"));
    assert_eq!(moderate(&mut crone, &subject, &retract).as_deref(), Some("item-not-found"));
    assert_eq!(moderate(&mut crone, &id, "").as_deref(), Some("feature-not-implemented"));
    crone.send(&format!("<iq type='set' id='q' to='{ROOM}'><moderate xmlns='{MODERATE}'>{retract}</moderate></iq>"));
    assert_eq!(condition(&answer(&mut crone)).1, "bad-request");
    assert!(archive(&mut crone)[0].raw.contains("Fair is foul"));
}

/// XEP-0424 §5: the author, and nobody else.
#[test]
fn an_author_takes_back_what_he_said() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = persistent(&server);
    let hers = say(&mut hag, "hers", "<body>Eye of newt</body>");
    let other = say(&mut crone, "other", "<body>Toe of frog</body>");
    let retract = |id: &str| format!("<retract xmlns='{RETRACT}' id='{id}'/><body>gone</body>");
    say(&mut hag, "r1", &retract(&other));
    say(&mut hag, "r2", &retract(&hers));
    settle(&mut hag, &mut [&mut crone]);
    let messages = archive(&mut hag);
    let stone = messages[0].find("retracted", RETRACT).unwrap_or_else(|| panic!("{}", messages[0].raw));
    assert_eq!(stone.attr("id"), Some("r2"));
    assert!(!messages[0].raw.contains("newt") && messages[1].raw.contains("Toe of frog"), "{messages:?}");
    assert_eq!(messages.len(), 4, "the retractions stay");
    let mut hecate = server.online("hecate", "broom");
    let heard = enter(&mut hecate, "hecate");
    assert!(heard.iter().all(|el| !el.raw.contains("newt")), "{heard:?}");
}

/// XEP-0334 §5.2 is for others: what everybody sees, moderators can take back.
#[test]
fn what_hints_that_it_is_not_to_be_stored() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    hag.sync();
    for (what, is_kept) in [("<body>cauldron bubble</body>", true), ("<subtle xmlns='urn:x'/>", false)] {
        let hint = "<no-store xmlns='urn:xmpp:hints'/>";
        hag.send(&format!("<message to='{ROOM}' type='groupchat' id='m'>{what}{hint}</message>"));
        let heard = hag.next();
        assert_eq!(heard.find("stanza-id", "urn:xmpp:sid:0").is_some(), is_kept, "{}", heard.raw);
    }
}

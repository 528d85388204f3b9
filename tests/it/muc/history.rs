//! §7.2.13 to §7.2.15: what was said, as much of it as somebody wants, and then the subject.

use super::*;

/// Says things, each of another length.
#[track_caller]
fn talk(client: &mut Client, count: usize) {
    for n in 1..=count {
        let body = "né".repeat(n);
        client.send(&format!("<message to='{ROOM}' type='groupchat' id='{n}'><body>{body}</body></message>"));
    }
    settle(client, &mut []);
}

/// What was said of what is seen on entering.
fn said(seen: &[El]) -> Vec<&El> {
    seen.iter().filter(|el| el.find("body", "jabber:client").is_some()).collect()
}

/// The ids of what was said.
#[track_caller]
fn ids(client: &mut Client, x: &str) -> Vec<String> {
    let seen = enter_with(client, "Hecate", x);
    said(&seen).into_iter().filter_map(|el| el.attr("id").map(str::to_owned)).collect()
}

/// §7.2.14: as many whole stanzas as fit, to the character.
#[test]
fn characters() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    talk(&mut crone, 5);
    let mut hecate = server.online("hecate", "broom");
    let seen = enter(&mut hecate, "Hecate");
    let chars: Vec<usize> = said(&seen).iter().map(|el| el.raw.chars().count()).collect();
    assert_eq!(chars.len(), 5);
    let (one, two, all) = (chars[4], chars[3] + chars[4], chars.iter().sum::<usize>());
    for (most, expected) in [(0, 0), (one - 1, 0), (one, 1), (two - 1, 1), (two, 2), (all - 1, 4), (all, 5)] {
        let ids = ids(&mut hecate, &format!("<history maxchars='{most}'/>"));
        assert_eq!(ids.len(), expected, "{most}");
    }
    // The smallest amount that all of them allow.
    let rows = [
        (format!("<history maxchars='{two}' maxstanzas='3' seconds='1000'/>"), vec!["4", "5"]),
        (format!("<history maxchars='{two}' maxstanzas='1' seconds='1000'/>"), vec!["5"]),
        (format!("<history maxchars='{all}' maxstanzas='4' since='2222-01-01T00:00:00Z'/>"), vec![]),
    ];
    for (x, expected) in rows {
        assert_eq!(ids(&mut hecate, &x), expected, "{x}");
    }
}

/// §7.2.14: what makes no sense is as if it had not been said.
#[test]
fn nonsense() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    talk(&mut crone, 2);
    let mut hecate = server.online("hecate", "broom");
    for attributes in ["maxchars='many'", "maxstanzas='-1'", "seconds=''", "since='yesterday'"] {
        assert_eq!(ids(&mut hecate, &format!("<history {attributes}/>")), ["1", "2"], "{attributes}");
    }
}

/// `muc#maxhistoryfetch`: no more than the room gives, whoever wants it.
#[test]
fn as_much_as_the_room_gives() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    talk(&mut crone, 3);
    let mut hecate = server.online("hecate", "broom");
    for (most, expected) in [("2", vec!["2", "3"]), ("0", vec![]), ("100", vec!["1", "2", "3"])] {
        configure(&mut crone, &[("muc#maxhistoryfetch", most)]);
        hecate.sync();
        assert_eq!(ids(&mut hecate, "<history maxstanzas='50'/>"), expected);
    }
}

/// §7.2.13: stamped by the room, and with what else was in it.
#[test]
fn as_it_was_said() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    crone.send(&format!(
        "<message to='{ROOM}' type='groupchat' id='m' xml:lang='en'><body>Thrice</body><html xmlns='urn:x'/></message>"
    ));
    settle(&mut crone, &mut []);
    let mut hecate = server.online("hecate", "broom");
    let seen = enter(&mut hecate, "Hecate");
    let pattern = format!(
        "<message from='{ROOM}/firstwitch' to='{{jid}}' type='groupchat' id='m' xml:lang='en'><body>Thrice</body>\
         <html xmlns='urn:x'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/>\
         <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='{{any}}'/></message>"
    );
    hecate.matches(&pattern, said(&seen)[0]).expect("the message");
}

/// §7.2.13, §7.2.15: former subjects are no history; one that was taken away says when.
#[test]
fn subjects() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    let subject = |client: &mut Client, id: &str, text: &str| {
        client.send(&format!("<message to='{ROOM}' type='groupchat' id='{id}'><subject>{text}</subject></message>"));
    };
    subject(&mut crone, "s1", "Spells");
    talk(&mut crone, 1);
    subject(&mut crone, "s2", "Brews");
    subject(&mut crone, "s3", "");
    settle(&mut crone, &mut []);
    let mut hecate = server.online("hecate", "broom");
    let seen = enter(&mut hecate, "Hecate");
    let ids: Vec<_> = seen[4..].iter().filter_map(|el| el.attr("id")).collect();
    assert_eq!(ids, ["1", "s3"]);
    let pattern = format!(
        "<message from='{ROOM}/firstwitch' to='{{jid}}' type='groupchat' id='s3'><subject/>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/>\
         <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='{{any}}'/></message>"
    );
    hecate.matches(&pattern, &seen[5]).expect("the subject");
    hecate.expect_nothing();
}

/// §8.1: with a thread it is a message like others, which needs no more than voice.
#[test]
fn a_subject_that_is_none() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    hag.send(&format!(
        "<message to='{ROOM}' type='groupchat' id='t'><subject>Not this</subject><thread>e0ffe</thread></message>"
    ));
    for client in [&mut crone, &mut hag] {
        client.expect(&format!(
            "<message from='{ROOM}/thirdwitch' to='{{jid}}' type='groupchat' id='t'><subject>Not this</subject>\
             <thread>e0ffe</thread><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/></message>"
        ));
    }
    let mut hecate = server.online("hecate", "broom");
    knock(&mut hecate, "Hecate", "");
    let seen = hecate.sync();
    let last = seen.last().expect("a subject");
    assert_eq!((last.attr("from"), last.find("subject", "jabber:client").map(El::text)), (Some(ROOM), Some("".into())));
}

/// §7.2.16: what happens next comes after all that.
#[test]
fn then_what_happens() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    talk(&mut crone, 1);
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    talk(&mut crone, 1);
    assert!(hecate.next().find("delay", "urn:xmpp:delay").is_none());
    hag.send(&format!("<presence to='{ROOM}/thirdwitch' type='unavailable'/>"));
    hecate.expect(&gone("thirdwitch", "<item affiliation='none' role='none'/>"));
}

//! The card of a room with its avatar (XEP-0486).

use super::*;

const PHOTO: &str = "<PHOTO><TYPE>image/png</TYPE><BINVAL>YWJj</BINVAL></PHOTO>";
/// SHA-1 of "abc".
const HASH: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";

fn card(client: &mut Client, kind: &str, inside: &str) -> El {
    client.send(&format!("<iq type='{kind}' id='q' to='{ROOM}'><vCard xmlns='vcard-temp'>{inside}</vCard></iq>"));
    answer(client)
}

fn info(client: &mut Client) -> String {
    ask(client, "get", "http://jabber.org/protocol/disco#info", "");
    answer(client).raw
}

/// §3.2 to §3.4, over a restart.
#[test]
fn an_owner_gives_a_room_an_avatar() {
    let mut server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    assert!(!info(&mut hag).contains("avatarhash"));
    assert_eq!(condition(&card(&mut wicca, "set", PHOTO)), ("auth", "forbidden"));
    assert_eq!(card(&mut crone, "set", PHOTO).attr("type"), Some("result"));
    let told = format!(
        "<message from='{ROOM}' to='{{jid}}' type='groupchat'><x xmlns='{USER}'><status code='104'/></x></message>"
    );
    hag.expect(&told);
    let seen = info(&mut hag);
    assert!(seen.contains("muc#roominfo_avatarhash") && seen.contains(HASH) && seen.contains("vcard-temp"), "{seen}");
    assert!(card(&mut hag, "get", "").raw.contains("YWJj"));
    server.restart();
    let mut hag = server.login("hag", "secret", "pda");
    assert!(info(&mut hag).contains(HASH));
    assert!(card(&mut hag, "get", "").raw.contains("YWJj"));
    let mut crone = server.login("crone", "secret", "desktop");
    assert_eq!(card(&mut crone, "set", "").attr("type"), Some("result"));
    assert!(!info(&mut hag).contains("avatarhash"));
    assert!(!card(&mut hag, "get", "").raw.contains("YWJj"));
}

#[test]
fn what_is_no_avatar_for_a_room() {
    let server = TestServer::with(|config| config.limits.vcard_bytes_max = 1_000);
    let (mut crone, _wicca, _hag) = coven(&server);
    // §3.2: a temporary room has none.
    assert_eq!(condition(&card(&mut crone, "set", PHOTO)), ("cancel", "service-unavailable"));
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    let broken = "<PHOTO><BINVAL>?</BINVAL></PHOTO>";
    assert_eq!(condition(&card(&mut crone, "set", broken)).1, "bad-request");
    let large = format!("<DESC>{}</DESC>", "x".repeat(1_000));
    assert_eq!(condition(&card(&mut crone, "set", &large)).1, "policy-violation");
    let mut stranger = server.online("stranger", "road");
    set(&mut crone, ADMIN, "<item affiliation='outcast' jid='stranger@im.example'/>");
    assert_eq!(condition(&card(&mut stranger, "get", "")), ("auth", "forbidden"));
}

//! §6: finding the service and its rooms.

use super::*;

const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";
const SERVICE: &str = "conference.im.example";

#[track_caller]
fn disco(client: &mut Client, to: &str, ns: &str, inside: &str) -> El {
    client.send(&format!("<iq type='get' id='q' to='{to}'><query xmlns='{ns}'>{inside}</query></iq>"));
    answer(client)
}

fn rooms(el: &El) -> Vec<String> {
    let items = el.find("query", ITEMS).into_iter().flat_map(El::elements).filter(|i| i.name == "item");
    items.filter_map(|item| item.attr("jid").map(str::to_owned)).collect()
}

fn features(el: &El) -> Vec<String> {
    let all = el.find("query", INFO).into_iter().flat_map(El::elements).filter(|i| i.name == "feature");
    all.filter_map(|feature| feature.attr("var").map(str::to_owned)).collect()
}

/// §6.1, §6.2.
#[test]
fn the_service() {
    let server = TestServer::start();
    let mut hag = server.online("hag", "pda");
    assert!(rooms(&disco(&mut hag, "im.example", ITEMS, "")).contains(&SERVICE.to_owned()));
    let info = disco(&mut hag, SERVICE, INFO, "");
    let identity = info.find("query", INFO).and_then(|q| q.find("identity", INFO)).expect("an identity");
    assert_eq!((identity.attr("category"), identity.attr("type")), (Some("conference"), Some("text")));
    let features = features(&info);
    for feature in [MUC, "http://jabber.org/protocol/muc#stable_id", "urn:xmpp:occupant-id:0"] {
        assert!(features.iter().any(|f| f == feature), "{feature}: {features:?}");
    }
}

/// The service may be turned off.
#[test]
fn turned_off() {
    let server = TestServer::with(|c| c.rooms.enabled = false);
    let mut hag = server.online("hag", "pda");
    assert!(!rooms(&disco(&mut hag, "im.example", ITEMS, "")).contains(&SERVICE.to_owned()));
    knock(&mut hag, "thirdwitch", "");
    expect_error(&mut hag, "presence", "join", ("cancel", "service-unavailable"));
}

/// §6.3: those that are public, and one's own; page by page (XEP-0059).
#[test]
fn the_rooms() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    let mut hag = server.online("hag", "pda");
    for (name, public, persistent) in [("a", "1", "1"), ("b", "1", "0"), ("c", "0", "1"), ("d", "1", "1")] {
        let room = format!("{name}@{SERVICE}");
        crone.send(&format!("<presence to='{room}/first'><x xmlns='{MUC}'/></presence>"));
        let fields = [
            ("muc#roomconfig_roomname", name),
            ("muc#roomconfig_publicroom", public),
            ("muc#roomconfig_persistentroom", persistent),
        ];
        crone.send(&format!("<iq type='set' id='q' to='{room}'><query xmlns='{OWNER}'>{}</query></iq>", form(&fields)));
        assert_eq!(answer(&mut crone).attr("type"), Some("result"));
    }
    let all = |names: &[&str]| names.iter().map(|name| format!("{name}@{SERVICE}")).collect::<Vec<_>>();
    assert_eq!(rooms(&disco(&mut hag, SERVICE, ITEMS, "")), all(&["a", "b", "d"]));
    assert_eq!(rooms(&disco(&mut crone, SERVICE, ITEMS, "")), all(&["a", "b", "c", "d"]));
    let page = |inside: &str| format!("<set xmlns='http://jabber.org/protocol/rsm'>{inside}</set>");
    let first = disco(&mut hag, SERVICE, ITEMS, &page("<max>2</max>"));
    assert_eq!(rooms(&first), all(&["a", "b"]));
    let last = format!("b@{SERVICE}");
    assert!(first.raw.contains(&format!("<last>{last}</last>")), "{}", first.raw);
    assert_eq!(
        rooms(&disco(&mut hag, SERVICE, ITEMS, &page(&format!("<max>2</max><after>{last}</after>")))),
        all(&["d"])
    );
    // Nobody is in them any more: the temporary one is gone.
    crone.send("<presence type='unavailable'/>");
    crone.sync();
    assert_eq!(condition(&disco(&mut hag, &last, INFO, "")), ("cancel", "item-not-found"));
    assert_eq!(rooms(&disco(&mut hag, SERVICE, ITEMS, "")), all(&["a", "d"]));
}

/// §6.4, §6.5, §14.4.
#[test]
fn a_room() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_roomname", "A Dark Cave"), ("muc#roomconfig_roomdesc", "For witches")]);
    let mut hecate = server.online("hecate", "broom");
    let info = disco(&mut hecate, ROOM, INFO, "");
    assert!(info.raw.contains("A Dark Cave") && info.raw.contains("For witches"), "{}", info.raw);
    let features = features(&info);
    for feature in [
        "muc_open",
        "muc_public",
        "muc_semianonymous",
        "muc_temporary",
        "muc_unmoderated",
        "muc_unsecured",
        "http://jabber.org/protocol/muc#self-ping-optimization",
    ] {
        assert!(features.iter().any(|f| f == feature), "{feature}: {features:?}");
    }
    assert_eq!(rooms(&disco(&mut hecate, ROOM, ITEMS, "")), [""; 0]);
    assert_eq!(rooms(&disco(&mut hag, ROOM, ITEMS, "")).len(), 3);
    let missing = disco(&mut hecate, "none@conference.im.example", INFO, "");
    assert_eq!(condition(&missing), ("cancel", "item-not-found"));
}

/// §7.12: a reserved nickname; §18.1.1: no restrictions.
#[test]
fn nodes_of_a_room() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let node = |client: &mut Client, node: &str| {
        client.send(&format!("<iq type='get' id='q' to='{ROOM}'><query xmlns='{INFO}' node='{node}'/></iq>"));
        answer(client)
    };
    let none = node(&mut hag, "x-roomuser-item");
    assert_eq!(none.find("query", INFO).map(|q| q.elements().count()), Some(0), "{}", none.raw);
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hag@im.example' nick='thirdwitch'/>");
    let mine = node(&mut hag, "x-roomuser-item");
    assert!(mine.raw.contains("name='thirdwitch'"), "{}", mine.raw);
    assert_eq!(condition(&node(&mut hag, "http://jabber.org/protocol/muc#traffic")), ("cancel", "service-unavailable"));
    assert_eq!(condition(&node(&mut hag, "urn:x")), ("cancel", "item-not-found"));
}

/// §6.5: whose presence is not shown is not listed either.
#[test]
fn occupants_who_are_not_shown() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_presencebroadcast", "moderator")]);
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    let room = |nick: &str| format!("{ROOM}/{nick}");
    let mut seen = rooms(&disco(&mut hag, ROOM, ITEMS, ""));
    seen.sort_unstable();
    assert_eq!(seen, ["firstwitch", "secondwitch", "thirdwitch"].map(room));
}

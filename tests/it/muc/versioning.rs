//! Versions of affiliations (XEP-0463): who enters is told what has changed since, and who is there of each change.

use super::*;

const MAV: &str = "urn:xmpp:muc:affiliations:1";

/// What one message said: from and to which version, and who is what.
#[derive(Debug, PartialEq)]
struct Told {
    since: Option<String>,
    until: String,
    items: Vec<(String, String)>,
}

fn told(el: &El) -> Option<Told> {
    let x = el.find("x", USER).filter(|_| el.name == "message")?;
    let mav = x.find("mav", MAV)?;
    let attr = |el: &El, name: &str| el.attr(name).unwrap_or_default().to_owned();
    let items = x.elements().filter(|el| el.name == "item");
    Some(Told {
        since: mav.attr("since").map(str::to_owned),
        until: attr(mav, "until"),
        items: items.map(|item| (attr(item, "jid"), attr(item, "affiliation"))).collect(),
    })
}

/// Enters and asks for what has changed since a version, or for all. What was told, and the version in its own presence.
#[track_caller]
fn enter_since(client: &mut Client, nick: &str, since: Option<&str>) -> (Vec<Told>, Option<String>) {
    client.sync();
    let since = since.map_or(String::new(), |since| format!("since='{since}'"));
    let seen = enter_with(client, nick, &format!("<mav xmlns='{MAV}' {since}/>"));
    let first = seen.iter().position(|el| el.name == "presence").expect("presence");
    let late = seen[first..].iter().filter_map(told).count();
    assert_eq!(late, 0, "§5.2.1: before any presence");
    let own = seen.iter().find(|el| codes(el).contains(&"110".to_owned())).expect("her own presence");
    (seen.iter().filter_map(told).collect(), version(own).map(|version| version.1))
}

/// From which to which version presence brings somebody.
fn version(el: &El) -> Option<(Option<String>, String)> {
    let mav = el.find("x", USER)?.find("mav", MAV)?;
    Some((mav.attr("since").map(str::to_owned), mav.attr("until")?.to_owned()))
}

fn leave(client: &mut Client, nick: &str) {
    client.send(&format!("<presence to='{ROOM}/{nick}' type='unavailable'/>"));
    while client.next().attr("type") != Some("unavailable") {}
}

fn items(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(who, what)| (format!("{who}@im.example"), (*what).to_owned())).collect()
}

fn make(who: &str, what: &str) -> String {
    format!("<item affiliation='{what}' jid='{who}@im.example'/>")
}

/// A room that stays, for members only, who know each other: owner, admin, member.
#[track_caller]
fn circle(server: &TestServer) -> (Client, Client, Client) {
    let (mut crone, mut wicca, mut hag) = coven(server);
    set(&mut crone, ADMIN, &make("hag", "member"));
    configure(
        &mut crone,
        &[
            ("muc#roomconfig_persistentroom", "1"),
            ("muc#roomconfig_membersonly", "1"),
            ("muc#roomconfig_whois", "anyone"),
        ],
    );
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    (crone, wicca, hag)
}

const ALL: [(&str, &str); 3] = [("crone", "owner"), ("wicca", "admin"), ("hag", "member")];

/// §4, §5.1, §5.2.1.
#[test]
fn on_entering() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = circle(&server);
    crone.send(&format!(
        "<iq type='get' id='q' to='{ROOM}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    ));
    assert!(answer(&mut crone).raw.contains(&format!("var='{MAV}'")));
    leave(&mut hag, "thirdwitch");
    settle(&mut crone, &mut [&mut wicca]);
    let (all, own) = enter_since(&mut hag, "thirdwitch", None);
    assert_eq!((all.len(), all[0].since.as_deref(), &all[0].items), (1, None, &items(&ALL)));
    assert_eq!(own.as_ref(), Some(&all[0].until));
    // Nobody else learns what she asked for.
    assert!(crone.sync().iter().all(|el| !el.raw.contains(MAV)));
    let current = all[0].until.clone();
    // She has lost track, and knows the current version: nothing to tell.
    assert_eq!(enter_since(&mut hag, "thirdwitch", Some(&current)), (vec![], Some(current.clone())));
    for unknown in ["x", "", "1-0123456789abcdef", &current.to_uppercase()] {
        let (told, own) = enter_since(&mut hag, "thirdwitch", Some(unknown));
        assert_eq!((told.len(), told[0].since.as_deref(), told[0].items.len()), (1, None, 3), "{unknown}");
        assert_eq!(own.as_ref(), Some(&current));
    }
    leave(&mut hag, "thirdwitch");
    set(&mut crone, ADMIN, &make("wicca", "member"));
    set(&mut crone, ADMIN, &(make("hecate", "member") + &make("hecuba", "member")));
    set(&mut crone, ADMIN, &make("wicca", "none"));
    let (told, own) = enter_since(&mut hag, "thirdwitch", Some(&current));
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].since.as_ref(), Some(&told[0].until)), (Some(&current), own.as_ref()));
    assert_eq!(told[0].items, items(&[("hecate", "member"), ("hecuba", "member"), ("wicca", "none")]));
    // Every presence of her own says how far she is.
    hag.send(&format!("<presence to='{ROOM}/thirdwitch'><show>away</show></presence>"));
    assert_eq!(version(&hag.next()), Some((None, own.expect("a version"))));
}

/// §5.2.2: by presence about who is there, by messages about others; each from the version before.
#[test]
fn changes_are_told() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = circle(&server);
    let (_, own) = enter_since(&mut hag, "thirdwitch", None);
    let mut known = own.expect("a version");
    settle(&mut crone, &mut [&mut wicca]);
    set(&mut crone, ADMIN, &(make("hecate", "member") + &make("wicca", "member") + &make("hecuba", "admin")));
    let absent = hag.next();
    let told_of = told(&absent).expect("a message");
    assert_eq!((told_of.since.as_ref(), &told_of.items), (Some(&known), &items(&[("hecate", "member")])));
    let item = absent.find("x", USER).and_then(|x| x.find("item", USER)).expect("an item");
    assert_eq!((absent.attr("from"), item.attr("role")), (Some(ROOM), Some("none")));
    let present = hag.next();
    assert_eq!((present.name.as_str(), present.attr("from")), ("presence", Some(&*format!("{ROOM}/secondwitch"))));
    let (since, until) = version(&present).expect("a version");
    assert_eq!(since, Some(told_of.until));
    let last = told(&hag.next()).expect("a message");
    assert_eq!((last.since, last.items), (Some(until), items(&[("hecuba", "admin")])));
    known = last.until;
    // She hears of herself like everybody.
    set(&mut crone, ADMIN, &make("hag", "admin"));
    let own = hag.next();
    assert_eq!(codes(&own), ["110"]);
    let (since, until) = version(&own).expect("a version");
    assert_ne!(until, known);
    // She sees bans from now on, so it is another story that begins here.
    assert_ne!(since, Some(known));
    let (_, current) = enter_since(&mut hag, "thirdwitch", Some(&until));
    assert_eq!(current, Some(until));
    // Who is put out is told nothing more; the others are.
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    set(&mut crone, ADMIN, &make("wicca", "none"));
    let out = wicca.next();
    assert_eq!((codes(&out), version(&out)), (vec!["110".to_owned(), "321".to_owned()], None));
    let seen = hag.next();
    assert!(codes(&seen) == ["321"] && version(&seen).is_some(), "{}", seen.raw);
    // Registered or changed in the configuration: told as well.
    let owners =
        "<field var='muc#roomconfig_roomowners'><value>crone@im.example</value><value>hag@im.example</value></field>";
    let form = form(&[]).replace("</x>", &format!("{owners}</x>"));
    set(&mut crone, OWNER, &form);
    assert!(hag.sync().iter().any(|el| version(el).is_some_and(|(since, _)| since.is_some())));
}

/// §5.2.3: who may not have the lists has no versions of them either.
#[test]
fn who_may() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let asks =
        format!("<presence to='{ROOM}/thirdwitch' id='join'><x xmlns='{MUC}'><mav xmlns='{MAV}'/></x></presence>");
    hag.send(&asks);
    let refusal = hag.next();
    assert_eq!(
        (refusal.name.as_str(), refusal.attr("from"), refusal.attr("id")),
        ("message", Some(ROOM), Some("join"))
    );
    assert_eq!(condition(&refusal), ("auth", "forbidden"));
    let seen = hag.sync();
    assert!(seen.iter().any(|el| codes(el).contains(&"110".to_owned())), "{seen:?}");
    assert!(seen.iter().all(|el| version(el).is_none()), "{seen:?}");
    hag.send(&asks.replace(" id='join'", ""));
    assert_eq!(condition(&hag.next()), ("auth", "forbidden"));
    hag.sync();
    // An admin does not get the list of owners of a semi-anonymous room (XEP-0045 §10.5), its owner does.
    wicca.send(&asks.replace("thirdwitch", "secondwitch"));
    while wicca.next().attr("type") != Some("error") {}
    settle(&mut wicca, &mut [&mut crone]);
    let (told, _) = enter_since(&mut crone, "firstwitch", None);
    assert_eq!(told[0].items, items(&ALL[..2]));
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    set(&mut crone, ADMIN, &make("hecate", "member"));
    // Moderators see addresses, and so hear of it, without versions; the others do not.
    let heard = wicca.sync();
    assert!(heard.len() == 1 && !heard[0].raw.contains(MAV), "{heard:?}");
    assert_eq!(hag.sync().len(), 0);
    assert!(enter_since(&mut crone, "firstwitch", None).1.is_some());
}

/// Bans are for admins and owners; members do not even learn that there was one.
#[test]
fn bans() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = circle(&server);
    let (_, hags) = enter_since(&mut hag, "thirdwitch", None);
    let (_, wiccas) = enter_since(&mut wicca, "secondwitch", None);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    set(&mut crone, ADMIN, &make("paris", "outcast"));
    set(&mut crone, ADMIN, "<item affiliation='outcast' jid='elsewhere.example'/>");
    assert_eq!(hag.sync().len(), 0);
    let bans = wicca.sync();
    let bans: Vec<Told> = bans.iter().filter_map(told).collect();
    assert_eq!((bans.len(), bans[0].since.as_ref()), (2, wiccas.as_ref()));
    assert_eq!(bans[0].items, items(&[("paris", "outcast")]));
    assert_eq!(bans[1].since.as_ref(), Some(&bans[0].until));
    // A member's version is still the one it was, an admin's is not.
    assert_eq!(enter_since(&mut hag, "thirdwitch", hags.as_deref()), (vec![], hags.clone()));
    let (told, _) = enter_since(&mut wicca, "secondwitch", wiccas.as_deref());
    assert_eq!((told.len(), told[0].items.len()), (1, 2));
    // The versions are not for each other: what one does not know the other must be told.
    let (told, _) = enter_since(&mut wicca, "secondwitch", hags.as_deref());
    assert_eq!((told[0].since.as_deref(), told[0].items.len()), (None, 5));
    let (told, _) = enter_since(&mut hag, "thirdwitch", Some(&bans[1].until));
    assert_eq!((told[0].since.as_deref(), &told[0].items), (None, &items(&ALL)));
    // Somebody who was a member and is banned is none to members.
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    set(&mut crone, ADMIN, &make("hecate", "member"));
    let hecate = told_one(&mut hag);
    set(&mut crone, ADMIN, &make("hecate", "outcast"));
    assert_eq!(told_one(&mut hag).items, items(&[("hecate", "none")]));
    set(&mut crone, ADMIN, &make("hecate", "none"));
    set(&mut crone, ADMIN, &make("paris", "none"));
    assert_eq!(hag.sync().len(), 0);
    let (told, _) = enter_since(&mut hag, "thirdwitch", Some(&hecate.until));
    assert_eq!(told[0].items, items(&[("hecate", "none")]));
}

#[track_caller]
fn told_one(client: &mut Client) -> Told {
    let el = client.next();
    told(&el).unwrap_or_else(|| panic!("no change: {}", el.raw))
}

/// §6: who was something only in between is not named.
#[test]
fn what_was_in_between() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = circle(&server);
    let (_, known) = enter_since(&mut hag, "thirdwitch", None);
    leave(&mut hag, "thirdwitch");
    set(&mut crone, ADMIN, &make("hecate", "member"));
    set(&mut crone, ADMIN, &make("hecate", "none"));
    // There can be no empty answer.
    let (told, own) = enter_since(&mut hag, "thirdwitch", known.as_deref());
    assert_eq!((told[0].since.as_deref(), &told[0].items), (None, &items(&ALL)));
    assert_ne!(own, known);
    leave(&mut hag, "thirdwitch");
    set(&mut crone, ADMIN, &make("hecuba", "member"));
    let (told, _) = enter_since(&mut hag, "thirdwitch", known.as_deref());
    assert_eq!((told[0].since.clone(), &told[0].items), (known, &items(&[("hecuba", "member")])));
    // What changes nothing is no change.
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    set(&mut crone, ADMIN, &make("nobody", "none"));
    assert_eq!(hag.sync().len(), 0);
}

/// Versions go on where they were when the server comes back, and when a room becomes one that stays. A new room of the
/// name has its own.
#[test]
fn over_a_kill() {
    let mut server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    create(&mut crone, "firstwitch");
    set(&mut crone, ADMIN, &make("wicca", "admin"));
    let (_, temporary) = enter_since(&mut crone, "firstwitch", None);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    assert_eq!(enter_since(&mut crone, "firstwitch", temporary.as_deref()), (vec![], temporary.clone()));
    set(&mut crone, ADMIN, &make("hag", "member"));
    set(&mut crone, ADMIN, &make("paris", "outcast"));
    let last = told_last(&mut crone);
    server.crash();
    let mut crone = server.login("crone", "secret", "desktop");
    assert_eq!(enter_since(&mut crone, "firstwitch", Some(&last)), (vec![], Some(last.clone())));
    let (told, own) = enter_since(&mut crone, "firstwitch", temporary.as_deref());
    assert_eq!(
        (told[0].since.clone(), &told[0].items),
        (temporary, &items(&[("hag", "member"), ("paris", "outcast")]))
    );
    assert_eq!(own, Some(last.clone()));
    set(&mut crone, ADMIN, &make("paris", "none"));
    let (told, _) = enter_since(&mut crone, "firstwitch", Some(&last));
    assert_eq!(told[0].items, items(&[("paris", "none")]));
    server.restart_with(|config| config.rooms.destroyed_days = 0);
    let mut crone = server.login("crone", "secret", "desktop");
    enter(&mut crone, "firstwitch");
    set(&mut crone, OWNER, "<destroy/>");
    create(&mut crone, "firstwitch");
    let (told, _) = enter_since(&mut crone, "firstwitch", Some(&last));
    assert_eq!((told[0].since.as_deref(), &told[0].items), (None, &items(&ALL[..1])));
    server.stop();
}

/// The version that the last change so far has brought.
#[track_caller]
fn told_last(client: &mut Client) -> String {
    let since = format!("<presence to='{ROOM}/firstwitch'/>");
    client.send(&since);
    loop {
        if let Some((None, until)) = version(&client.next()) {
            return until;
        }
    }
}

/// A long list comes in several messages, each from where the one before ends; it may be too long.
#[test]
fn long_lists() {
    let mut server = TestServer::start();
    let (mut crone, _wicca, mut hag) = circle(&server);
    leave(&mut hag, "thirdwitch");
    let many: String = (0..1_500).map(|n| make(&format!("witch-with-a-long-name-{n}"), "member")).collect();
    set(&mut crone, ADMIN, &many);
    let (told, own) = enter_since(&mut hag, "thirdwitch", None);
    assert!(told.len() > 2, "{} messages", told.len());
    assert_eq!((told[0].since.as_deref(), told.last().map(|told| &told.until)), (None, own.as_ref()));
    assert!(told.windows(2).all(|pair| pair[1].since.as_ref() == Some(&pair[0].until)));
    assert_eq!(told.iter().map(|told| told.items.len()).sum::<usize>(), 1_503);
    // Who has lost the rest asks for it.
    let (rest, _) = enter_since(&mut hag, "thirdwitch", Some(&told[1].until));
    assert_eq!(rest[0].since.as_ref(), Some(&told[1].until));
    assert_eq!(rest[0].items, told[2].items);
    let hags = own.expect("a version");
    // The same from storage, for an admin.
    server.restart_with(|config| config.limits.room_list_bytes_max = 65_536);
    let mut hag = server.login("hag", "secret", "pda");
    assert_eq!(enter_since(&mut hag, "thirdwitch", Some(&hags)), (vec![], Some(hags)));
    knock(&mut hag, "thirdwitch", &format!("<mav xmlns='{MAV}'/>"));
    expect_error(&mut hag, "message", "join", ("wait", "resource-constraint"));
    hag.sync();
    refused(&mut hag, "get", ADMIN, "<item affiliation='member'/>", ("wait", "resource-constraint"));
    ask(&mut hag, "get", ADMIN, "<item affiliation='owner'/>");
    assert_eq!(answer(&mut hag).attr("type"), Some("result"));
    server.stop();
}

/// An account that is removed is no member any more, and that is a change like others.
#[test]
fn an_account_is_removed() {
    let server = TestServer::with(|config| config.registration.mode = magpie::config::RegistrationMode::Open);
    let (mut crone, mut wicca, mut hag) = circle(&server);
    let (_, known) = enter_since(&mut wicca, "secondwitch", None);
    settle(&mut crone, &mut [&mut wicca]);
    hag.send("<iq type='set' id='q'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    assert_eq!(answer(&mut hag).attr("type"), Some("result"));
    let gone = wicca.next();
    assert_eq!(gone.attr("from"), Some(&*format!("{ROOM}/thirdwitch")), "{}", gone.raw);
    assert_eq!(version(&gone).and_then(|(since, _)| since), known);
    wicca.sync();
    let (told, _) = enter_since(&mut wicca, "secondwitch", known.as_deref());
    assert_eq!((told[0].since.clone(), &told[0].items), (known, &items(&[("hag", "none")])));
}

/// What is very much at once is told at once, to who is told versions.
#[test]
fn many_changes_at_once() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = circle(&server);
    let (_, known) = enter_since(&mut hag, "thirdwitch", None);
    settle(&mut crone, &mut [&mut wicca]);
    let many: String = (0..51).map(|n| make(&format!("witch{n}"), "member")).collect();
    set(&mut crone, ADMIN, &(many + &make("paris", "outcast") + &make("wicca", "member")));
    let wiccas = hag.next();
    assert!(wiccas.name == "presence" && version(&wiccas).is_none(), "{}", wiccas.raw);
    let all = told_one(&mut hag);
    assert_eq!((all.since, all.items.len()), (known.clone(), 52));
    assert_eq!(all.items[51], ("wicca@im.example".into(), "member".into()));
    assert_eq!(enter_since(&mut hag, "thirdwitch", Some(&all.until)), (vec![], Some(all.until.clone())));
    let (again, _) = enter_since(&mut hag, "thirdwitch", known.as_deref());
    assert_eq!((again[0].since.clone(), again[0].items.len()), (known, 52));
}

/// What a session was told of a room and did not get is of no use to another one.
#[test]
fn for_those_who_are_there() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = circle(&server);
    let mut home = server.login("hag", "secret", "home");
    home.available();
    hag.send("<enable xmlns='urn:xmpp:sm:3'/>");
    while hag.next().name != "enabled" {}
    settle(&mut crone, &mut [&mut wicca, &mut home]);
    set(&mut crone, ADMIN, &make("hecate", "member"));
    while told(&hag.next()).is_none_or(|told| told.items != items(&[("hecate", "member")])) {}
    hag.close();
    while crone.next().attr("from") != Some(&*format!("{ROOM}/thirdwitch")) {}
    assert!(home.sync().iter().all(|el| el.name != "message"));
}

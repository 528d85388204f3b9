//! What was said in a room, for those who may read it (XEP-0313 §6.1.2).

use super::*;

const MAM: &str = "urn:xmpp:mam:2";
const FORWARD: &str = "urn:xmpp:forward:0";

/// What a query brought: the results, and `<fin/>`, or the error.
fn query(client: &mut Client, inside: &str) -> Result<(Vec<El>, El), (String, String)> {
    client
        .send(&format!("<iq type='set' id='mam' to='{ROOM}'><query xmlns='{MAM}' queryid='q1'>{inside}</query></iq>"));
    let mut results = Vec::new();
    loop {
        let el = client.next();
        if el.name == "iq" && el.attr("id") == Some("mam") {
            if el.attr("type") == Some("error") {
                let (kind, condition) = condition(&el);
                return Err((kind.to_owned(), condition.to_owned()));
            }
            return Ok((results, el.find("fin", MAM).unwrap_or_else(|| panic!("{}", el.raw)).clone()));
        }
        let Some(result) = el.find("result", MAM) else { continue };
        // §4.2: from the room.
        assert_eq!((el.attr("from"), result.attr("queryid")), (Some(ROOM), Some("q1")), "{}", el.raw);
        results.push(result.clone());
    }
}

fn refused(client: &mut Client, inside: &str) -> (String, String) {
    query(client, inside).expect_err("an error")
}

fn message(result: &El) -> &El {
    let forwarded = result.find("forwarded", FORWARD).expect("a forwarded message");
    forwarded.find("message", "jabber:client").expect("a message")
}

fn bodies(results: &[El]) -> Vec<String> {
    results.iter().map(|el| message(el).find("body", "jabber:client").map(El::text).unwrap_or_default()).collect()
}

fn fields(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!("<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{MAM}</value></field>{fields}</x>")
}

/// Says something and hears it.
fn say(client: &mut Client, id: &str, body: &str) -> El {
    client.send(&format!("<message to='{ROOM}' type='groupchat' id='{id}'><body>{body}</body></message>"));
    loop {
        let el = client.next();
        if el.name == "message" && el.attr("id") == Some(id) {
            return el;
        }
    }
}

/// A persistent room of three witches, in which two of them have spoken.
fn archived(server: &TestServer) -> (Client, Client, Client) {
    let (mut crone, wicca, mut hag) = coven(server);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    say(&mut crone, "m1", "When shall we three meet again");
    say(&mut hag, "m2", "In thunder, lightning, or in rain");
    (crone, wicca, hag)
}

/// Each message once, from the occupant, with the ids that were told; the real address only for moderators.
#[test]
fn occupants_read_what_was_said() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = archived(&server);
    let heard = say(&mut wicca, "m3", "When the hurlyburly's done");
    let told = heard.find("stanza-id", "urn:xmpp:sid:0").and_then(|id| id.attr("id")).map(str::to_owned);
    let (results, fin) = query(&mut hag, "").expect("results");
    let expected =
        ["When shall we three meet again", "In thunder, lightning, or in rain", "When the hurlyburly's done"];
    assert_eq!((bodies(&results), fin.attr("complete")), (expected.map(str::to_owned).to_vec(), Some("true")));
    assert_eq!(results[2].attr("id").map(str::to_owned), told);
    let first = message(&results[0]);
    assert_eq!((first.attr("from"), first.attr("type")), (Some(&*format!("{ROOM}/firstwitch")), Some("groupchat")));
    assert!(first.find("occupant-id", "urn:xmpp:occupant-id:0").is_some(), "{}", first.raw);
    assert!(results.iter().all(|el| message(el).find("x", USER).is_none()), "{results:?}");
    let (results, _) = query(&mut crone, "").expect("results");
    let jid = |el: &El| message(el).find("x", USER)?.find("item", USER)?.attr("jid").map(str::to_owned);
    assert_eq!(jid(&results[1]).as_deref(), Some("hag@im.example/pda"));
    assert_eq!(jid(&results[0]).as_deref(), Some("crone@im.example/desktop"));
}

/// §3.3.2: in disco, with what else there is; and the form.
#[test]
fn a_room_with_an_archive_says_so() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    let features = |client: &mut Client| {
        ask(client, "get", "http://jabber.org/protocol/disco#info", "");
        answer(client).raw
    };
    let all = [MAM, "urn:xmpp:mam:2#extended", "urn:xmpp:message-moderate:1", "urn:xmpp:message-retract:1#tombstone"];
    let temporary = features(&mut crone);
    assert!(all.iter().all(|feature| !temporary.contains(feature)), "{temporary}");
    assert_eq!(refused_here(&mut crone), ("cancel".into(), "service-unavailable".into()));
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    let archived = features(&mut crone);
    assert!(all.iter().all(|feature| archived.contains(feature)), "{archived}");
    ask(&mut crone, "get", MAM, "");
    let form = answer(&mut crone).raw;
    assert!(form.contains("with") && form.contains("fulltext") && !form.contains("include-groupchat"), "{form}");
    configure(&mut crone, &[("muc#roomconfig_enablearchiving", "0")]);
    assert_eq!(refused_here(&mut crone), ("cancel".into(), "service-unavailable".into()));
}

fn refused_here(client: &mut Client) -> (String, String) {
    refused(client, "")
}

/// §6.1.2: who may not enter may not read either.
#[test]
fn who_may_read() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = archived(&server);
    let mut stranger = server.online("stranger", "road");
    assert_eq!(query(&mut stranger, "").expect("an open room").0.len(), 2);
    set(&mut crone, ADMIN, "<item affiliation='outcast' jid='stranger@im.example'/>");
    assert_eq!(refused(&mut stranger, ""), ("auth".into(), "forbidden".into()));
    set(&mut crone, ADMIN, "<item affiliation='none' jid='stranger@im.example'/>");
    let password = [("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomsecret", "cauldronburn")];
    configure(&mut crone, &password);
    assert_eq!(refused(&mut stranger, ""), ("auth".into(), "forbidden".into()));
    assert_eq!(query(&mut hag, "").expect("an occupant").0.len(), 2);
    configure(&mut crone, &[("muc#roomconfig_passwordprotectedroom", "0"), ("muc#roomconfig_membersonly", "1")]);
    assert_eq!(refused(&mut hag, ""), ("auth".into(), "forbidden".into()), "put out, and no member");
    assert_eq!(refused(&mut stranger, ""), ("auth".into(), "forbidden".into()));
    set(&mut crone, ADMIN, "<item affiliation='member' jid='stranger@im.example'/>");
    assert_eq!(query(&mut stranger, "").expect("a member who is not there").0.len(), 2);
    assert_eq!(query(&mut wicca, "").expect("an admin").0.len(), 2);
    let mut hecate = server.online("hecate", "broom");
    hecate.send(&format!("<iq type='set' id='mam' to='x{ROOM}'><query xmlns='{MAM}'/></iq>"));
    hecate.expect_stanza_error("iq", "mam", "cancel", "item-not-found");
}

/// §4.1.1: who must not know the authors cannot ask for them.
#[test]
fn authors_are_asked_for_by_those_who_may_know_them() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = archived(&server);
    let with = fields(&[("with", "hag@im.example")]);
    let (results, _) = query(&mut crone, &with).expect("results");
    assert_eq!(bodies(&results), ["In thunder, lightning, or in rain"]);
    assert_eq!(refused(&mut hag, &with), ("auth".into(), "forbidden".into()));
    let nick = fields(&[("with", &format!("{ROOM}/thirdwitch"))]);
    assert_eq!(refused(&mut crone, &nick).1, "feature-not-implemented");
}

/// §6.1.2, XEP-0045 §10.2.1: what was said while only moderators saw addresses stays like that for the others.
#[test]
fn addresses_that_are_shown_from_now_on() {
    let mut server = TestServer::start();
    let (mut crone, _wicca, mut hag) = archived(&server);
    configure(&mut crone, &[("muc#roomconfig_whois", "anyone")]);
    say(&mut hag, "m3", "That will be ere the set of sun");
    let authors = |client: &mut Client, filter: &[(&str, &str)]| {
        let (results, _) = query(client, &fields(filter)).expect("results");
        let jid = |el: &El| message(el).find("x", USER)?.find("item", USER)?.attr("jid").map(str::to_owned);
        results.iter().map(jid).collect::<Vec<_>>()
    };
    let hags = Some("hag@im.example/pda".to_owned());
    assert_eq!(authors(&mut hag, &[]), [None, None, hags.clone()]);
    assert_eq!(authors(&mut hag, &[("with", "hag@im.example")]), std::slice::from_ref(&hags));
    assert_eq!(authors(&mut crone, &[("with", "hag@im.example")]), [hags.clone(), hags.clone()]);
    assert!(authors(&mut crone, &[]).iter().all(Option::is_some));
    // Another change and a restart do not change that.
    configure(&mut crone, &[("muc#roomconfig_roomname", "Cave")]);
    server.restart();
    let mut hag = server.login("hag", "secret", "pda");
    enter(&mut hag, "thirdwitch");
    assert_eq!(authors(&mut hag, &[]), [None, None, hags]);
    // Who is neither there nor belongs to the room was never told of.
    let mut stranger = server.online("stranger", "road");
    assert_eq!(authors(&mut stranger, &[]), [None, None, None]);
}

/// XEP-0059 in both directions, XEP-0431, §5.
#[test]
fn pages_words_and_ends() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = archived(&server);
    say(&mut crone, "m3", "That will be ere the set of sun");
    let page = |set: &str| format!("<set xmlns='http://jabber.org/protocol/rsm'>{set}</set>");
    let (first, fin) = query(&mut crone, &page("<max>2</max>")).expect("results");
    assert_eq!((first.len(), fin.attr("complete")), (2, None));
    let after = format!("<max>2</max><after>{}</after>", first[1].attr("id").expect("an id"));
    let (rest, fin) = query(&mut crone, &page(&after)).expect("results");
    assert_eq!(
        (bodies(&rest), fin.attr("complete")),
        (vec!["That will be ere the set of sun".to_owned()], Some("true"))
    );
    let (last, _) = query(&mut crone, &page("<max>1</max><before/>")).expect("results");
    assert_eq!(bodies(&last), ["That will be ere the set of sun"]);
    let (words, _) = query(&mut crone, &fields(&[("{urn:xmpp:fulltext:0}fulltext", "THUNDER")])).expect("results");
    assert_eq!(bodies(&words), ["In thunder, lightning, or in rain"]);
    assert_eq!(refused(&mut crone, &page("<after>nonsense</after>")).1, "item-not-found");
    crone.send(&format!("<iq type='get' id='q' to='{ROOM}'><metadata xmlns='{MAM}'/></iq>"));
    let ends = answer(&mut crone);
    let end = |name: &str| ends.find("metadata", MAM)?.find(name, MAM)?.attr("id").map(str::to_owned);
    assert_eq!((end("start").as_deref(), end("end").as_deref()), (first[0].attr("id"), rest[0].attr("id")));
}

/// The archive of a room and those of its occupants are not the same one.
#[test]
fn ids_of_a_room_mean_nothing_elsewhere() {
    let server = TestServer::with(|config| config.archive.enabled = true);
    let (_crone, _wicca, mut hag) = archived(&server);
    let (results, _) = query(&mut hag, "").expect("results");
    let id = results[0].attr("id").expect("an id").to_owned();
    hag.send(&format!(
        "<iq type='set' id='own'><query xmlns='{MAM}'><set xmlns='http://jabber.org/protocol/rsm'><after>{id}</after></set>\
         </query></iq>"
    ));
    hag.expect_stanza_error("iq", "own", "cancel", "item-not-found");
    // Private messages are in no archive of a room.
    hag.send(&format!("<message to='{ROOM}/firstwitch' type='chat' id='pm'><body>psst</body></message>"));
    assert_eq!(query(&mut hag, "").expect("results").0.len(), 2);
}

/// On disk before anybody hears it, in the order in which they hear it.
#[test]
fn the_archive_survives_a_restart() {
    let mut server = TestServer::start();
    let (_crone, _wicca, mut hag) = archived(&server);
    for n in 3..=20 {
        say(&mut hag, &format!("m{n}"), &n.to_string());
    }
    server.restart();
    let mut stranger = server.online("stranger", "road");
    let (results, _) = query(&mut stranger, "").expect("results");
    let ids: Vec<_> = results.iter().map(|el| message(el).attr("id").expect("an id").to_owned()).collect();
    assert_eq!(ids, (1..=20).map(|n| format!("m{n}")).collect::<Vec<_>>());
}

//! Hats (XEP-0317): made and handed out by commands of the room, and shown in presence.

use super::*;

const HATS: &str = "urn:xmpp:hats:0";
const COMMANDS: &str = "http://jabber.org/protocol/commands";
const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";
const ALL: [&str; 6] = ["create", "destroy", "list", "assign", "unassign", "list-assigned"];

/// Runs a step of a command of the room.
#[track_caller]
fn run(client: &mut Client, command: &str, attrs: &str, inside: &str) -> El {
    client.send(&format!(
        "<iq type='set' id='q' to='{ROOM}'><command xmlns='{COMMANDS}' node='urn:xmpp:hats:commands:{command}' \
         {attrs}>{inside}</command></iq>"
    ));
    answer(client)
}

fn filled(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='hats#{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    let kind = "<field type='hidden' var='FORM_TYPE'><value>urn:xmpp:hats:commands</value></field>";
    format!("<x xmlns='jabber:x:data' type='submit'>{kind}{fields}</x>")
}

/// Runs a command with its form at once.
#[track_caller]
fn done(client: &mut Client, command: &str, fields: &[(&str, &str)]) {
    let el = run(client, command, "action='execute'", &filled(fields));
    let status = el.find("command", COMMANDS).and_then(|command| command.attr("status"));
    assert_eq!(status, Some("completed"), "{}", el.raw);
}

/// The same for what is refused.
#[track_caller]
fn not_done(client: &mut Client, command: &str, fields: &[(&str, &str)], error: (&str, &str)) {
    let el = run(client, command, "", &filled(fields));
    assert_eq!(condition(&el), error, "{command}: {}", el.raw);
}

/// What a list says: the values of each row.
#[track_caller]
fn rows(client: &mut Client, command: &str) -> Vec<Vec<String>> {
    let el = run(client, command, "", "");
    let form = el.find("command", COMMANDS).and_then(|c| c.find("x", "jabber:x:data"));
    let form = form.unwrap_or_else(|| panic!("no list: {}", el.raw));
    assert!(form.find("reported", "jabber:x:data").is_some(), "{}", el.raw);
    let items = form.elements().filter(|el| el.name == "item");
    let value = |field: &El| field.find("value", "jabber:x:data").map(El::text).unwrap_or_default();
    items.map(|item| item.elements().map(value).collect()).collect()
}

/// Presence with hats.
fn wearing(nick: &str, hats: &str, x: &str) -> String {
    shown(nick, x).replace("/><x xmlns", &format!("/><hats xmlns='{HATS}'>{hats}</hats><x xmlns"))
}

fn hats_of(el: &El) -> Vec<String> {
    let hats = el.find("hats", HATS).into_iter().flat_map(El::elements);
    hats.filter_map(|hat| hat.attr("uri").map(str::to_owned)).collect()
}

#[track_caller]
fn disco(client: &mut Client, ns: &str, node: &str) -> El {
    client.send(&format!("<iq type='get' id='q' to='{ROOM}'><query xmlns='{ns}' {node}/></iq>"));
    answer(client)
}

const NONE: &str = "<item affiliation='none' role='participant'/>";
const HOST: &str = "<hat title='Host' uri='urn:x:host' hue='327.255249'/>";

/// A room of three with a hat.
#[track_caller]
fn with_host(server: &TestServer) -> (Client, Client, Client) {
    let (mut crone, mut wicca, mut hag) = coven(server);
    done(&mut crone, "create", &[("title", "Host"), ("uri", "urn:x:host"), ("hue", "327.255249")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    (crone, wicca, hag)
}

/// §2, and XEP-0050 §2: what a room says of hats, and to whom.
#[test]
fn discovery() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    let info = disco(&mut hecate, INFO, "").raw;
    assert!(info.contains("var='urn:xmpp:hats:0'") && info.contains(&format!("var='{COMMANDS}'")), "{info}");
    assert!(!info.contains("hats#hash"), "{info}");
    let hash = |client: &mut Client| {
        let info = disco(client, INFO, "").raw;
        info.split("hats#hash")
            .nth(1)
            .and_then(|rest| rest.split("<value>").nth(1)?.split('<').next().map(str::to_owned))
    };
    done(&mut wicca, "create", &[("title", "Host"), ("uri", "urn:x:host")]);
    let first = hash(&mut hecate).expect("a hash");
    done(&mut crone, "create", &[("title", "Boss"), ("uri", "urn:x:host")]);
    assert_ne!(hash(&mut hecate), Some(first));
    done(&mut crone, "destroy", &[("uri", "urn:x:host")]);
    assert_eq!(hash(&mut hecate), None);

    let node = format!("node='{COMMANDS}'");
    let commands = |client: &mut Client| {
        let el = disco(client, ITEMS, &node);
        let items = el.find("query", ITEMS).into_iter().flat_map(El::elements);
        let nodes = items.filter_map(|item| item.attr("node")?.strip_prefix("urn:xmpp:hats:commands:"));
        nodes.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(commands(&mut crone), ALL);
    assert_eq!((commands(&mut hag), commands(&mut hecate)), (vec!["list".to_owned()], vec![]));
    assert!(disco(&mut hag, INFO, &node).raw.contains("type='command-list'"));
    let create = "node='urn:xmpp:hats:commands:create'";
    assert!(disco(&mut crone, INFO, create).raw.contains("type='command-node'"));
    assert_eq!(condition(&disco(&mut hag, INFO, create)), ("cancel", "item-not-found"));
}

/// §3.2, §3.4: step by step as the examples have it.
#[test]
fn creating_and_listing() {
    let server = TestServer::start();
    let (_crone, mut wicca, mut hag) = coven(&server);
    let form = run(&mut wicca, "create", "action='execute'", "");
    let command = form.find("command", COMMANDS).expect("a command");
    assert_eq!(command.attr("status"), Some("executing"), "{}", form.raw);
    for var in ["FORM_TYPE", "hats#title", "hats#uri", "hats#hue"] {
        assert!(form.raw.contains(&format!("var='{var}'")), "{var}: {}", form.raw);
    }
    let session = format!("sessionid='{}'", command.attr("sessionid").expect("a session"));
    // What is wrong can be corrected.
    let wrong = run(&mut wicca, "create", &session, &filled(&[("title", "Host"), ("uri", "host")]));
    assert_eq!(condition(&wrong), ("modify", "bad-request"));
    let fields = [("title", "Host"), ("uri", "urn:x:host"), ("hue", "327.255249")];
    let made = run(&mut wicca, "create", &session, &filled(&fields));
    assert_eq!(made.find("command", COMMANDS).and_then(|c| c.attr("status")), Some("completed"), "{}", made.raw);
    let changed = hag.next();
    assert_eq!((changed.attr("from"), codes(&changed)), (Some(ROOM), vec!["104".to_owned()]), "{}", changed.raw);
    // Nothing new is nothing to tell.
    done(&mut wicca, "create", &fields);
    hag.expect_nothing();
    done(&mut wicca, "create", &[("title", "A &amp; B"), ("uri", "http://x.example/#a")]);
    assert_eq!(codes(&hag.next()), ["104"]);
    assert_eq!(
        rows(&mut hag, "list"),
        [vec!["A & B", "http://x.example/#a"], vec!["Host", "urn:x:host", "327.255249"]]
    );
    assert_eq!(condition(&run(&mut wicca, "list", "sessionid='x'", "")), ("modify", "bad-request"));
    let canceled = run(&mut wicca, "create", "", "<x xmlns='jabber:x:data' type='cancel'/>");
    assert_eq!(canceled.find("command", COMMANDS).and_then(|c| c.attr("status")), Some("canceled"));
}

/// §3.1, §3.5, §3.6: who is there is shown with the hat at once, also to those who come later.
#[test]
fn assigning_and_removing() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = with_host(&server);
    let host = [("jid", "hag@im.example/pda"), ("uri", "urn:x:host")];
    done(&mut wicca, "assign", &host);
    hag.expect(&wearing("thirdwitch", HOST, &format!("{NONE}<status code='110'/>")));
    let fully = "<item affiliation='none' jid='{hag}' role='participant'/>";
    crone.expect(&wearing("thirdwitch", HOST, fully));
    done(&mut wicca, "assign", &host);
    hag.expect_nothing();
    assert_eq!(rows(&mut crone, "list-assigned"), [["hag@im.example", "urn:x:host", "Host", "327.255249"]]);
    let mut hecate = server.online("hecate", "broom");
    let seen = enter(&mut hecate, "hecate");
    let third = seen.iter().find(|el| el.attr("from") == Some(&*format!("{ROOM}/thirdwitch"))).expect("her presence");
    assert_eq!(hats_of(third), ["urn:x:host"]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    // It stays with another nickname and with other availability.
    hag.send(&format!("<presence to='{ROOM}/oldhag'/>"));
    assert_eq!(hag.next().attr("type"), Some("unavailable"));
    assert_eq!(hats_of(&hag.next()), ["urn:x:host"]);
    hag.send(&format!("<presence to='{ROOM}/oldhag'><show>away</show></presence>"));
    let away = hag.next();
    assert!(away.raw.contains("away") && hats_of(&away).len() == 1, "{}", away.raw);
    settle(&mut hag, &mut [&mut crone, &mut wicca, &mut hecate]);
    // An update shows it anew (§3.2), and so does the end of it (§3.3).
    done(&mut crone, "create", &[("title", "Boss"), ("uri", "urn:x:host")]);
    let boss = hecate.next();
    assert!(boss.raw.contains("title='Boss'") && !boss.raw.contains("hue="), "{}", boss.raw);
    assert_eq!(codes(&hecate.next()), ["104"]);
    hag.sync();
    done(&mut crone, "unassign", &host);
    hecate.expect(&wearing("oldhag", "", NONE).replace("<occupant-id", "<show>away</show><occupant-id"));
    not_done(&mut crone, "unassign", &host, ("cancel", "item-not-found"));
}

/// §3.3: destroyed, it is worn by nobody; of several hats the others stay. §3.5: also by who is not there.
#[test]
fn destroying() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = with_host(&server);
    done(&mut crone, "create", &[("title", "Scribe"), ("uri", "urn:x:scribe")]);
    for uri in ["urn:x:host", "urn:x:scribe"] {
        done(&mut crone, "assign", &[("jid", "hecate@im.example"), ("uri", uri)]);
    }
    // An occupant JID will do.
    done(&mut crone, "assign", &[("jid", &format!("{ROOM}/thirdwitch")), ("uri", "urn:x:host")]);
    let mut hecate = server.online("hecate", "broom");
    let seen = enter(&mut hecate, "hecate");
    let own = seen.iter().find(|el| codes(el).contains(&"110".to_owned())).expect("her own presence");
    assert_eq!(hats_of(own), ["urn:x:host", "urn:x:scribe"]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    let form = run(&mut crone, "destroy", "", "");
    assert!(form.raw.contains("<option label='Scribe'><value>urn:x:scribe</value></option>"), "{}", form.raw);
    done(&mut crone, "destroy", &[("uri", "urn:x:host")]);
    let (third, own) = (hecate.next(), hecate.next());
    assert_eq!((hats_of(&third), hats_of(&own)), (vec![], vec!["urn:x:scribe".to_owned()]));
    assert_eq!(codes(&hecate.next()), ["104"]);
    not_done(&mut crone, "destroy", &[("uri", "urn:x:host")], ("cancel", "item-not-found"));
    assert_eq!(rows(&mut crone, "list-assigned"), [["hecate@im.example", "urn:x:scribe", "Scribe"]]);
}

/// Only admins and owners change anything, and only those learn addresses who may (XEP-0045 §9.5).
#[test]
fn who_may() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = with_host(&server);
    let fields = [("title", "T"), ("uri", "urn:x:host"), ("jid", "hag@im.example")];
    let mut hecate = server.online("hecate", "broom");
    for command in ["create", "destroy", "assign", "unassign"] {
        for client in [&mut hag, &mut hecate] {
            not_done(client, command, &fields, ("auth", "forbidden"));
            assert_eq!(condition(&run(client, command, "", "")), ("auth", "forbidden"));
        }
    }
    assert_eq!(rows(&mut hag, "list").len(), 1);
    assert_eq!(condition(&run(&mut hecate, "list", "", "")), ("auth", "forbidden"));
    assert_eq!(condition(&run(&mut hag, "list-assigned", "", "")), ("auth", "forbidden"));
    assert_eq!(rows(&mut wicca, "list-assigned").len(), 0);
    configure(&mut crone, &[("muc#roomconfig_whois", "anyone")]);
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hag@im.example'/>");
    assert_eq!(rows(&mut hag, "list-assigned").len(), 0);
    // Who is banned is told nothing.
    set(&mut crone, ADMIN, "<item affiliation='outcast' jid='hag@im.example'/>");
    for command in ALL {
        assert_eq!(condition(&run(&mut hag, command, "", "")), ("auth", "forbidden"), "{command}");
    }
    crone.send(&format!(
        "<iq type='set' id='q' to='none@conference.im.example'><command xmlns='{COMMANDS}' \
         node='urn:xmpp:hats:commands:list'/></iq>"
    ));
    assert_eq!(condition(&answer(&mut crone)), ("cancel", "item-not-found"));
    assert_eq!(condition(&run(&mut crone, "knit", "", "")), ("cancel", "item-not-found"));
}

/// What makes no sense, and what is too much.
#[test]
fn refusals() {
    let server = TestServer::with(|config| {
        config.limits.room_hats_max = 3;
        config.limits.room_hats_per_user_max = 2;
        config.limits.room_hats_worn_max = 3;
        config.limits.room_hat_bytes_max = 100;
    });
    let (mut crone, _wicca, _hag) = with_host(&server);
    let bad = ("modify", "bad-request");
    for fields in [
        vec![("uri", "urn:x:a")],
        vec![("title", "A")],
        vec![("title", " "), ("uri", "urn:x:a")],
        vec![("title", "A"), ("uri", "a")],
        vec![("title", "A"), ("uri", "urn:x:a b")],
        vec![("title", "A"), ("uri", "urn:x:a"), ("hue", "red")],
        vec![("title", "A"), ("uri", "urn:x:a"), ("hue", "361")],
    ] {
        not_done(&mut crone, "create", &fields, bad);
    }
    not_done(&mut crone, "create", &[("title", &"A".repeat(99)), ("uri", "urn:x:a")], ("modify", "not-acceptable"));
    for jid in ["im.example", "@", ROOM] {
        let el = run(&mut crone, "assign", "", &filled(&[("jid", jid), ("uri", "urn:x:host")]));
        assert_eq!(el.attr("type"), Some("error"), "{jid}");
    }
    let nobody = format!("{ROOM}/nobody");
    not_done(&mut crone, "assign", &[("jid", &nobody), ("uri", "urn:x:host")], ("cancel", "item-not-found"));
    not_done(&mut crone, "assign", &[("jid", "a@b.example"), ("uri", "urn:x:a")], ("cancel", "item-not-found"));
    not_done(&mut crone, "assign", &[("uri", "urn:x:host")], bad);
    for uri in ["urn:x:a", "urn:x:b"] {
        done(&mut crone, "create", &[("title", "A"), ("uri", uri)]);
    }
    let full = ("wait", "resource-constraint");
    not_done(&mut crone, "create", &[("title", "A"), ("uri", "urn:x:c")], full);
    done(&mut crone, "create", &[("title", "B"), ("uri", "urn:x:b")]);
    for uri in ["urn:x:a", "urn:x:b"] {
        done(&mut crone, "assign", &[("jid", "a@b.example"), ("uri", uri)]);
    }
    not_done(&mut crone, "assign", &[("jid", "a@b.example"), ("uri", "urn:x:host")], full);
    done(&mut crone, "assign", &[("jid", "c@b.example"), ("uri", "urn:x:host")]);
    not_done(&mut crone, "assign", &[("jid", "d@b.example"), ("uri", "urn:x:host")], full);
    done(&mut crone, "destroy", &[("uri", "urn:x:host")]);
    done(&mut crone, "assign", &[("jid", "d@b.example"), ("uri", "urn:x:a")]);
}

/// Only the room says who wears what.
#[test]
fn hats_of_ones_own() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = with_host(&server);
    let forged = format!("<hats xmlns='{HATS}'><hat title='Host' uri='urn:x:host'/></hats>");
    let mut hecate = server.online("hecate", "broom");
    hecate.send(&format!("<presence to='{ROOM}/hecate'>{forged}<x xmlns='{MUC}'/></presence>"));
    hecate.send(&format!("<presence to='{ROOM}/hecate'><show>away</show>{forged}</presence>"));
    hecate.send(&format!("<presence to='{ROOM}/hex'>{forged}</presence>"));
    hecate.send(&format!("<presence to='{ROOM}/hex' type='unavailable'>{forged}</presence>"));
    settle(&mut hecate, &mut []);
    for client in [&mut crone, &mut wicca, &mut hag] {
        let seen = client.sync();
        assert_eq!(seen.len(), 5, "{seen:?}");
        assert!(seen.iter().all(|el| el.find("hats", HATS).is_none()), "{seen:?}");
    }
}

/// What was answered is there after a kill; hats of a temporary room become those of the room that stays.
#[test]
fn over_a_kill() {
    let mut server = TestServer::start();
    let (mut crone, _wicca, _hag) = with_host(&server);
    done(&mut crone, "assign", &[("jid", "hag@im.example"), ("uri", "urn:x:host")]);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    done(&mut crone, "create", &[("title", "Scribe"), ("uri", "urn:x:scribe")]);
    done(&mut crone, "create", &[("title", "Gone"), ("uri", "urn:x:gone")]);
    for uri in ["urn:x:scribe", "urn:x:gone"] {
        done(&mut crone, "assign", &[("jid", "hag@im.example"), ("uri", uri)]);
        done(&mut crone, "assign", &[("jid", "wicca@im.example"), ("uri", uri)]);
    }
    done(&mut crone, "unassign", &[("jid", "wicca@im.example"), ("uri", "urn:x:scribe")]);
    done(&mut crone, "destroy", &[("uri", "urn:x:gone")]);
    server.crash();
    let mut hag = server.login("hag", "secret", "pda");
    assert_eq!(hats_of(&enter(&mut hag, "thirdwitch")[0]), ["urn:x:host", "urn:x:scribe"]);
    let mut crone = server.login("crone", "secret", "desktop");
    assert_eq!(rows(&mut crone, "list").len(), 2);
    let worn =
        [vec!["hag@im.example", "urn:x:host", "Host", "327.255249"], vec!["hag@im.example", "urn:x:scribe", "Scribe"]];
    assert_eq!(rows(&mut crone, "list-assigned"), worn);
    server.stop();
}

/// Whoever takes the name of a removed account wears nothing; whom the service keeps out does nothing.
#[test]
fn without_an_account() {
    let server = TestServer::with(|config| config.registration.mode = magpie::config::RegistrationMode::Open);
    let (mut crone, _wicca, mut hag) = with_host(&server);
    done(&mut crone, "assign", &[("jid", "hag@im.example"), ("uri", "urn:x:host")]);
    assert_eq!(rows(&mut crone, "list-assigned").len(), 1);
    hag.send("<iq type='set' id='q'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    assert_eq!(answer(&mut hag).attr("type"), Some("result"));
    assert_eq!(rows(&mut crone, "list-assigned").len(), 0);
    let block = magpie::storage::RoomBlock { jid: "crone@im.example".into(), since_us: 0, reason: None };
    let core = server.server().core();
    let kept_out = magpie::xep::muc::keep_out(core, "conference.im.example", block);
    server.runtime().block_on(kept_out).expect("blocked");
    assert_eq!(condition(&run(&mut crone, "list", "", "")), ("auth", "forbidden"));
}

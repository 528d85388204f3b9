//! §10.1.3, §10.2, §16.5.3, §16.5.4: every field of a room's configuration, and what it tells of itself.

use super::*;

const INFO: &str = "http://jabber.org/protocol/disco#info";

/// A field of the form: name without prefix, type, value in a new room, another value.
type Row = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const ROOM_CONFIG: [Row; 25] = [
    ("muc#roomconfig_roomname", "text-single", &[], &["A Dark Cave"]),
    ("muc#roomconfig_roomdesc", "text-single", &[], &["The place for all good witches!"]),
    ("muc#roomconfig_lang", "text-single", &[], &["en-GB"]),
    ("muc#roomconfig_contactjid", "jid-multi", &[], &["crone@im.example", "wicca@im.example"]),
    ("muc#roomconfig_pubsub", "text-single", &[], &["xmpp:pubsub.im.example?;node=coven"]),
    ("muc#roomconfig_persistentroom", "boolean", &["0"], &["1"]),
    ("muc#roomconfig_publicroom", "boolean", &["1"], &["0"]),
    ("muc#roomconfig_membersonly", "boolean", &["0"], &["1"]),
    ("muc#roomconfig_moderatedroom", "boolean", &["0"], &["1"]),
    ("muc#roomconfig_passwordprotectedroom", "boolean", &["0"], &["1"]),
    ("muc#roomconfig_roomsecret", "text-private", &[], &["cauldronburn"]),
    ("muc#roomconfig_whois", "list-single", &["moderators"], &["anyone"]),
    ("muc#roomconfig_maxusers", "list-single", &["none"], &["30"]),
    ("muc#roomconfig_changesubject", "boolean", &["0"], &["1"]),
    ("muc#roomconfig_allowinvites", "boolean", &["0"], &["1"]),
    ("muc#roomconfig_allowpm", "list-single", &["anyone"], &["participants"]),
    ("muc#roomconfig_presencebroadcast", "list-multi", &["moderator", "participant", "visitor"], &["moderator"]),
    ("muc#roomconfig_getmemberlist", "list-multi", &["moderator", "participant", "visitor"], &["moderator"]),
    ("muc#maxhistoryfetch", "text-single", &["20"], &["50"]),
    ("muc#roomconfig_enablelogging", "boolean", &["0"], &["1"]),
    ("muc#roomconfig_allowvoicerequests", "boolean", &["1"], &["0"]),
    ("muc#roomconfig_allow_registration", "boolean", &["0"], &["1"]),
    ("muc#roomconfig_reservednicks", "boolean", &["0"], &["1"]),
    ("muc#roomconfig_roomadmins", "jid-multi", &[], &["wicca@im.example"]),
    ("muc#roomconfig_roomowners", "jid-multi", &["crone@im.example"], &["crone@im.example", "hag@im.example"]),
];

/// The fields of a form.
struct Fields(El);

impl Fields {
    #[track_caller]
    fn of(client: &mut Client) -> Self {
        ask(client, "get", OWNER, "");
        let answer = answer(client);
        let x = answer.find("query", OWNER).and_then(|q| q.find("x", "jabber:x:data"));
        Self(x.unwrap_or_else(|| panic!("no form: {}", answer.raw)).clone())
    }

    /// What a room says of itself.
    #[track_caller]
    fn of_info(client: &mut Client) -> Self {
        ask(client, "get", INFO, "");
        let answer = answer(client);
        let x = answer.find("query", INFO).and_then(|q| q.find("x", "jabber:x:data"));
        Self(x.unwrap_or_else(|| panic!("no form: {}", answer.raw)).clone())
    }

    #[track_caller]
    fn field(&self, var: &str) -> &El {
        self.0.elements().find(|f| f.attr("var") == Some(var)).unwrap_or_else(|| panic!("no {var}: {}", self.0.raw))
    }

    fn has(&self, var: &str) -> bool {
        self.0.elements().any(|f| f.attr("var") == Some(var))
    }

    #[track_caller]
    fn values(&self, var: &str) -> Vec<String> {
        self.field(var).elements().filter(|el| el.name == "value").map(El::text).collect()
    }

    #[track_caller]
    fn options(&self, var: &str) -> Vec<String> {
        let options = self.field(var).elements().filter(|el| el.name == "option");
        options.map(|option| option.elements().next().map(El::text).unwrap_or_default()).collect()
    }
}

fn submit(fields: &[(&str, &[&str])]) -> String {
    let field = |(var, values): &(&str, &[&str])| {
        let values: String = values.iter().map(|value| format!("<value>{value}</value>")).collect();
        format!("<field var='{var}'>{values}</field>")
    };
    form(&[]).replace("</x>", &(fields.iter().map(field).collect::<String>() + "</x>"))
}

/// §10.1.3, §10.2: all fields that are registered, as they are; and as they are then.
#[test]
fn the_form() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    enter(&mut crone, "firstwitch");
    let form = Fields::of(&mut crone);
    assert_eq!(form.0.attr("type"), Some("form"));
    assert_eq!(form.values("FORM_TYPE"), ["http://jabber.org/protocol/muc#roomconfig"]);
    for (var, kind, values, _) in ROOM_CONFIG {
        assert_eq!(
            (form.field(var).attr("type"), form.values(var)),
            (Some(kind), values.iter().map(|v| v.to_string()).collect()),
            "{var}"
        );
        assert!(form.field(var).attr("label").is_some(), "{var}");
    }
    for (var, options) in [
        ("muc#roomconfig_whois", vec!["moderators", "anyone"]),
        ("muc#roomconfig_allowpm", vec!["anyone", "participants", "moderators", "none"]),
        ("muc#roomconfig_presencebroadcast", vec!["moderator", "participant", "visitor"]),
        ("muc#roomconfig_getmemberlist", vec!["moderator", "participant", "visitor"]),
        ("muc#roomconfig_maxusers", vec!["10", "20", "50", "100", "500", "1000", "none"]),
    ] {
        assert_eq!(form.options(var), options, "{var}");
    }
    let all: Vec<(&str, &[&str])> = ROOM_CONFIG.iter().map(|row| (row.0, row.3)).collect();
    set(&mut crone, OWNER, &submit(&all));
    let form = Fields::of(&mut crone);
    for (var, _, _, values) in ROOM_CONFIG {
        assert_eq!(form.values(var), values, "{var}");
    }
    // Who knows only some of them changes only those.
    set(&mut crone, OWNER, &submit(&[("muc#roomconfig_maxusers", &["none"]), ("muc#roomconfig_unheardof", &["x"])]));
    let form = Fields::of(&mut crone);
    for (var, _, _, values) in ROOM_CONFIG.iter().filter(|row| row.0 != "muc#roomconfig_maxusers") {
        assert_eq!(form.values(var), *values, "{var}");
    }
    assert_eq!(form.values("muc#roomconfig_maxusers"), ["none"]);
}

/// §10.1.3: what a field cannot be; then nothing changes.
#[test]
fn values_that_are_refused() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    for (var, value) in [
        ("muc#roomconfig_whois", "none"),
        ("muc#roomconfig_allowpm", "some"),
        ("muc#roomconfig_maxusers", "0"),
        ("muc#roomconfig_maxusers", "9999999"),
        ("muc#maxhistoryfetch", "-1"),
        ("muc#maxhistoryfetch", "101"),
        ("muc#roomconfig_presencebroadcast", "owner"),
        ("muc#roomconfig_getmemberlist", "owner"),
        ("muc#roomconfig_membersonly", "perhaps"),
        ("muc#roomconfig_lang", "not a language"),
        ("muc#roomconfig_pubsub", "http://im.example/"),
        ("muc#roomconfig_contactjid", "@"),
        ("muc#roomconfig_roomadmins", "@"),
        ("muc#roomconfig_passwordprotectedroom", "1"),
    ] {
        let fields: [(&str, &[&str]); 2] = [("muc#roomconfig_roomname", &["A Bright Cave"]), (var, &[value])];
        refused(&mut crone, "set", OWNER, &submit(&fields), ("modify", "not-acceptable"));
    }
    let long = "x".repeat(5_000);
    refused(&mut crone, "set", OWNER, &submit(&[("muc#roomconfig_roomdesc", &[&long])]), ("modify", "not-acceptable"));
    assert_eq!(Fields::of(&mut crone).values("muc#roomconfig_roomname"), [""; 0]);
    hag.expect_nothing();
}

/// §10.1, §10.2: requests that are none.
#[test]
fn bad_requests() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    let other = submit(&[]).replace("#roomconfig<", "#register<");
    assert!(other.contains("#register<"));
    for inside in [
        "",
        "<x xmlns='urn:x' type='submit'/>",
        "<x xmlns='jabber:x:data' type='form'/>",
        "<x xmlns='jabber:x:data' type='result'/>",
        "<x xmlns='jabber:x:data' type='wish'/>",
        &other,
    ] {
        refused(&mut crone, "set", OWNER, inside, ("modify", "bad-request"));
    }
}

/// §6.4, §16.5.4: what everybody may know.
#[test]
fn room_info() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let info = Fields::of_info(&mut hag);
    assert_eq!(
        (info.0.attr("type"), info.values("FORM_TYPE")),
        (Some("result"), vec!["http://jabber.org/protocol/muc#roominfo".into()])
    );
    for absent in ["description", "contactjid", "subject", "lang", "logs", "ldapgroup"] {
        assert!(!info.has(&format!("muc#roominfo_{absent}")), "{absent}");
    }
    let told = ROOM_CONFIG.iter().filter(|row| {
        ["roomdesc", "lang", "contactjid", "pubsub", "changesubject"].iter().any(|name| row.0.ends_with(name))
    });
    let mut fields: Vec<(&str, &[&str])> = told.map(|row| (row.0, row.3)).collect();
    fields.push(("muc#maxhistoryfetch", &["7"]));
    set(&mut crone, OWNER, &submit(&fields));
    crone.send(&format!("<message to='{ROOM}' type='groupchat' id='s'><subject>Spells</subject></message>"));
    settle(&mut crone, &mut [&mut hag]);
    let info = Fields::of_info(&mut hag);
    let rows: [(&str, &str, &[&str]); 9] = [
        ("muc#roominfo_description", "text-single", &["The place for all good witches!"]),
        ("muc#roominfo_contactjid", "jid-multi", &["crone@im.example", "wicca@im.example"]),
        ("muc#roominfo_subject", "text-single", &["Spells"]),
        ("muc#roominfo_subjectmod", "boolean", &["1"]),
        ("muc#roomconfig_changesubject", "boolean", &["1"]),
        ("muc#roominfo_occupants", "text-single", &["3"]),
        ("muc#roominfo_lang", "text-single", &["en-GB"]),
        ("muc#maxhistoryfetch", "text-single", &["7"]),
        ("muc#roomconfig_pubsub", "text-single", &["xmpp:pubsub.im.example?;node=coven"]),
    ];
    for (var, kind, values) in rows {
        assert_eq!(info.field(var).attr("type"), Some(kind), "{var}");
        assert_eq!(info.values(var), values, "{var}");
    }
    // §14.4: not to who is outside, if the room is not for everybody.
    let mut hecate = server.online("hecate", "broom");
    assert_eq!(Fields::of_info(&mut hecate).values("muc#roominfo_subject"), ["Spells"]);
    configure(&mut crone, &[("muc#roomconfig_publicroom", "0")]);
    assert!(!Fields::of_info(&mut hecate).has("muc#roominfo_subject"));
}

/// §6.4, §16.3: what kind of room it is, of each pair.
#[test]
fn kinds_of_rooms() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    let kinds = |client: &mut Client| {
        ask(client, "get", INFO, "");
        let answer = answer(client);
        let features = answer.find("query", INFO).into_iter().flat_map(El::elements).filter_map(|f| f.attr("var"));
        features.filter(|var| var.starts_with("muc_")).map(str::to_owned).collect::<Vec<_>>()
    };
    let new = ["muc_open", "muc_public", "muc_semianonymous", "muc_temporary", "muc_unmoderated", "muc_unsecured"];
    assert_eq!(kinds(&mut crone), new);
    let fields = [
        ("muc#roomconfig_membersonly", "1"),
        ("muc#roomconfig_publicroom", "0"),
        ("muc#roomconfig_whois", "anyone"),
        ("muc#roomconfig_persistentroom", "1"),
        ("muc#roomconfig_moderatedroom", "1"),
        ("muc#roomconfig_passwordprotectedroom", "1"),
        ("muc#roomconfig_roomsecret", "cauldronburn"),
    ];
    configure(&mut crone, &fields);
    let other = [
        "muc_hidden",
        "muc_membersonly",
        "muc_moderated",
        "muc_nonanonymous",
        "muc_passwordprotected",
        "muc_persistent",
    ];
    assert_eq!(kinds(&mut crone), other);
}

/// `muc#roomconfig_getmemberlist` (§9.5): in a non-anonymous room, these roles; whoever is not there has the one it would have.
#[test]
fn get_member_list() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hecate@im.example'/>");
    let forbidden = |client: &mut Client| {
        ask(client, "get", ADMIN, "<item affiliation='member'/>");
        let answer = answer(client);
        let is_error = answer.attr("type") == Some("error");
        assert!(!is_error || condition(&answer) == ("auth", "forbidden"), "{}", answer.raw);
        is_error
    };
    let roles = ["moderator", "participant", "visitor"];
    for (whois, roles, of_participants) in [
        ("moderators", &roles[..], false),
        ("anyone", &roles[..1], false),
        ("anyone", &roles[..2], true),
        ("anyone", &[], false),
    ] {
        let fields: [(&str, &[&str]); 2] =
            [("muc#roomconfig_whois", &[whois]), ("muc#roomconfig_getmemberlist", roles)];
        set(&mut crone, OWNER, &submit(&fields));
        assert_eq!([forbidden(&mut hag), forbidden(&mut hecate)], [!of_participants; 2], "{whois} {roles:?}");
        assert!(!forbidden(&mut wicca), "admins always");
    }
}

/// `muc#roomconfig_presencebroadcast` (§7.2.2, §7.7, §7.14): who is not shown is told of itself all the same.
#[test]
fn presence_broadcast() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(&mut crone, OWNER, &submit(&[("muc#roomconfig_presencebroadcast", &["moderator"])]));
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    hecate.send(&format!("<presence to='{ROOM}/Hecate'><show>xa</show></presence>"));
    hecate.expect(&format!(
        "<presence from='{ROOM}/Hecate' to='{{jid}}'><show>xa</show><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/>\
         <x xmlns='{USER}'><item affiliation='none' role='participant'/><status code='110'/></x></presence>"
    ));
    hecate.send(&format!("<presence to='{ROOM}/Moon'/>"));
    let renamed = "<item affiliation='none' nick='Moon' role='participant'/><status code='110'/><status code='303'/>";
    hecate.expect(&gone("Hecate", renamed));
    hecate.expect(&shown("Moon", "<item affiliation='none' role='participant'/><status code='110'/>"));
    // She speaks all the same.
    hecate.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    assert_eq!(hecate.next().attr("id"), Some("m"));
    hecate.send(&format!("<presence to='{ROOM}/Moon' type='unavailable'/>"));
    hecate.expect(&gone("Moon", "<item affiliation='none' role='none'/><status code='110'/>"));
    for client in [&mut wicca, &mut crone] {
        assert_eq!(client.next().attr("id"), Some("m"));
        client.expect_nothing();
    }
}

/// `muc#roomconfig_persistentroom`: it stays as long as it is one.
#[test]
fn no_more_persistent() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    create(&mut crone, "firstwitch");
    let leave = |client: &mut Client, persistent: &str| {
        configure(client, &[("muc#roomconfig_persistentroom", persistent)]);
        client.send(&format!("<presence to='{ROOM}/firstwitch' type='unavailable'/>"));
        client.sync();
        codes(&enter(client, "firstwitch")[0])
    };
    assert_eq!(leave(&mut crone, "1"), ["110"]);
    assert_eq!(leave(&mut crone, "0"), ["110", "201"]);
}

/// §9.5: an invitation to an open room makes no member.
#[test]
fn invitations_to_an_open_room() {
    let server = TestServer::start();
    let (_crone, mut wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    hag.send(&format!("<message to='{ROOM}' id='i'><x xmlns='{USER}'><invite to='hecate@im.example'/></x></message>"));
    hecate.expect(&format!(
        "<message from='{ROOM}' to='{{bare}}' id='i'><x xmlns='{USER}'><invite from='hag@im.example'/></x></message>"
    ));
    ask(&mut wicca, "get", ADMIN, "<item affiliation='member'/>");
    assert_eq!(answer(&mut wicca).find("query", ADMIN).map(|q| q.elements().count()), Some(0));
}

//! The form, read and printed.

use super::*;
use crate::rooms::Mentions;

fn limits() -> Limits {
    Limits::default()
}

fn submit(fields: &[(&str, &[&str])]) -> DataForm {
    fields.iter().fold(DataForm::new(FormType::Submit).with_form_type(ns::MUC_ROOM_CONFIG), |form, (var, values)| {
        form.field(Field { var: Some((*var).to_owned()), ..Field::default() }.values(values.iter().copied()))
    })
}

fn jid(text: &str) -> BareJid {
    BareJid::parse(text).expect("a JID")
}

/// What is shown is read again, and says the same.
#[test]
fn forms_are_read_again() {
    let all_other = RoomConfig {
        name: "A Dark Cave".into(),
        description: "for witches".into(),
        lang: "en-GB".into(),
        contacts: vec!["a@b".into()],
        pubsub: "xmpp:pubsub.x?;node=coven".into(),
        persistent: true,
        public: false,
        members_only: true,
        moderated: true,
        password: Some("cauldronburn".into()),
        whois: Whois::Anyone,
        non_anonymous_since_us: None,
        max_users: Some(7),
        change_subject: true,
        allow_invites: true,
        allow_pm: AllowPm::None,
        presence_broadcast: [Role::Moderator].into(),
        get_member_list: Roles::new(),
        history_max: 3,
        archive: false,
        public_logging: true,
        allow_voice_requests: false,
        allow_registration: true,
        reserved_nicks_only: true,
        slow_mode_seconds: 9,
        notify_members: Some(false),
        mentions: Mentions::default(),
    };
    let (owners, admins) = (vec![jid("a@b"), jid("c@d")], vec![]);
    for config in [RoomConfig::default(), all_other] {
        let form = form(&config, &jid("room@x"), &owners, &admins, &limits());
        let other = RoomConfig { name: "other".into(), public: !config.public, ..RoomConfig::default() };
        let wish = read(&form, &other, &limits()).expect("a wish");
        assert_eq!(wish, Wish { config, owners: Some(owners.clone()), admins: Some(admins.clone()) });
    }
}

/// §10.2.
#[test]
fn what_a_form_lacks_stays() {
    let now = RoomConfig { name: "Cave".into(), password: Some("x".into()), ..RoomConfig::default() };
    let form = submit(&[("muc#roomconfig_lang", &["de"]), ("x", &["y"])]);
    let wish = read(&form, &now, &limits()).expect("a wish");
    let config = RoomConfig { lang: "de".into(), ..now };
    assert_eq!(wish, Wish { config, owners: None, admins: None });
}

#[test]
fn what_a_field_cannot_be() {
    let rows: [(&str, &[&str]); 20] = [
        ("muc#roomconfig_lang", &["not a tag"]),
        ("muc#roomconfig_roomname", &["one", "two"]),
        ("muc#roomconfig_contactjid", &["@"]),
        ("muc#roomconfig_publicroom", &["yes"]),
        ("muc#roomconfig_publicroom", &[]),
        ("muc#roomconfig_passwordprotectedroom", &["maybe"]),
        ("muc#roomconfig_whois", &["none"]),
        ("muc#roomconfig_maxusers", &["0"]),
        ("muc#roomconfig_maxusers", &["20001"]),
        ("muc#roomconfig_maxusers", &["many"]),
        ("muc#roomconfig_allowpm", &["some"]),
        ("muc#roomconfig_presencebroadcast", &["owner"]),
        ("muc#roomconfig_presencebroadcast", &["none"]),
        ("muc#maxhistoryfetch", &["101"]),
        ("muc#maxhistoryfetch", &["-1"]),
        ("muc#roomconfig_slow_mode_duration", &["604801"]),
        ("muc#roomconfig_notifymembers", &["maybe"]),
        ("muc#roomconfig_pubsub", &["http://x"]),
        ("muc#roomconfig_roomowners", &["a@b", "@"]),
        ("muc#roomconfig_roomadmins", &["@"]),
    ];
    for (var, values) in rows {
        let read = read(&submit(&[(var, values)]), &RoomConfig::default(), &limits());
        assert_eq!(read, Err(Fault(var)), "{values:?}");
    }
    let long = "x".repeat(5_000);
    let long = read(&submit(&[("muc#roomconfig_roomdesc", &[&long])]), &RoomConfig::default(), &limits());
    assert_eq!(long, Err(Fault("muc#roomconfig_roomdesc")));
}

/// §10.1.3.
#[test]
fn a_protected_room_has_a_password() {
    let with = |password: Option<&str>| RoomConfig { password: password.map(str::to_owned), ..RoomConfig::default() };
    type Row = (Option<&'static str>, Option<&'static str>, Option<&'static str>, Result<Option<&'static str>, ()>);
    let rows: [Row; 9] = [
        (None, None, None, Ok(None)),
        (None, None, Some("new"), Ok(None)),
        (None, Some("1"), Some("new"), Ok(Some("new"))),
        (None, Some("1"), Some(""), Err(())),
        (None, Some("1"), None, Err(())),
        (Some("old"), None, None, Ok(Some("old"))),
        (Some("old"), Some("1"), None, Ok(Some("old"))),
        (Some("old"), Some("0"), Some("new"), Ok(None)),
        (Some("old"), None, Some("new"), Ok(Some("new"))),
    ];
    for (now, protected, secret, expected) in rows {
        let mut form = submit(&[]);
        for (var, value) in [(PROTECTED, protected), (SECRET, secret)] {
            form = value.into_iter().fold(form, |form, v| form.field(Field::new(var, FieldType::Boolean).value(v)));
        }
        let read = read(&form, &with(now), &limits()).map(|wish| wish.config.password).map_err(|_| ());
        assert_eq!(read, expected.map(|p| p.map(str::to_owned)), "{now:?} {protected:?} {secret:?}");
    }
}

#[test]
fn an_operator_changes_single_settings() {
    let mut config = RoomConfig::default();
    let one = |value: &str| [value.to_owned()];
    assert_eq!(set(&mut config, "roomname", &one("Cave"), &limits()), Ok(true));
    assert_eq!(set(&mut config, "muc#maxhistoryfetch", &one("5"), &limits()), Ok(true));
    assert_eq!(set(&mut config, "roomsecret", &one("x"), &limits()), Ok(true));
    assert_eq!((config.name.as_str(), config.history_max, config.password.as_deref()), ("Cave", 5, Some("x")));
    assert_eq!(set(&mut config, "roomsecret", &[], &limits()), Ok(true));
    assert_eq!(config.password, None);
    assert_eq!(set(&mut config, "colour", &one("red"), &limits()), Ok(false));
    assert_eq!(set(&mut config, "whois", &one("x"), &limits()), Err(Fault("muc#roomconfig_whois")));
    assert!(settings(&config).contains(&("roomname", "Cave".to_owned())));
    assert!(settings(&config).iter().all(|(name, _)| *name != "roomsecret"));
}

//! What everybody may know of a room before entering it (XEP-0045 §6.4, §16.5.4), and the form by which somebody registers
//! with it (§7.10).

use super::RoomConfig;
use super::mentions::MENTIONS;
use crate::config;
use crate::storage::RoomListed;
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::ns;

/// What a room is at the moment, beside its configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Info<'a> {
    /// Its subject.
    pub subject: Option<&'a str>,
    /// How many are in it.
    pub occupants: usize,
    /// The hashes of its avatar (XEP-0486).
    pub photos: &'a [String],
    /// The hash of its hats (XEP-0317), if it has any.
    pub hats: Option<&'a str>,
    /// Messages per hour (XEP-0502), if that is known and for everybody.
    pub activity: Option<&'a str>,
}

/// The form `muc#roominfo`. A hidden subject is told nobody outside: `subject` is `None` then.
pub fn info(config: &RoomConfig, info: &Info<'_>) -> DataForm {
    let mut form = DataForm::new(FormType::Result).with_form_type(ns::MUC_ROOM_INFO);
    let flag = |value: bool| if value { "1" } else { "0" }.to_owned();
    let text = FieldType::TextSingle;
    let number = |n: usize| vec![n.to_string()];
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty()).into_iter().collect::<Vec<_>>();
    let rows = [
        ("muc#roominfo_description", text, "Description", some(&config.description)),
        ("muc#roominfo_contactjid", FieldType::JidMulti, "Whom to ask", config.contacts.clone()),
        ("muc#roominfo_subject", text, "Subject", some(info.subject.unwrap_or_default())),
        ("muc#roominfo_subjectmod", FieldType::Boolean, "Occupants may change it", vec![flag(config.change_subject)]),
        (
            "muc#roomconfig_changesubject",
            FieldType::Boolean,
            "Occupants may change it",
            vec![flag(config.change_subject)],
        ),
        // Not in the registry of this form, but what clients go by: what the room is called, whether they offer their user to
        // invite somebody or to write to somebody in private.
        ("muc#roomconfig_roomname", text, "Name", some(&config.name)),
        ("muc#roomconfig_allowinvites", FieldType::Boolean, "Members may invite", vec![flag(config.allow_invites)]),
        ("muc#roomconfig_allowpm", text, "Who may send private messages", vec![config.allow_pm.name().to_owned()]),
        ("muc#roominfo_occupants", text, "Number of occupants", number(info.occupants)),
        ("muc#roominfo_lang", text, "Language", some(&config.lang)),
        ("muc#roomconfig_pubsub", text, "Its publish-subscribe node", some(&config.pubsub)),
        ("muc#maxhistoryfetch", text, "Messages sent to who enters, at most", number(config.history_max as usize)),
        ("muc#roominfo_avatarhash", FieldType::TextMulti, "Hash of the avatar", info.photos.to_vec()),
        ("hats#hash", text, "Hash of the hats", some(info.hats.unwrap_or_default())),
        // XEP-0500 §5.3: only while it is in force.
        ("{urn:xmpp:muc-activity}message-activity", text, "Messages per hour", some(info.activity.unwrap_or_default())),
        ("muc#roominfo_slow_mode_duration", text, "Seconds between two messages", slow_mode(config)),
    ];
    for (var, kind, label, values) in rows {
        if !values.is_empty() {
            form = form.field(Field::new(var, kind).label(label).values(values));
        }
    }
    MENTIONS.iter().fold(form, |form, setting| form.field(setting.shown(config)))
}

fn slow_mode(config: &RoomConfig) -> Vec<String> {
    Some(config.slow_mode_seconds)
        .filter(|seconds| *seconds > 0)
        .map(|seconds| seconds.to_string())
        .into_iter()
        .collect()
}

/// What kind of room it is, as service discovery says (§16.3).
pub fn features(config: &RoomConfig) -> [&'static str; 7] {
    let either = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
    [
        either(config.password.is_some(), "muc_passwordprotected", "muc_unsecured"),
        either(config.public, "muc_public", "muc_hidden"),
        either(config.persistent, "muc_persistent", "muc_temporary"),
        either(config.members_only, "muc_membersonly", "muc_open"),
        either(config.moderated, "muc_moderated", "muc_unmoderated"),
        either(config.is_non_anonymous(), "muc_nonanonymous", "muc_semianonymous"),
        ns::MUC,
    ]
}

/// The field of the registration form.
pub const REGISTER_NICK: &str = "muc#register_roomnick";

/// The form by which somebody registers (§7.10).
pub fn register_form(room: &str) -> DataForm {
    DataForm::new(FormType::Form)
        .title(format!("Registration with {room}"))
        .instructions("Choose a nickname. Nobody else will get it in this room.")
        .with_form_type(ns::MUC_REGISTER)
        .field(Field::new(REGISTER_NICK, FieldType::TextSingle).label("Nickname").required())
}

/// The nickname in a submitted one; `None`: it is not valid (bad-request).
pub fn registered_nick(form: &DataForm) -> Option<&str> {
    let is_ours = form.kind == FormType::Submit && form.form_type() == Some(ns::MUC_REGISTER);
    form.get(REGISTER_NICK).map(str::trim).filter(|nick| is_ours && !nick.is_empty())
}

impl RoomConfig {
    /// What a new room begins with at this service.
    pub fn of_service(rooms: &config::Rooms) -> Self {
        Self {
            persistent: rooms.default_persistent,
            public: rooms.default_public,
            members_only: rooms.default_members_only,
            moderated: rooms.default_moderated,
            whois: if rooms.default_non_anonymous { super::Whois::Anyone } else { super::Whois::Moderators },
            archive: rooms.default_archive,
            history_max: rooms.default_history,
            ..Self::default()
        }
    }

    /// What lists need of it.
    pub fn listed(&self) -> RoomListed {
        RoomListed {
            public: self.public,
            title: self.name.clone(),
            description: self.description.clone(),
            lang: self.lang.clone(),
        }
    }

    /// Are members who are not in the room told of messages that concern them?
    pub fn notifies_members(&self) -> bool {
        self.notify_members.unwrap_or(self.members_only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xep_support::xml::Element;

    #[test]
    fn a_room_tells_what_it_is() {
        let (name, description) = ("A Dark Cave".into(), "for witches".into());
        let config = RoomConfig { name, description, slow_mode_seconds: 5, ..RoomConfig::default() };
        let photos = ["a1".to_owned()];
        let form = info(
            &config,
            &Info { subject: Some("Spells"), occupants: 3, photos: &photos, hats: Some("d0"), activity: Some("0.50") },
        );
        let rows = [
            ("muc#roominfo_description", Some("for witches")),
            ("muc#roominfo_subject", Some("Spells")),
            ("muc#roominfo_occupants", Some("3")),
            ("muc#roominfo_subjectmod", Some("0")),
            ("muc#roomconfig_roomname", Some("A Dark Cave")),
            ("muc#roomconfig_allowinvites", Some("0")),
            ("muc#roomconfig_allowpm", Some("anyone")),
            ("muc#maxhistoryfetch", Some("20")),
            ("muc#roominfo_avatarhash", Some("a1")),
            ("hats#hash", Some("d0")),
            ("muc#roominfo_slow_mode_duration", Some("5")),
            ("{urn:xmpp:muc-activity}message-activity", Some("0.50")),
            ("mentions#channel", Some("moderators")),
            ("muc#roominfo_lang", None),
            ("muc#roominfo_contactjid", None),
        ];
        for (var, value) in rows {
            assert_eq!(form.get(var), value, "{var}");
        }
        let quiet = info(&RoomConfig::default(), &Info::default());
        assert_eq!(quiet.get("muc#roominfo_slow_mode_duration").or(quiet.get("muc#roominfo_avatarhash")), None);
    }

    #[test]
    fn kinds_of_rooms() {
        let open = ["muc_unsecured", "muc_public", "muc_temporary", "muc_open", "muc_unmoderated", "muc_semianonymous"];
        assert_eq!(features(&RoomConfig::default())[..6], open);
        let closed = RoomConfig { password: Some("x".into()), public: false, ..RoomConfig::default() };
        assert_eq!(features(&closed)[..2], ["muc_passwordprotected", "muc_hidden"]);
    }

    #[test]
    fn a_nickname_is_registered_by_the_right_form() {
        let form = |form_type: &str, kind: &str, nick: &str| {
            let xml = format!(
                "<x xmlns='jabber:x:data' type='{kind}'><field var='FORM_TYPE'><value>{form_type}</value></field>\
                 <field var='muc#register_roomnick'><value>{nick}</value></field></x>"
            );
            DataForm::from_element(&Element::parse(&xml, ns::CLIENT).expect("XML")).expect("a form")
        };
        let register = "http://jabber.org/protocol/muc#register";
        assert_eq!(registered_nick(&form(register, "submit", " thirdwitch")), Some("thirdwitch"));
        for wrong in [form(register, "form", "x"), form("urn:x", "submit", "x"), form(register, "submit", " ")] {
            assert_eq!(registered_nick(&wrong), None);
        }
        assert!(register_form("a@b").find(REGISTER_NICK).is_some_and(|field| field.required));
    }
}

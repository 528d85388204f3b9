//! The configuration of a room as a form (XEP-0045 §10.2, §16.5.3).

use super::mentions::MENTIONS;
use super::{AllowPm, Role, Roles, RoomConfig, Whois};
use crate::limits::Limits;
use crate::settings::{FLAG, Kind, LINE, NUMBER, Setting, setting, single};
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;

/// What an owner wants a room to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Its whole configuration.
    pub config: RoomConfig,
    /// All its owners, if the form says so.
    pub owners: Option<Vec<BareJid>>,
    /// All its admins, if the form says so.
    pub admins: Option<Vec<BareJid>>,
}

/// A field has a value it cannot have: not-acceptable (§10.1.3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a possible value of {0}")]
pub struct Fault(pub &'static str);

/// Contacts of a room.
const CONTACTS_MAX: usize = 10;
/// Letters of a language tag (RFC 5646 §4.4.1).
const LANG_BYTES_MAX: usize = 35;
/// Seconds between two messages in slow mode: a week.
const SLOW_MODE_SECONDS_MAX: u64 = 7 * 86_400;

const NAME: &str = "muc#roomconfig_roomname";
const DESCRIPTION: &str = "muc#roomconfig_roomdesc";
const PUBSUB: &str = "muc#roomconfig_pubsub";
const MAX_USERS: &str = "muc#roomconfig_maxusers";
const HISTORY: &str = "muc#maxhistoryfetch";
const SLOW_MODE: &str = "muc#roomconfig_slow_mode_duration";
const PROTECTED: &str = "muc#roomconfig_passwordprotectedroom";
const SECRET: &str = "muc#roomconfig_roomsecret";
const OWNERS: &str = "muc#roomconfig_roomowners";
const ADMINS: &str = "muc#roomconfig_roomadmins";

/// A language tag, or none.
const LANGUAGE: Kind<String> = Kind {
    read: |values| {
        let is_tag = |lang: &String| lang.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (LINE.read)(values).filter(|lang| lang.len() <= LANG_BYTES_MAX && is_tag(lang))
    },
    ..LINE
};
/// An address on XMPP (RFC 5122), or none.
const XMPP_URI: Kind<String> =
    Kind { read: |values| (LINE.read)(values).filter(|uri| uri.is_empty() || uri.starts_with("xmpp:")), ..LINE };
const CONTACTS: Kind<Vec<String>> = Kind {
    field: FieldType::JidMulti,
    options: &[],
    show: Clone::clone,
    read: |values| {
        let contact = |value: &String| Jid::parse(value.trim()).ok().map(|jid| jid.to_string());
        values.iter().map(contact).collect::<Option<_>>().filter(|all: &Vec<String>| all.len() <= CONTACTS_MAX)
    },
};
const ROLES: Kind<Roles> = Kind {
    field: FieldType::ListMulti,
    // From the top, as §15.5.4 has them.
    options: &[Role::OPTIONS[2], Role::OPTIONS[1], Role::OPTIONS[0]],
    show: |roles| roles.iter().rev().map(|role| role.name().to_owned()).collect(),
    read: |values| values.iter().map(|value| Role::named(value.trim())).collect(),
};
const OCCUPANTS: Kind<Option<u32>> = Kind {
    field: FieldType::ListSingle,
    options: &[
        ("10", "10"),
        ("20", "20"),
        ("50", "50"),
        ("100", "100"),
        ("500", "500"),
        ("1000", "1000"),
        ("none", "As many as the server allows"),
    ],
    show: |most| vec![most.map_or_else(|| "none".to_owned(), |most| most.to_string())],
    read: |values| match single(values)? {
        // §16.5.3 has "none"; some clients send an empty value for it.
        "none" | "" => Some(None),
        digits => digits.parse().ok().filter(|most| *most > 0).map(Some),
    },
};
const SECONDS: Kind<u32> =
    Kind { read: |values| (NUMBER.read)(values).filter(|n| u64::from(*n) <= SLOW_MODE_SECONDS_MAX), ..NUMBER };
const NOTIFY: Kind<Option<bool>> = Kind {
    field: FieldType::ListSingle,
    options: &[("members-only", "If the room is for members only"), ("always", "Yes"), ("never", "No")],
    show: |told| vec![told.map_or("members-only", |told| if told { "always" } else { "never" }).to_owned()],
    read: |values| match single(values)? {
        "members-only" => Some(None),
        "always" => Some(Some(true)),
        "never" => Some(Some(false)),
        _ => None,
    },
};

static FIELDS: [Setting<RoomConfig>; 26] = [
    setting!(NAME, name, LINE, "Name of the room"),
    setting!(DESCRIPTION, description, LINE, "Description of the room"),
    setting!("muc#roomconfig_lang", lang, LANGUAGE, "Language spoken in the room"),
    setting!("muc#roomconfig_contactjid", contacts, CONTACTS, "Whom to ask about the room"),
    setting!(PUBSUB, pubsub, XMPP_URI, "XMPP URI of its publish-subscribe node"),
    setting!("muc#roomconfig_persistentroom", persistent, FLAG, "The room stays when the last occupant has left"),
    setting!("muc#roomconfig_publicroom", public, FLAG, "The room can be found by everybody"),
    setting!("muc#roomconfig_membersonly", members_only, FLAG, "Only members may enter"),
    setting!("muc#roomconfig_moderatedroom", moderated, FLAG, "Only those with voice may speak"),
    Setting {
        var: PROTECTED,
        kind: FieldType::Boolean,
        label: "A password is needed to enter",
        options: &[],
        get: |c| (FLAG.show)(&c.password.is_some()),
        // What this one and the next mean together is seen when all are read.
        set: |_, values| (FLAG.read)(values).map(drop),
    },
    Setting {
        var: SECRET,
        kind: FieldType::TextPrivate,
        label: "The password",
        options: &[],
        get: |c| c.password.clone().into_iter().collect(),
        set: |_, values| (LINE.read)(values).map(drop),
    },
    setting!("muc#roomconfig_whois", whois, Whois::KIND, "Who sees the real addresses of occupants"),
    setting!(MAX_USERS, max_users, OCCUPANTS, "Occupants at most"),
    setting!("muc#roomconfig_changesubject", change_subject, FLAG, "Occupants may change the subject"),
    setting!(
        "muc#roomconfig_allowinvites",
        allow_invites,
        FLAG,
        "Members may invite others to a room for members only"
    ),
    setting!("muc#roomconfig_allowpm", allow_pm, AllowPm::KIND, "Who may send private messages"),
    setting!("muc#roomconfig_presencebroadcast", presence_broadcast, ROLES, "Whose presence is shown to everybody"),
    setting!("muc#roomconfig_getmemberlist", get_member_list, ROLES, "Who may see the list of members"),
    setting!(HISTORY, history_max, NUMBER, "Messages sent to who enters, at most"),
    setting!("muc#roomconfig_enablearchiving", archive, FLAG, "Messages of a persistent room are archived"),
    setting!("muc#roomconfig_enablelogging", public_logging, FLAG, "Discussions are published: occupants are told so"),
    setting!("muc#roomconfig_allowvoicerequests", allow_voice_requests, FLAG, "Visitors may ask for voice"),
    setting!(
        "muc#roomconfig_allow_registration",
        allow_registration,
        FLAG,
        "Anybody may ask to become a member; in an open room that is granted at once"
    ),
    setting!("muc#roomconfig_reservednicks", reserved_nicks_only, FLAG, "Who has registered a nickname must use it"),
    setting!(SLOW_MODE, slow_mode_seconds, SECONDS, "Seconds between two messages of an occupant"),
    setting!(
        "muc#roomconfig_notifymembers",
        notify_members,
        NOTIFY,
        "Members who are not in the room are told of messages that concern them"
    ),
];

/// Does the server allow what this setting has become?
fn fits(var: &str, config: &RoomConfig, limits: &Limits) -> bool {
    match var {
        NAME => config.name.len() <= limits.room_text_bytes_max,
        DESCRIPTION => config.description.len() <= limits.room_text_bytes_max,
        PUBSUB => config.pubsub.len() <= limits.room_text_bytes_max,
        MAX_USERS => config.max_users.is_none_or(|most| most as usize <= limits.room_occupants_max),
        HISTORY => config.history_max as usize <= limits.room_history_stanzas_max,
        _ => true,
    }
}

fn field(setting: &Setting<RoomConfig>, config: &RoomConfig, limits: &Limits) -> Field {
    let field = setting.field(config);
    match setting.var {
        SLOW_MODE => field.range(0, SLOW_MODE_SECONDS_MAX),
        HISTORY => field.range(0, limits.room_history_stanzas_max as u64),
        _ => field,
    }
}

/// The form for an owner to fill in, with what is so now.
pub fn form(config: &RoomConfig, room: &BareJid, owners: &[BareJid], admins: &[BareJid], limits: &Limits) -> DataForm {
    let list = |var: &str, label: &str, jids: &[BareJid]| {
        Field::new(var, FieldType::JidMulti).label(label).values(jids.iter().map(ToString::to_string))
    };
    let form = DataForm::new(FormType::Form).title(format!("Configuration of {room}"));
    let form = form.with_form_type(ns::MUC_ROOM_CONFIG);
    let form = FIELDS.iter().fold(form, |form, spec| form.field(field(spec, config, limits)));
    form.field(list(ADMINS, "All admins of the room", admins)).field(list(OWNERS, "All owners of the room", owners))
}

/// Name and value of all settings but the password, for who operates the server.
pub fn settings(config: &RoomConfig) -> Vec<(&'static str, String)> {
    let shown = FIELDS.iter().chain(&MENTIONS).filter(|setting| setting.var != SECRET);
    shown.map(|spec| (short(spec.var), (spec.get)(config).join(", "))).collect()
}

/// A field without what is before its name.
fn short(var: &'static str) -> &'static str {
    var.trim_start_matches("muc#").trim_start_matches("roomconfig_")
}

/// Reads one setting, named in full or in short; `Ok(false)` if there is none of the name.
pub fn set(config: &mut RoomConfig, name: &str, values: &[String], limits: &Limits) -> Result<bool, Fault> {
    if let Some(setting) = Setting::of(&MENTIONS, name) {
        return (setting.set)(config, values).map(|()| true).ok_or(Fault(setting.var));
    }
    let Some(spec) = FIELDS.iter().find(|spec| spec.var == name || short(spec.var) == name) else { return Ok(false) };
    let form = DataForm::new(FormType::Submit).field(Field::new(spec.var, spec.kind).values(values.iter().cloned()));
    // A password by itself protects the room.
    let form = match spec.var {
        SECRET => {
            form.field(Field::new(PROTECTED, FieldType::Boolean).value(if values.is_empty() { "0" } else { "1" }))
        }
        _ => form,
    };
    *config = read(&form, config, limits)?.config;
    Ok(true)
}

/// Reads a submitted form. Fields it lacks stay as they are (§10.2), those we do not know are passed over: clients send
/// what other services offer.
pub fn read(form: &DataForm, now: &RoomConfig, limits: &Limits) -> Result<Wish, Fault> {
    let mut wish = Wish { config: now.clone(), owners: None, admins: None };
    for field in &form.fields {
        let var = field.var.as_deref().unwrap_or_default();
        if let Some(setting) = Setting::of(&FIELDS, var) {
            let set = (setting.set)(&mut wish.config, &field.values);
            set.filter(|()| fits(var, &wish.config, limits)).ok_or(Fault(setting.var))?;
        } else if var == OWNERS {
            wish.owners = Some(jids(&field.values, limits).ok_or(Fault(OWNERS))?);
        } else if var == ADMINS {
            wish.admins = Some(jids(&field.values, limits).ok_or(Fault(ADMINS))?);
        }
    }
    wish.config.password = password(form, now, limits)?;
    Ok(wish)
}

/// §10.1.3: a room that needs one has one.
fn password(form: &DataForm, now: &RoomConfig, limits: &Limits) -> Result<Option<String>, Fault> {
    if !form.get_bool(PROTECTED).unwrap_or(now.password.is_some()) {
        return Ok(None);
    }
    let secret = form.find(SECRET).map(|field| field.values.first().cloned().unwrap_or_default());
    if secret.as_ref().is_some_and(|secret| secret.len() > limits.room_text_bytes_max) {
        return Err(Fault(SECRET));
    }
    let secret = secret.or_else(|| now.password.clone()).filter(|secret| !secret.trim().is_empty());
    secret.map(Some).ok_or(Fault(SECRET))
}

fn jids(values: &[String], limits: &Limits) -> Option<Vec<BareJid>> {
    let given = values.iter().filter(|value| !value.trim().is_empty());
    let jids = given
        .map(|value| Jid::parse(value.trim()).ok().filter(|jid| jid.local().is_some()).map(|jid| jid.bare()))
        .collect::<Option<Vec<_>>>()?;
    (jids.len() <= limits.room_affiliations_max).then_some(jids)
}

#[cfg(test)]
mod tests;

//! The configuration of a room as a form (XEP-0045 §10.2, §16.5.3).

use super::{AllowPm, Role, Roles, RoomConfig, Whois};
use crate::limits::Limits;
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

/// A field of the form.
struct Spec {
    var: &'static str,
    kind: FieldType,
    label: &'static str,
    options: &'static [(&'static str, &'static str)],
    get: fn(&RoomConfig) -> Vec<String>,
    /// `None`: not a value it can have.
    set: fn(&mut RoomConfig, &[String], &Limits) -> Option<()>,
}

macro_rules! flag {
    ($var:literal, $field:ident, $label:literal) => {
        Spec {
            var: $var,
            kind: FieldType::Boolean,
            label: $label,
            options: &[],
            get: |c| vec![if c.$field { "1" } else { "0" }.to_owned()],
            set: |c, values, _| {
                c.$field = boolean(values)?;
                Some(())
            },
        }
    };
}

macro_rules! text {
    ($var:literal, $field:ident, $label:literal, $read:ident) => {
        Spec {
            var: $var,
            kind: FieldType::TextSingle,
            label: $label,
            options: &[],
            get: |c| Some(c.$field.clone()).filter(|text| !text.is_empty()).into_iter().collect(),
            set: |c, values, limits| {
                c.$field = $read(values, limits)?;
                Some(())
            },
        }
    };
}

macro_rules! roles {
    ($var:literal, $field:ident, $label:literal) => {
        Spec {
            var: $var,
            kind: FieldType::ListMulti,
            label: $label,
            options: ROLES,
            get: |c| c.$field.iter().rev().map(|role| role.name().to_owned()).collect(),
            set: |c, values, _| {
                let role = |value: &String| Role::from_name(value.trim()).flatten();
                c.$field = values.iter().map(role).collect::<Option<Roles>>()?;
                Some(())
            },
        }
    };
}

macro_rules! number {
    ($var:expr, $field:ident, $label:literal, $most:expr) => {
        Spec {
            var: $var,
            kind: FieldType::TextSingle,
            label: $label,
            options: &[],
            get: |c| vec![c.$field.to_string()],
            set: |c, values, limits| {
                let most: fn(&Limits) -> u64 = $most;
                c.$field = single(values)?.parse().ok().filter(|n| u64::from(*n) <= most(limits))?;
                Some(())
            },
        }
    };
}

/// Contacts of a room.
const CONTACTS_MAX: usize = 10;
/// Letters of a language tag (RFC 5646 §4.4.1).
const LANG_BYTES_MAX: usize = 35;
/// Seconds between two messages in slow mode: a week.
const SLOW_MODE_SECONDS_MAX: u64 = 7 * 86_400;

const SLOW_MODE: &str = "muc#roomconfig_slow_mode_duration";
const PROTECTED: &str = "muc#roomconfig_passwordprotectedroom";
const SECRET: &str = "muc#roomconfig_roomsecret";
const OWNERS: &str = "muc#roomconfig_roomowners";
const ADMINS: &str = "muc#roomconfig_roomadmins";

const ROLES: &[(&str, &str)] = &[("moderator", "Moderator"), ("participant", "Participant"), ("visitor", "Visitor")];

const ALLOW_PM: [(AllowPm, (&str, &str)); 4] = [
    (AllowPm::Anyone, ("anyone", "Anyone")),
    (AllowPm::Participants, ("participants", "Anyone with voice")),
    (AllowPm::Moderators, ("moderators", "Moderators only")),
    (AllowPm::None, ("none", "Nobody")),
];
const WHOIS: [(Whois, (&str, &str)); 2] =
    [(Whois::Moderators, ("moderators", "Moderators only")), (Whois::Anyone, ("anyone", "Anyone"))];
const NOTIFY: [(Option<bool>, (&str, &str)); 3] = [
    (None, ("members-only", "If the room is for members only")),
    (Some(true), ("always", "Yes")),
    (Some(false), ("never", "No")),
];

/// The second halves: what a list offers.
const fn offered<T: Copy, const N: usize>(
    rows: &[(T, (&'static str, &'static str)); N],
) -> [(&'static str, &'static str); N] {
    let mut options = [("", ""); N];
    let mut n = 0;
    while n < N {
        options[n] = rows[n].1;
        n += 1;
    }
    options
}

fn chosen<T: Copy + PartialEq>(rows: &[(T, (&'static str, &'static str))], value: T) -> Vec<String> {
    rows.iter().filter(|row| row.0 == value).map(|row| row.1.0.to_owned()).collect()
}

fn choice<T: Copy>(rows: &[(T, (&'static str, &'static str))], values: &[String]) -> Option<T> {
    let value = single(values)?;
    rows.iter().find(|row| row.1.0 == value).map(|row| row.0)
}

static FIELDS: [Spec; 25] = [
    text!("muc#roomconfig_roomname", name, "Name of the room", line),
    text!("muc#roomconfig_roomdesc", description, "Description of the room", line),
    text!("muc#roomconfig_lang", lang, "Language spoken in the room", language),
    Spec {
        var: "muc#roomconfig_contactjid",
        kind: FieldType::JidMulti,
        label: "Whom to ask about the room",
        options: &[],
        get: |c| c.contacts.clone(),
        set: |c, values, _| {
            let contact = |value: &String| Jid::parse(value.trim()).ok().map(|jid| jid.to_string());
            c.contacts = values.iter().map(contact).collect::<Option<_>>()?;
            (c.contacts.len() <= CONTACTS_MAX).then_some(())
        },
    },
    flag!("muc#roomconfig_persistentroom", persistent, "The room stays when the last occupant has left"),
    flag!("muc#roomconfig_publicroom", public, "The room can be found by everybody"),
    flag!("muc#roomconfig_membersonly", members_only, "Only members may enter"),
    flag!("muc#roomconfig_moderatedroom", moderated, "Only those with voice may speak"),
    Spec {
        var: PROTECTED,
        kind: FieldType::Boolean,
        label: "A password is needed to enter",
        options: &[],
        get: |c| vec![if c.password.is_some() { "1" } else { "0" }.to_owned()],
        // What this one and the next mean together is seen when all are read.
        set: |_, values, _| boolean(values).map(drop),
    },
    Spec {
        var: SECRET,
        kind: FieldType::TextPrivate,
        label: "The password",
        options: &[],
        get: |c| c.password.clone().into_iter().collect(),
        set: |_, values, limits| line(values, limits).map(drop),
    },
    Spec {
        var: "muc#roomconfig_whois",
        kind: FieldType::ListSingle,
        label: "Who sees the real addresses of occupants",
        options: &offered(&WHOIS),
        get: |c| chosen(&WHOIS, c.whois),
        set: |c, values, _| {
            c.whois = choice(&WHOIS, values)?;
            Some(())
        },
    },
    Spec {
        var: "muc#roomconfig_maxusers",
        kind: FieldType::ListSingle,
        label: "Occupants at most",
        options: &[
            ("10", "10"),
            ("20", "20"),
            ("50", "50"),
            ("100", "100"),
            ("500", "500"),
            ("1000", "1000"),
            ("none", "As many as the server allows"),
        ],
        get: |c| vec![c.max_users.map_or_else(|| "none".to_owned(), |most| most.to_string())],
        set: |c, values, limits| {
            c.max_users = match single(values)? {
                // §16.5.3 has "none"; some clients send an empty value for it.
                "none" | "" => None,
                digits => {
                    let most: u32 = digits.parse().ok().filter(|most| *most > 0)?;
                    (most as usize <= limits.room_occupants_max).then_some(())?;
                    Some(most)
                }
            };
            Some(())
        },
    },
    flag!("muc#roomconfig_changesubject", change_subject, "Occupants may change the subject"),
    flag!("muc#roomconfig_allowinvites", allow_invites, "Members may invite others to a room for members only"),
    Spec {
        var: "muc#roomconfig_allowpm",
        kind: FieldType::ListSingle,
        label: "Who may send private messages",
        options: &offered(&ALLOW_PM),
        get: |c| chosen(&ALLOW_PM, c.allow_pm),
        set: |c, values, _| {
            c.allow_pm = choice(&ALLOW_PM, values)?;
            Some(())
        },
    },
    roles!("muc#roomconfig_presencebroadcast", presence_broadcast, "Whose presence is shown to everybody"),
    roles!("muc#roomconfig_getmemberlist", get_member_list, "Who may see the list of members"),
    number!("muc#maxhistoryfetch", history_max, "Messages sent to who enters, at most", |limits| limits
        .room_history_stanzas_max
        as u64),
    flag!("muc#roomconfig_enablearchiving", archive, "Messages of a persistent room are archived"),
    flag!("muc#roomconfig_enablelogging", public_logging, "Discussions are published: occupants are told so"),
    flag!("muc#roomconfig_allowvoicerequests", allow_voice_requests, "Visitors may ask for voice"),
    flag!("muc#roomconfig_allow_registration", allow_registration, "Anybody may become a member by registering"),
    flag!("muc#roomconfig_reservednicks", reserved_nicks_only, "Who has registered a nickname must use it"),
    number!(SLOW_MODE, slow_mode_seconds, "Seconds between two messages of an occupant", |_| SLOW_MODE_SECONDS_MAX),
    Spec {
        var: "muc#roomconfig_notifymembers",
        kind: FieldType::ListSingle,
        label: "Members who are not in the room are told of messages that concern them",
        options: &offered(&NOTIFY),
        get: |c| chosen(&NOTIFY, c.notify_members),
        set: |c, values, _| {
            c.notify_members = choice(&NOTIFY, values)?;
            Some(())
        },
    },
];

fn single(values: &[String]) -> Option<&str> {
    match values {
        [value] => Some(value.trim()),
        _ => None,
    }
}

fn boolean(values: &[String]) -> Option<bool> {
    match single(values)? {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// One text, or none.
fn line(values: &[String], limits: &Limits) -> Option<String> {
    let text = values.first().map(|value| value.trim().to_owned()).unwrap_or_default();
    (values.len() <= 1 && text.len() <= limits.room_text_bytes_max).then_some(text)
}

/// A language tag, or none.
fn language(values: &[String], limits: &Limits) -> Option<String> {
    let lang = line(values, limits)?;
    let is_tag = lang.len() <= LANG_BYTES_MAX && lang.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_tag.then_some(lang)
}

fn field(spec: &Spec, config: &RoomConfig, limits: &Limits) -> Field {
    let mut field = Field::new(spec.var, spec.kind).label(spec.label).values((spec.get)(config));
    for (value, label) in spec.options {
        field = field.option(*label, *value);
    }
    // A value that is none of those on offer is one all the same.
    for value in field.values.clone() {
        if !spec.options.is_empty() && !spec.options.iter().any(|option| option.0 == value) {
            field = field.option(value.as_str(), value.as_str());
        }
    }
    match spec.var {
        SLOW_MODE => field.range(0, SLOW_MODE_SECONDS_MAX),
        "muc#maxhistoryfetch" => field.range(0, limits.room_history_stanzas_max as u64),
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
    let shown = FIELDS.iter().filter(|spec| spec.var != SECRET);
    shown.map(|spec| (short(spec.var), (spec.get)(config).join(", "))).collect()
}

/// A field without what is before its name.
fn short(var: &'static str) -> &'static str {
    var.trim_start_matches("muc#").trim_start_matches("roomconfig_")
}

/// Reads one setting, named in full or in short; `Ok(false)` if there is none of the name.
pub fn set(config: &mut RoomConfig, name: &str, values: &[String], limits: &Limits) -> Result<bool, Fault> {
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
        if let Some(spec) = FIELDS.iter().find(|spec| spec.var == var) {
            (spec.set)(&mut wish.config, &field.values, limits).ok_or(Fault(spec.var))?;
        } else if var == OWNERS {
            wish.owners = Some(jids(&field.values, limits).filter(|jids| !jids.is_empty()).ok_or(Fault(OWNERS))?);
        } else if var == ADMINS {
            wish.admins = Some(jids(&field.values, limits).ok_or(Fault(ADMINS))?);
        }
    }
    wish.config.password = password(form, now)?;
    Ok(wish)
}

/// §10.1.3: a room that needs one has one.
fn password(form: &DataForm, now: &RoomConfig) -> Result<Option<String>, Fault> {
    if !form.get_bool(PROTECTED).unwrap_or(now.password.is_some()) {
        return Ok(None);
    }
    let secret = form.find(SECRET).map(|field| field.values.first().cloned().unwrap_or_default());
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

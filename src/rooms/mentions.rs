//! Who may mention whom in a room (XEP-0513 §3.6).

use super::{Role, RoomConfig};
use crate::settings::{Kind, NUMBER, Setting, setting, words};
use serde::{Deserialize, Serialize};
use xep_support::formats::form::{DataForm, FormType};
use xep_support::ns;

words! {
    /// Who may.
    MayMention {
        /// Participants
        Participants = "participants",
        /// Moderators Only
        Moderators = "moderators",
        /// Nobody
        None = "none",
    }
}

impl MayMention {
    /// May somebody in this role?
    pub fn allows(self, role: Role) -> bool {
        match self {
            Self::Participants => role >= Role::Participant,
            Self::Moderators => role == Role::Moderator,
            Self::None => false,
        }
    }
}

/// The permissions of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mentions {
    /// Mentions in a message at most.
    pub count: u32,
    /// Who may mention somebody.
    pub individual: MayMention,
    /// Who may mention everybody.
    pub channel: MayMention,
    /// Who may mention all who have a role or an affiliation.
    pub associations: MayMention,
    /// Who may mention all who wear a hat.
    pub hats: MayMention,
}

/// What many are woken by is for moderators, unless an owner wants it otherwise.
impl Default for Mentions {
    fn default() -> Self {
        Self {
            count: 10,
            individual: MayMention::Participants,
            channel: MayMention::Moderators,
            associations: MayMention::Moderators,
            hats: MayMention::Moderators,
        }
    }
}

/// Mentions in a message that an owner can allow.
const COUNT_MAX: u32 = 100;

const COUNT: Kind<u32> = Kind { read: |values| (NUMBER.read)(values).filter(|count| *count <= COUNT_MAX), ..NUMBER };

pub(super) static MENTIONS: [Setting<RoomConfig>; 5] = [
    setting!("mentions#count", mentions.count, COUNT, "How many mentions are allowed in a message?"),
    setting!("mentions#individual", mentions.individual, MayMention::KIND, "Who can mention individual users?"),
    setting!("mentions#channel", mentions.channel, MayMention::KIND, "Who can mention rooms?"),
    setting!("mentions#associations", mentions.associations, MayMention::KIND, "Who can mention roles/affiliations?"),
    setting!("mentions#hats", mentions.hats, MayMention::KIND, "Who can mention hats?"),
];

/// The form for an owner to fill in, and for everybody to look at.
pub fn form(config: &RoomConfig) -> DataForm {
    let form = DataForm::new(FormType::Form)
        .title("Permissions for Explicit Mentions")
        .instructions("Who can mention whom, and how many mentions a message can have.")
        .with_form_type(ns::MENTIONS);
    MENTIONS.iter().fold(form, |form, setting| form.field(setting.field(config).required()))
}

/// Reads a submitted one; fields it lacks stay as they are, those we do not know are passed over.
///
/// # Errors
/// The name of a field with a value it cannot have.
pub fn read(form: &DataForm, config: &mut RoomConfig) -> Result<(), &'static str> {
    for field in &form.fields {
        if let Some(setting) = Setting::of(&MENTIONS, field.var.as_deref().unwrap_or_default()) {
            (setting.set)(config, &field.values).ok_or(setting.var)?;
        }
    }
    Ok(())
}

/// What has changed, for everybody; `None`: nothing.
pub fn changes(before: &RoomConfig, now: &RoomConfig) -> Option<DataForm> {
    let changed = MENTIONS.iter().filter(|setting| (setting.get)(before) != (setting.get)(now));
    let form = DataForm::new(FormType::Result)
        .title("Updated configuration for Explicit Mention Permissions")
        .with_form_type(ns::MENTIONS);
    (before.mentions != now.mentions).then(|| changed.fold(form, |form, setting| form.field(setting.shown(now))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may() {
        let allowed = |who: MayMention| Role::ALL.map(|role| who.allows(role));
        assert_eq!(allowed(MayMention::Participants), [false, true, true]);
        assert_eq!(allowed(MayMention::Moderators), [false, false, true]);
        assert_eq!(allowed(MayMention::None), [false; 3]);
    }

    /// What is shown is read again, and says the same; only what has changed is told.
    #[test]
    fn a_form_is_read_again() {
        let mentions = Mentions { count: 1, channel: MayMention::None, ..Mentions::default() };
        let config = RoomConfig { mentions, ..RoomConfig::default() };
        let mut read_again = RoomConfig::default();
        assert_eq!(read(&form(&config), &mut read_again), Ok(()));
        assert_eq!(read_again, config);
        let changed = changes(&RoomConfig::default(), &config).expect("changes");
        let vars: Vec<_> = changed.fields.iter().filter_map(|field| field.var.as_deref()).collect();
        assert_eq!(vars, ["FORM_TYPE", "mentions#count", "mentions#channel"]);
        assert_eq!(changes(&config, &config), None);
        let mut wrong = form(&config);
        wrong.fields.iter_mut().filter(|f| f.var.as_deref() == Some("mentions#count")).for_each(|field| {
            field.values = vec!["101".to_owned()];
        });
        assert_eq!(read(&wrong, &mut read_again), Err("mentions#count"));
    }
}

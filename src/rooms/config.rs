//! How a room is configured (XEP-0045 §10.2, §16.5.3), and how that is stored.

use super::{Mentions, Role, Roles};
use crate::settings::words;
use serde::{Deserialize, Serialize};

words! {
    /// Who sees the real addresses of occupants.
    Whois {
        /// Moderators only
        Moderators = "moderators",
        /// Anyone
        Anyone = "anyone",
    }
}

words! {
    /// Who may send private messages.
    AllowPm {
        /// Anyone
        Anyone = "anyone",
        /// Anyone with voice
        Participants = "participants",
        /// Moderators only
        Moderators = "moderators",
        /// Nobody
        None = "none",
    }
}

impl AllowPm {
    /// May somebody in this role?
    pub fn allows(self, role: Role) -> bool {
        match self {
            Self::Anyone => true,
            Self::Participants => role >= Role::Participant,
            Self::Moderators => role == Role::Moderator,
            Self::None => false,
        }
    }
}

/// The configuration of a room. What a stored one lacks is as [`RoomConfig::default`] has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoomConfig {
    /// A name for people (`muc#roomconfig_roomname`).
    pub name: String,
    /// What it is for (`muc#roomconfig_roomdesc`).
    pub description: String,
    /// The language spoken there (`muc#roomconfig_lang`).
    pub lang: String,
    /// Whom to ask about it (`muc#roomconfig_contactjid`).
    pub contacts: Vec<String>,
    /// Where its publish-subscribe node is, an XMPP URI (`muc#roomconfig_pubsub`).
    pub pubsub: String,
    /// Does it stay when the last occupant leaves (`muc#roomconfig_persistentroom`)?
    pub persistent: bool,
    /// Can it be found (`muc#roomconfig_publicroom`)?
    pub public: bool,
    /// May only members enter (`muc#roomconfig_membersonly`)?
    pub members_only: bool,
    /// Is voice needed to speak (`muc#roomconfig_moderatedroom`)?
    pub moderated: bool,
    /// The password, if one is needed (`muc#roomconfig_passwordprotectedroom`, `muc#roomconfig_roomsecret`).
    pub password: Option<String>,
    /// Who sees real addresses (`muc#roomconfig_whois`).
    pub whois: Whois,
    /// Since when everybody sees them, if that was otherwise before: who spoke then was told something else.
    pub non_anonymous_since_us: Option<i64>,
    /// Occupants at most; `None`: as many as the service allows (`muc#roomconfig_maxusers`).
    pub max_users: Option<u32>,
    /// May occupants who are no moderators change the subject (`muc#roomconfig_changesubject`)?
    pub change_subject: bool,
    /// May occupants who are no admins invite to a members-only room (`muc#roomconfig_allowinvites`)?
    pub allow_invites: bool,
    /// Who may send private messages (`muc#roomconfig_allowpm`).
    pub allow_pm: AllowPm,
    /// Whose presence is shown to all (`muc#roomconfig_presencebroadcast`).
    pub presence_broadcast: Roles,
    /// Who may get the member list (`muc#roomconfig_getmemberlist`).
    pub get_member_list: Roles,
    /// Messages of history at most for who enters (`muc#maxhistoryfetch`).
    pub history_max: u32,
    /// Are messages archived (`muc#roomconfig_enablearchiving`)? Only those of a persistent room are.
    pub archive: bool,
    /// Are discussions public (`muc#roomconfig_enablelogging`)? Occupants are told, nothing else happens.
    pub public_logging: bool,
    /// May visitors ask for voice (§7.13)?
    pub allow_voice_requests: bool,
    /// May anybody become a member by registering (`muc#roomconfig_allow_registration`, §7.10)?
    pub allow_registration: bool,
    /// Must who has a reserved nickname use it (§7.2.17, not-acceptable)?
    pub reserved_nicks_only: bool,
    /// Seconds between two messages of an occupant (XEP-0500); 0: none.
    pub slow_mode_seconds: u32,
    /// Are members who are not joined told of messages that concern them? `None`: in members-only rooms.
    pub notify_members: Option<bool>,
    /// Who may mention whom (XEP-0513).
    pub mentions: Mentions,
}

/// History for who enters, unless the room says otherwise.
const HISTORY_MAX: u32 = 20;

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            lang: String::new(),
            contacts: Vec::new(),
            pubsub: String::new(),
            persistent: false,
            public: true,
            members_only: false,
            moderated: false,
            password: None,
            whois: Whois::Moderators,
            non_anonymous_since_us: None,
            max_users: None,
            change_subject: false,
            allow_invites: false,
            allow_pm: AllowPm::Anyone,
            presence_broadcast: Role::ALL.into(),
            get_member_list: Role::ALL.into(),
            history_max: HISTORY_MAX,
            archive: true,
            public_logging: false,
            allow_voice_requests: true,
            allow_registration: false,
            reserved_nicks_only: false,
            slow_mode_seconds: 0,
            notify_members: None,
            mentions: Mentions::default(),
        }
    }
}

impl RoomConfig {
    /// From storage.
    pub fn from_stored(stored: &str) -> Option<Self> {
        serde_json::from_str(stored).ok()
    }

    /// As it is stored.
    pub fn to_stored(&self) -> String {
        serde_json::to_string(self).expect("plain values become JSON")
    }

    /// As it is to be after this one.
    #[must_use]
    pub fn after(self, before: &Self, now_us: i64) -> Self {
        let non_anonymous_since_us = match (before.whois, self.whois) {
            (Whois::Moderators, Whois::Anyone) => Some(now_us),
            (_, Whois::Moderators) => None,
            (Whois::Anyone, Whois::Anyone) => before.non_anonymous_since_us,
        };
        Self { non_anonymous_since_us, ..self }
    }

    /// Does everybody see real addresses?
    pub fn is_non_anonymous(&self) -> bool {
        self.whois == Whois::Anyone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_survives_storage() {
        let config = RoomConfig {
            name: "A 'Dark' Cave".into(),
            password: Some("cauldronburn".into()),
            presence_broadcast: [Role::Moderator].into(),
            whois: Whois::Anyone,
            ..RoomConfig::default()
        };
        assert_eq!(RoomConfig::from_stored(&config.to_stored()), Some(config));
        assert_eq!(RoomConfig::from_stored("{}"), Some(RoomConfig::default()));
        assert_eq!(RoomConfig::from_stored("x"), None);
    }

    /// What was said while only moderators saw addresses stays so.
    #[test]
    fn since_when_addresses_are_seen() {
        let config = |whois| RoomConfig { whois, ..RoomConfig::default() };
        let (hidden, shown) = (config(Whois::Moderators), config(Whois::Anyone));
        assert_eq!(shown.clone().after(&shown, 5).non_anonymous_since_us, None, "from the start");
        let now = shown.clone().after(&hidden, 5);
        assert_eq!(now.non_anonymous_since_us, Some(5));
        assert_eq!(shown.clone().after(&now, 9).non_anonymous_since_us, Some(5));
        let again = hidden.after(&now, 9);
        assert_eq!(again.non_anonymous_since_us, None);
        assert_eq!(shown.after(&again, 11).non_anonymous_since_us, Some(11));
    }

    #[test]
    fn who_may_send_private_messages() {
        let allowed = |pm: AllowPm| Role::ALL.map(|role| pm.allows(role));
        assert_eq!(allowed(AllowPm::Anyone), [true, true, true]);
        assert_eq!(allowed(AllowPm::Participants), [false, true, true]);
        assert_eq!(allowed(AllowPm::Moderators), [false, false, true]);
        assert_eq!(allowed(AllowPm::None), [false, false, false]);
    }
}

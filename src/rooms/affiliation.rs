//! Affiliations and roles (XEP-0045 §5), and the tables of who may do what.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A lasting association with a room (§5.2). "None" is the absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Affiliation {
    /// Banned.
    Outcast,
    /// On the list of those who may enter a members-only room.
    Member,
    /// Manages members, bans and moderators.
    Admin,
    /// Everything.
    Owner,
}

impl Affiliation {
    const ALL: [(Self, &'static str, u8); 4] = [
        (Self::Owner, "owner", 4),
        (Self::Admin, "admin", 3),
        (Self::Member, "member", 2),
        (Self::Outcast, "outcast", 1),
    ];

    /// As the protocol calls it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("none", |row| row.1)
    }

    /// The one of this name; the inner `None` is "none".
    pub fn from_name(name: &str) -> Option<Option<Self>> {
        if name == "none" {
            return Some(None);
        }
        Self::ALL.iter().find(|row| row.1 == name).map(|row| Some(row.0))
    }

    /// As it is stored.
    pub fn number(self) -> u8 {
        Self::ALL.iter().find(|row| row.0 == self).map_or(0, |row| row.2)
    }

    /// From storage.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().find(|row| row.2 == number).map(|row| row.0)
    }
}

/// The name of an affiliation or of its absence.
pub fn affiliation_name(affiliation: Option<Affiliation>) -> &'static str {
    affiliation.map_or("none", Affiliation::name)
}

/// What an occupant may do during a visit (§5.1). "None" is the absence of one: not in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Listens.
    #[serde(rename = "visitor")]
    Visitor,
    /// Has voice.
    #[serde(rename = "participant")]
    Participant,
    /// Kicks, and grants voice.
    #[serde(rename = "moderator")]
    Moderator,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Visitor, Self::Participant, Self::Moderator];

    /// As the protocol calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Participant => "participant",
            Self::Moderator => "moderator",
        }
    }

    /// The one of this name; the inner `None` is "none".
    pub fn from_name(name: &str) -> Option<Option<Self>> {
        if name == "none" {
            return Some(None);
        }
        Self::ALL.into_iter().find(|role| role.name() == name).map(Some)
    }

    /// §5.1.2: the role somebody enters with.
    pub fn initial(affiliation: Option<Affiliation>, moderated: bool) -> Self {
        match affiliation {
            Some(Affiliation::Owner | Affiliation::Admin) => Self::Moderator,
            Some(Affiliation::Member) => Self::Participant,
            Some(Affiliation::Outcast) | None if moderated => Self::Visitor,
            Some(Affiliation::Outcast) | None => Self::Participant,
        }
    }
}

/// A set of roles.
pub type Roles = BTreeSet<Role>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read_again() {
        for (affiliation, name, number) in Affiliation::ALL {
            assert_eq!(Affiliation::from_name(name), Some(Some(affiliation)));
            assert_eq!((affiliation.name(), affiliation.number()), (name, number));
            assert_eq!(Affiliation::from_number(number), Some(affiliation));
        }
        assert_eq!((Affiliation::from_name("none"), Affiliation::from_name("king")), (Some(None), None));
        assert!(Role::ALL.into_iter().all(|role| Role::from_name(role.name()) == Some(Some(role))));
    }

    /// §5.1.2.
    #[test]
    fn initial_roles() {
        use Affiliation::{Admin, Member, Owner};
        let rows = [(None, Role::Visitor, Role::Participant), (Some(Member), Role::Participant, Role::Participant)];
        for (affiliation, moderated, open) in rows {
            assert_eq!((Role::initial(affiliation, true), Role::initial(affiliation, false)), (moderated, open));
        }
        assert!([Owner, Admin].iter().all(|a| Role::initial(Some(*a), true) == Role::Moderator));
    }
}

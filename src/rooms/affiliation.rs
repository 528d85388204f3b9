//! Affiliations and roles (XEP-0045 §5), and the tables of who may do what.

use crate::settings::{or_none, words};
use std::collections::BTreeSet;

words! {
    /// A lasting association with a room (§5.2), the greater the more rights. "None" is the absence of one.
    #[derive(Hash, PartialOrd, Ord)]
    Affiliation {
        /// Banned.
        Outcast = "outcast",
        /// On the list of those who may enter a members-only room.
        Member = "member",
        /// Manages members, bans and moderators.
        Admin = "admin",
        /// Everything.
        Owner = "owner",
    }
}

impl Affiliation {
    /// The one of this name; the inner `None` is "none".
    pub fn from_name(name: &str) -> Option<Option<Self>> {
        or_none(name, Self::named)
    }
}

/// The name of an affiliation or of its absence.
pub fn affiliation_name(affiliation: Option<Affiliation>) -> &'static str {
    affiliation.map_or("none", Affiliation::name)
}

words! {
    /// What an occupant may do during a visit (§5.1). "None" is the absence of one: not in the room.
    #[derive(Hash, PartialOrd, Ord)]
    Role {
        /// Visitor
        Visitor = "visitor",
        /// Participant
        Participant = "participant",
        /// Moderator
        Moderator = "moderator",
    }
}

impl Role {
    /// The one of this name; the inner `None` is "none".
    pub fn from_name(name: &str) -> Option<Option<Self>> {
        or_none(name, Self::named)
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

    /// They are in databases.
    #[test]
    fn numbers_stay() {
        let all = Affiliation::ALL.map(|a| (a.name(), a.number()));
        assert_eq!(all, [("outcast", 1), ("member", 2), ("admin", 3), ("owner", 4)]);
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

//! Versions of the affiliations of a room (XEP-0463), as they are told. A version stands for what somebody sees of the lists
//! at a moment; it is unique, and nobody guesses one that he was not told.

use super::{Affiliation, RoomState};
use crate::sasl::DeviceSecret;

/// How much of the lists somebody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All but the bans: for those no version brings anything new that is about bans alone.
    Members,
    /// All.
    All,
}

impl Sight {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Members, Self::All];

    /// The affiliation as it is seen.
    pub fn of(self, affiliation: Option<Affiliation>) -> Option<Affiliation> {
        affiliation.filter(|affiliation| self == Self::All || *affiliation != Affiliation::Outcast)
    }

    /// Its place among [`Sight::BOTH`].
    pub fn place(self) -> usize {
        usize::from(self == Self::All)
    }
}

/// The latest versions as they are told. Empty: nobody was told any yet.
#[derive(Clone, Debug, Default)]
pub struct Heads([Box<str>; 2]);

impl Heads {
    /// The one for this sight.
    pub fn of(&self, sight: Sight) -> &str {
        &self.0[sight.place()]
    }

    /// None was told?
    pub fn is_empty(&self) -> bool {
        self.0[0].is_empty()
    }
}

impl RoomState {
    /// A version as it is told.
    pub fn told_version(&self, secret: &DeviceSecret, room: &str, sight: Sight, version: i64) -> String {
        let place = u8::from(sight == Sight::All);
        format!("{version:x}-{}", secret.room_version(room, self.created_us, place, version))
    }

    /// What stands behind a version that was told; `None`: it was not, to somebody with this sight of this room.
    pub fn known_version(&self, secret: &DeviceSecret, room: &str, sight: Sight, told: &str) -> Option<i64> {
        let version = i64::from_str_radix(told.split_once('-')?.0, 16).ok()?;
        (self.told_version(secret, room, sight, version) == told).then_some(version)
    }

    /// The latest versions are made anew.
    pub fn renew_heads(&mut self, secret: &DeviceSecret, room: &str) {
        let head = |sight| match sight {
            Sight::Members => self.told_version(secret, room, sight, self.shown_version).into(),
            Sight::All => self.told_version(secret, room, sight, self.version).into(),
        };
        self.heads = Heads(Sight::BOTH.map(head));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::RoomConfig;

    #[test]
    fn a_version_is_for_one_room_and_sight() {
        let secret = DeviceSecret::new([7; 32]);
        let mut state = RoomState::new(RoomConfig::default(), 5);
        (state.version, state.shown_version) = (0x2a, 0x29);
        assert!(state.heads.is_empty());
        state.renew_heads(&secret, "a@b");
        let (all, members) = (state.heads.of(Sight::All).to_owned(), state.heads.of(Sight::Members).to_owned());
        assert!(all.starts_with("2a-") && members.starts_with("29-"));
        let known = |room: &str, sight, told: &str| state.known_version(&secret, room, sight, told);
        assert_eq!(known("a@b", Sight::All, &all), Some(0x2a));
        assert_eq!(known("a@b", Sight::Members, &members), Some(0x29));
        let others = [known("a@c", Sight::All, &all), known("a@b", Sight::Members, &all)];
        assert_eq!(others, [None, None]);
        for wrong in ["", "2a", "2a-", "2A-x", "+2a-0", &all.replace("2a-", "29-"), &all.replace("2a-", "02a-")] {
            assert_eq!(known("a@b", Sight::All, wrong), None, "{wrong}");
        }
        // Another room of this name.
        assert_eq!(RoomState::new(RoomConfig::default(), 6).known_version(&secret, "a@b", Sight::All, &all), None);
    }

    #[test]
    fn bans_are_not_for_all() {
        let rows =
            [(Some(Affiliation::Outcast), None), (Some(Affiliation::Member), Some(Affiliation::Member)), (None, None)];
        for (affiliation, seen) in rows {
            assert_eq!((Sight::Members.of(affiliation), Sight::All.of(affiliation)), (seen, affiliation));
        }
    }
}

//! Archives of two kinds that are kept alike: those of accounts and those of rooms. They have tables of the same shape, and
//! one statement, written for those of accounts, serves both.

use super::{AccountId, RoomId};

/// Whose archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArchiveOwner {
    /// What an account exchanges with others.
    Account(AccountId),
    /// What is said in a room.
    Room(RoomId),
}

/// The archives of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArchiveShelf {
    /// Those of accounts.
    Accounts,
    /// Those of rooms.
    Rooms,
}

impl ArchiveShelf {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Accounts, Self::Rooms];

    /// The owner with this key.
    pub(super) fn owner(self, key: i64) -> ArchiveOwner {
        match self {
            Self::Accounts => ArchiveOwner::Account(AccountId(key)),
            Self::Rooms => ArchiveOwner::Room(RoomId(key)),
        }
    }
}

impl ArchiveOwner {
    /// With which others it is kept.
    pub(super) fn shelf(self) -> ArchiveShelf {
        match self {
            Self::Account(_) => ArchiveShelf::Accounts,
            Self::Room(_) => ArchiveShelf::Rooms,
        }
    }

    /// Its key among them.
    pub(super) fn key(self) -> i64 {
        match self {
            Self::Account(AccountId(key)) | Self::Room(RoomId(key)) => key,
        }
    }
}

impl From<AccountId> for ArchiveOwner {
    fn from(account: AccountId) -> Self {
        Self::Account(account)
    }
}

impl From<RoomId> for ArchiveOwner {
    fn from(room: RoomId) -> Self {
        Self::Room(room)
    }
}

/// A statement about the archives of accounts, and the same about those of rooms.
pub(super) struct Twice([String; 2]);

impl Twice {
    /// From the statement for accounts.
    pub(super) fn new(sql: impl Into<String>) -> Self {
        let sql = sql.into();
        let rooms = for_rooms(&sql);
        Self([sql, rooms])
    }

    /// With something of its own for rooms.
    pub(super) fn of(accounts: String, rooms: String) -> Self {
        Self([accounts, rooms])
    }

    /// The one for these.
    pub(super) fn on(&self, shelf: ArchiveShelf) -> &str {
        &self.0[shelf as usize]
    }

    #[cfg(test)]
    pub(super) fn both(&self) -> [&str; 2] {
        self.0.each_ref().map(String::as_str)
    }
}

/// The same statement for the tables of rooms.
pub(super) fn for_rooms(sql: &str) -> String {
    sql.replace("archive", "room_archive").replace("account_id", "room_id").replace("accounts", "rooms")
}

//! Invitations behind the server's back.

use magpie::storage::{Invite, InviteKind, NewInvite, Person};

use super::server::TestServer;

const HOUR_US: i64 = 3_600_000_000;

impl TestServer {
    /// An invitation for one account, good for an hour, but for what `adjust` says.
    #[track_caller]
    pub(crate) fn invite(&self, token: &str, adjust: impl FnOnce(&mut Invite)) {
        let created_us = magpie::clock::now_micros();
        let mut invite = Invite {
            token: token.into(),
            domain: self.domain().into(),
            kind: InviteKind::Account,
            creator: None,
            inviter: None,
            username: None,
            group: None,
            created_us,
            expires_us: created_us + HOUR_US,
            uses_max: 1,
            uses_left: 1,
        };
        adjust(&mut invite);
        let made = self.runtime().block_on(self.server().core().storage.invite_create(invite, 1_000));
        assert_eq!(made.unwrap(), NewInvite::Made);
    }

    /// Somebody who has an account.
    pub(crate) fn person(&self, user: &str) -> Option<Person> {
        let (id, _) = self.account_id(user);
        Some(Person { id, jid: format!("{user}@{}", self.domain()) })
    }

    /// How often an invitation can still be used.
    #[track_caller]
    pub(crate) fn uses_left(&self, token: &str) -> u32 {
        let found = self.runtime().block_on(self.server().core().storage.invite_get(token)).unwrap();
        found.expect("an invitation").uses_left
    }
}

//! Invitations.

use super::*;
use crate::storage::invites::{Invite, InviteKind, NewInvite, Person};

fn invite(token: &str) -> Invite {
    Invite {
        token: token.into(),
        domain: "one.example".into(),
        kind: InviteKind::Account,
        creator: None,
        inviter: None,
        username: None,
        group: None,
        created_us: 10,
        expires_us: 100,
        uses_max: 3,
        uses_left: 3,
    }
}

async fn person(storage: &Storage, jid: &str) -> Person {
    let id = storage.account_create(jid, 5, Vec::new()).await.unwrap();
    Person { id, jid: jid.to_owned() }
}

fn join(storage: &Storage, token: &str, accepted_us: i64, jid: &str) -> Commit<AccountId> {
    storage.account_create_invited(NewInvited {
        token: token.to_owned(),
        accepted_us,
        created_us: accepted_us,
        jid: jid.to_owned(),
        credentials: Vec::new(),
        contact: None,
    })
}

#[tokio::test]
async fn an_invitation_is_used_as_often_as_it_says() {
    let storage = Storage::temporary().await.unwrap();
    let secret = invite("secret");
    assert_eq!(storage.invite_create(secret.clone(), 10).await.unwrap(), NewInvite::Made);
    assert!(matches!(storage.invite_create(secret.clone(), 10).await, Err(Error::Conflict)));
    assert_eq!(storage.invite_get("secret").await.unwrap(), Some(secret.clone()));
    assert_eq!(storage.invite_get("Secret").await.unwrap(), None);
    assert_eq!(storage.invite_list(0, 99, 10).await.unwrap(), [(1, secret)]);
    assert_eq!(storage.invite_list(1, 99, 10).await.unwrap(), []);
    assert_eq!(storage.invite_list(0, 100, 10).await.unwrap(), []);

    let join = |jid: &str, accepted_us| join(&storage, "secret", accepted_us, jid);
    assert!(matches!(join("a@two.example", 20).await, Err(Error::NotFound)), "another domain");
    assert!(matches!(join("a@one.example", 100).await, Err(Error::NotFound)), "too late");
    join("a@one.example", 20).await.unwrap();
    assert!(matches!(join("a@one.example", 20).await, Err(Error::Conflict)));
    assert_eq!(storage.invite_get("secret").await.unwrap().unwrap().uses_left, 2, "a failed attempt uses nothing");
    join("b@one.example", 20).await.unwrap();
    // Many at once for the last use.
    let all: Vec<_> = ["c", "d", "e", "f"].map(|name| join(&format!("{name}@one.example"), 20)).into();
    let mut made = 0;
    for one in all {
        match one.await {
            Ok(_) => made += 1,
            Err(error) => assert!(matches!(error, Error::NotFound)),
        }
    }
    assert_eq!(made, 1);
    assert!(storage.invite_delete("secret").await.unwrap());
    assert!(!storage.invite_delete("secret").await.unwrap());
}

/// XEP-0445 §5.
#[tokio::test]
async fn a_name_is_kept_for_whoever_is_invited() {
    let storage = Storage::temporary().await.unwrap();
    let named = |token: &str| Invite { username: Some("juliet".into()), ..invite(token) };
    assert_eq!(storage.invite_create(named("hers"), 10).await.unwrap(), NewInvite::Made);
    assert_eq!(storage.invite_create(named("again"), 10).await.unwrap(), NewInvite::NameTaken);
    storage.invite_create(invite("other"), 10).await.unwrap();
    assert!(matches!(storage.account_create("juliet@one.example", 50, Vec::new()).await, Err(Error::Conflict)));
    assert!(matches!(join(&storage, "other", 50, "juliet@one.example").await, Err(Error::Conflict)));
    assert!(matches!(join(&storage, "hers", 50, "romeo@one.example").await, Err(Error::NotFound)));
    assert!(storage.name_is_reserved("juliet", "one.example", 50, "").await.unwrap());
    assert!(!storage.name_is_reserved("juliet", "two.example", 50, "").await.unwrap());
    assert!(!storage.name_is_reserved("juliet", "one.example", 50, "hers").await.unwrap());
    join(&storage, "hers", 50, "juliet@one.example").await.unwrap();
    assert_eq!(
        storage.invite_create(Invite { created_us: 150, ..named("late") }, 10).await.unwrap(),
        NewInvite::NameTaken
    );
    // What has ended keeps nothing.
    let paris = |token: &str| Invite { username: Some("paris".into()), ..invite(token) };
    storage.invite_create(paris("first"), 10).await.unwrap();
    storage.account_create("paris@one.example", 100, Vec::new()).await.unwrap();
}

#[tokio::test]
async fn everybody_has_so_many_and_they_go_with_the_account() {
    let storage = Storage::temporary().await.unwrap();
    let romeo = person(&storage, "romeo@one.example").await;
    let mercutio = person(&storage, "mercutio@one.example").await;
    let by = |token: &str, creator: Option<&Person>, inviter: Option<&Person>| Invite {
        creator: creator.cloned(),
        inviter: inviter.cloned(),
        kind: if inviter.is_some() { InviteKind::Both } else { InviteKind::Account },
        ..invite(token)
    };
    let rows = [
        (by("a", Some(&romeo), Some(&romeo)), NewInvite::Made),
        (by("b", Some(&romeo), None), NewInvite::Made),
        (by("c", Some(&romeo), None), NewInvite::TooMany),
        (by("d", Some(&mercutio), Some(&mercutio)), NewInvite::Made),
        (by("e", None, Some(&romeo)), NewInvite::Made),
        (by("f", None, None), NewInvite::Made),
        (by("g", None, None), NewInvite::TooMany),
        // The first ones have ended.
        (Invite { created_us: 100, expires_us: 200, ..by("h", Some(&romeo), None) }, NewInvite::Made),
    ];
    for (invite, expected) in rows {
        let token = invite.token.clone();
        assert_eq!(storage.invite_create(invite, 2).await.unwrap(), expected, "{token}");
    }
    assert!(storage.account_delete(romeo.id).await.unwrap());
    let left: Vec<_> = storage.invite_list(0, 50, 10).await.unwrap().into_iter().map(|(_, i)| i.token).collect();
    assert_eq!(left, ["d", "f"]);
    assert_eq!(storage.invite_get("d").await.unwrap().unwrap().inviter, Some(mercutio));
    assert_eq!(storage.invite_expire(100).await.unwrap(), 0);
    assert_eq!(storage.invite_expire(101).await.unwrap(), 2);
}

#[tokio::test]
async fn a_contact_is_the_inviters_own() {
    let storage = Storage::temporary().await.unwrap();
    let romeo = person(&storage, "romeo@one.example").await;
    let paris = person(&storage, "paris@one.example").await;
    let contact = Invite {
        kind: InviteKind::Contact,
        inviter: Some(romeo.clone()),
        group: Some("Friends".into()),
        uses_max: 1,
        uses_left: 1,
        ..invite("t")
    };
    storage.invite_create(contact, 10).await.unwrap();
    assert!(matches!(join(&storage, "t", 20, "juliet@one.example").await, Err(Error::NotFound)), "not for accounts");
    assert_eq!(storage.invite_redeem_contact("t", paris.id, 20).await.unwrap(), None);
    assert_eq!(storage.invite_redeem_contact("t", romeo.id, 100).await.unwrap(), None);
    assert_eq!(storage.invite_redeem_contact("t", romeo.id, 20).await.unwrap(), Some(Some("Friends".into())));
    assert_eq!(storage.invite_redeem_contact("t", romeo.id, 20).await.unwrap(), None);
    // An invitation for an account alone opens no roster.
    storage.invite_create(Invite { inviter: Some(romeo.clone()), ..invite("u") }, 10).await.unwrap();
    assert_eq!(storage.invite_redeem_contact("u", romeo.id, 20).await.unwrap(), None);
}

#[tokio::test]
async fn account_and_contacts_come_together() {
    let storage = Storage::temporary().await.unwrap();
    let romeo = person(&storage, "romeo@one.example").await;
    let both = Invite { kind: InviteKind::Both, inviter: Some(romeo.clone()), ..invite("t") };
    storage.invite_create(both, 10).await.unwrap();
    let row =
        |contact: &str| RosterRow { contact: contact.into(), subscription: 3, in_roster: true, ..RosterRow::default() };
    let new = |token: &str, jid: &str| NewInvited {
        token: token.into(),
        accepted_us: 20,
        created_us: 7_000_000,
        jid: jid.into(),
        credentials: Vec::new(),
        contact: Some(InvitedContact {
            inviter: romeo.id,
            inviters_row: row(jid),
            inviters_version: 77,
            own_row: row("romeo@one.example"),
        }),
    };
    assert!(storage.account_create_invited(new("wrong", "paris@one.example")).await.is_err());
    assert_eq!(storage.roster_load(romeo.id).await.unwrap(), []);
    let juliet = storage.account_create_invited(new("t", "juliet@one.example")).await.unwrap();
    let contacts = |rows: Vec<RosterRow>| rows.into_iter().map(|row| (row.contact, row.version)).collect::<Vec<_>>();
    assert_eq!(contacts(storage.roster_load(romeo.id).await.unwrap()), [("juliet@one.example".to_owned(), 77)]);
    assert_eq!(contacts(storage.roster_load(juliet).await.unwrap()), [("romeo@one.example".to_owned(), 8)]);
    let version = |record: Option<AccountRecord>| record.unwrap().account.roster_version;
    assert_eq!(version(storage.account("juliet@one.example").await.unwrap()), 8);
    assert_eq!(version(storage.account("romeo@one.example").await.unwrap()), 77);
}

//! What a person does in a first evening, done with tokio-xmpp and xmpp-parsers: log in, add a contact, chat,
//! close the laptop, find the missed messages.
//!
//! PLAIN is off at the server, so whoever is in came by SCRAM, bound to the TLS channel (`tls-exporter`) where the
//! client can; and the client trusts the development CA alone, so the certificate was verified.

mod server;
mod user;

use crate::server::{CA_FILE, Door, PASSWORD, as_client};
use crate::user::{User, log_in_once, occupant};
use tokio_xmpp::Error;
use tokio_xmpp::error::AuthError;
use xmpp_parsers::muc::user::Status;
use xmpp_parsers::presence::{Presence, Show, Type};
use xmpp_parsers::roster::{Ask, Subscription};
use xmpp_parsers::sasl::DefinedCondition;

#[test]
fn an_evening_over_starttls() {
    as_client("an_evening_over_starttls", CA_FILE, async |server| evening(server.door(true)).await);
}

#[test]
fn an_evening_over_direct_tls() {
    as_client("an_evening_over_direct_tls", CA_FILE, async |server| evening(server.door(false)).await);
}

#[test]
fn a_room() {
    as_client("a_room", CA_FILE, async |server| in_a_room(server.door(true)).await);
}

/// Without this the tests above could pass with a client that verifies nothing.
#[test]
fn a_client_that_trusts_somebody_else_stays_out() {
    as_client("a_client_that_trusts_somebody_else_stays_out", "stranger/ca.pem", async |server| {
        for door in [server.door(true), server.door(false)] {
            let refusal = log_in_once(&door, "romeo", PASSWORD).await.expect_err("an unknown authority");
            assert!(refusal.to_string().contains("invalid peer certificate"), "{door:?}: {refusal}");
        }
    });
}

#[test]
fn a_wrong_password_is_refused() {
    as_client("a_wrong_password_is_refused", CA_FILE, async |server| {
        let door = server.door(true);
        let refusal = log_in_once(&door, "romeo", "wrong").await.expect_err("a wrong password");
        assert!(matches!(refusal, Error::Auth(AuthError::Fail(DefinedCondition::NotAuthorized))), "{refusal}");
        log_in_once(&door, "romeo", PASSWORD).await.expect("the right one");
    });
}

async fn evening(door: Door) {
    let mut romeo = User::log_in(&door, "romeo").await;
    let mut juliet = User::log_in(&door, "juliet").await;
    assert!(romeo.roster().await.is_empty());
    assert!(juliet.roster().await.is_empty());
    romeo.online().await;
    juliet.online().await;

    become_friends(&mut romeo, &mut juliet).await;
    presence_of_friends(&mut romeo, &mut juliet).await;
    chat(&mut romeo, &mut juliet).await;
    let juliet = missed_messages(&door, &mut romeo, juliet).await;
    let romeo = again_from_the_other_side(&door, romeo, juliet).await;
    romeo.log_out().await;
}

/// RFC 6121 §3.1: asked, granted, and asked back; each step with its pushes.
async fn become_friends(romeo: &mut User, juliet: &mut User) {
    romeo.add_contact(juliet, "Juliet").await;
    let item = romeo.push().await;
    assert_eq!((item.name.as_deref(), item.subscription), (Some("Juliet"), Subscription::None));

    romeo.send_to(juliet, Presence::subscribe()).await;
    let item = romeo.push().await;
    assert_eq!((item.subscription, item.ask), (Subscription::None, Ask::Subscribe));
    assert_eq!(juliet.presence().await, (romeo.bare(), Type::Subscribe));

    juliet.send_to(romeo, Presence::subscribed()).await;
    assert_eq!(juliet.push().await.subscription, Subscription::From);
    let item = romeo.push_after_presence(Type::Subscribed).await;
    assert_eq!((item.subscription, item.ask), (Subscription::To, Ask::None));
    assert_eq!(romeo.presence().await, (juliet.full(), Type::None), "what juliet shows, now that romeo may see it");

    juliet.send_to(romeo, Presence::subscribe()).await;
    assert_eq!(juliet.push().await.ask, Ask::Subscribe);
    assert_eq!(romeo.presence().await, (juliet.bare(), Type::Subscribe));
    romeo.send_to(juliet, Presence::subscribed()).await;
    assert_eq!(romeo.push().await.subscription, Subscription::Both);
    assert_eq!(juliet.push_after_presence(Type::Subscribed).await.subscription, Subscription::Both);
    assert_eq!(juliet.presence().await, (romeo.full(), Type::None));

    let roster = romeo.roster().await;
    assert_eq!(roster.len(), 1);
    assert_eq!((roster[0].jid.to_string(), roster[0].subscription.clone()), (juliet.bare(), Subscription::Both));
}

async fn presence_of_friends(romeo: &mut User, juliet: &mut User) {
    romeo.send(Presence::available().with_show(Show::Away).with_priority(5)).await;
    assert_eq!(romeo.full_presence().await.show, Some(Show::Away), "one's own presence comes back (RFC 6121 §4.2.2)");
    let seen = juliet.full_presence().await;
    assert_eq!((seen.show, seen.priority.0), (Some(Show::Away), 5));
}

async fn chat(romeo: &mut User, juliet: &mut User) {
    let text = "O Juliet <&> \"ẞ 🦜\"\nsecond line";
    let (to_juliet, to_romeo) = (juliet.full(), romeo.bare());
    romeo.say(&to_juliet, text).await;
    assert_eq!(juliet.hear().await, (romeo.full(), text.to_owned(), false));
    juliet.say(&to_romeo, "Ay me").await;
    assert_eq!(romeo.hear().await, (juliet.full(), "Ay me".to_owned(), false));
}

/// Juliet leaves, three messages wait for her in order and with a delay stamp (XEP-0160, 0203), once only.
async fn missed_messages(door: &Door, romeo: &mut User, juliet: User) -> User {
    let (bare, full) = (juliet.bare(), juliet.full());
    juliet.log_out().await;
    assert_eq!(romeo.presence().await, (full, Type::Unavailable));
    for n in 1..=3 {
        romeo.say(&bare, &format!("missed {n}")).await;
    }
    // The answer says that the server has everything sent before it.
    romeo.version().await;

    let mut juliet = User::log_in(door, "juliet").await;
    assert_eq!(juliet.roster().await[0].subscription, Subscription::Both);
    juliet.online().await;
    assert_eq!(juliet.presence().await, (romeo.full(), Type::None), "who is there already");
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(juliet.hear().await);
    }
    let expected: Vec<_> = (1..=3).map(|n| (romeo.full(), format!("missed {n}"), true)).collect();
    assert_eq!(heard, expected);
    assert_eq!(romeo.presence().await, (juliet.full(), Type::None));

    let bare = juliet.bare();
    // Before the answer comes her client is asked to acknowledge all of them. Whoever leaves without having acknowledged a
    // message gets it again (XEP-0198 §6): better twice than never.
    juliet.version().await;
    juliet.log_out().await;
    assert_eq!(romeo.presence().await.1, Type::Unavailable);
    let mut juliet = User::log_in(door, "juliet").await;
    juliet.online().await;
    assert_eq!(juliet.presence().await, (romeo.full(), Type::None));
    assert_eq!(romeo.presence().await.1, Type::None);
    romeo.say(&bare, "now you are here").await;
    assert_eq!(juliet.hear().await, (romeo.full(), "now you are here".to_owned(), false), "nothing comes twice");
    juliet
}

/// The other direction, and an end of the friendship: removal of a contact cancels both subscriptions (RFC 6121 §2.5).
async fn again_from_the_other_side(door: &Door, romeo: User, mut juliet: User) -> User {
    let bare = romeo.bare();
    romeo.log_out().await;
    assert_eq!(juliet.presence().await.1, Type::Unavailable);
    juliet.say(&bare, "where art thou").await;
    juliet.version().await;
    let mut romeo = User::log_in(door, "romeo").await;
    assert_eq!(romeo.roster().await.len(), 1, "and so interested in changes (RFC 6121 §2.1.6)");
    romeo.online().await;
    assert_eq!(romeo.hear().await, (juliet.full(), "where art thou".to_owned(), true));

    romeo.remove_contact(&juliet).await;
    assert_eq!(romeo.push().await.subscription, Subscription::Remove);
    assert!(romeo.roster().await.is_empty());
    juliet.log_out().await;
    romeo
}

/// XEP-0045: romeo makes a room and lets others in, juliet enters; they talk, and one leaves.
async fn in_a_room(door: Door) {
    let mut romeo = User::log_in(&door, "romeo").await;
    let mut juliet = User::log_in(&door, "juliet").await;
    romeo.online().await;
    juliet.online().await;
    let made = romeo.enter("Romeo").await;
    assert!(made.contains(&Status::RoomHasBeenCreated), "{made:?}");
    romeo.open_room().await;
    assert!(!juliet.enter("Juliet").await.contains(&Status::RoomHasBeenCreated));
    romeo.sees("Juliet", Type::None).await;

    romeo.speak("At what o'clock?").await;
    for user in [&mut romeo, &mut juliet] {
        assert_eq!(user.hear().await, (occupant("Romeo"), "At what o'clock?".to_owned(), false));
    }
    juliet.speak("By the hour of nine").await;
    assert_eq!(romeo.hear().await, (occupant("Juliet"), "By the hour of nine".to_owned(), false));
    juliet.log_out().await;
    romeo.sees("Juliet", Type::Unavailable).await;
    romeo.log_out().await;
}

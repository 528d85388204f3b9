//! Operations and their protocol, in the process of the test.

use magpie::admin::protocol::{
    Failure, FailureKind, InviteKind, InviteWish, Password, Reply, Request, Response, RosterChange, SubscriptionState,
};
use magpie::config::Config;
use magpie::server::{Server, Standalone};
use tempfile::TempDir;

/// A stopped server with two accounts, in a directory of its own.
struct Stopped {
    server: Standalone,
    _dir: TempDir,
}

impl Stopped {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let mut config = Config { data_dir: dir.path().join("data"), ..Config::default() };
        config.limits.invites_pending_max = 1;
        config.limits.roster_items_max = 1;
        let stopped = Self { server: Server::offline(config).await.unwrap(), _dir: dir };
        for jid in ["romeo@localhost", "juliet@localhost"] {
            stopped.done(Request::UserAdd { jid: jid.into(), password: Password("secret".into()) }).await;
        }
        stopped
    }

    async fn ask(&self, request: Request) -> Result<Reply, Failure> {
        Box::pin(self.server.admin().handle(request)).await
    }

    async fn done(&self, request: Request) -> Reply {
        self.ask(request).await.unwrap()
    }

    async fn refused(&self, request: Request) -> FailureKind {
        self.ask(request).await.unwrap_err().kind
    }

    async fn subscriptions(&self, jid: &str) -> Vec<(String, SubscriptionState)> {
        let Reply::Roster(rows) = self.done(Request::RosterShow { jid: jid.into() }).await else { panic!("no roster") };
        rows.into_iter().map(|row| (row.contact, row.subscription)).collect()
    }
}

fn change(contact: &str, subscription: Option<SubscriptionState>) -> Request {
    Request::RosterAdd(RosterChange {
        jid: "romeo@localhost".into(),
        contact: contact.into(),
        name: None,
        groups: None,
        subscription,
    })
}

#[test]
fn a_password_is_not_printed() {
    let line = r#"{"op":"user_add","jid":"a@b","password":"secret"}"#;
    let request: Request = serde_json::from_str(line).unwrap();
    assert!(!format!("{request:?}").contains("secret"));
    assert_eq!(serde_json::to_string(&request).unwrap(), line);
}

#[test]
fn misspelt_fields_are_refused() {
    assert!(serde_json::from_str::<Request>(r#"{"op":"user_add","jid":"a@b","pasword":"x"}"#).is_err());
    assert!(serde_json::from_str::<Request>(r#"{"op":"user_ad","jid":"a@b"}"#).is_err());
    assert!(serde_json::from_str::<Request>(r#"{"op":"status"}"#).is_ok());
}

#[test]
fn responses_read_as_documented() {
    let done = Response::Done(Reply::UserAdded { jid: "a@b".into() });
    assert_eq!(serde_json::to_string(&done).unwrap(), r#"{"done":{"user_added":{"jid":"a@b"}}}"#);
    let failed = Response::Failed(Failure::new(FailureKind::NotFound, "x"));
    assert_eq!(serde_json::to_string(&failed).unwrap(), r#"{"failed":{"kind":"not_found","message":"x"}}"#);
}

#[tokio::test]
async fn a_subscription_has_two_sides() {
    let server = Stopped::new().await;
    server.done(change("juliet@localhost", Some(SubscriptionState::To))).await;
    assert_eq!(server.subscriptions("romeo@localhost").await, [("juliet@localhost".into(), SubscriptionState::To)]);
    assert_eq!(server.subscriptions("juliet@localhost").await, [("romeo@localhost".into(), SubscriptionState::From)]);

    // What is not said stays.
    server.done(change("juliet@localhost", None)).await;
    assert_eq!(server.subscriptions("romeo@localhost").await, [("juliet@localhost".into(), SubscriptionState::To)]);

    assert_eq!(server.refused(change("nurse@localhost", Some(SubscriptionState::Both))).await, FailureKind::NotFound);
    assert_eq!(server.refused(change("romeo@localhost", None)).await, FailureKind::BadRequest);
    assert_eq!(server.refused(change("benvolio@example.org", None)).await, FailureKind::Limit);

    let gone = Request::RosterRemove { jid: "romeo@localhost".into(), contact: "juliet@localhost".into() };
    server.done(gone.clone()).await;
    assert_eq!(server.subscriptions("romeo@localhost").await, []);
    assert_eq!(server.subscriptions("juliet@localhost").await, [("romeo@localhost".into(), SubscriptionState::None)]);
    assert_eq!(server.refused(gone).await, FailureKind::NotFound);
}

#[tokio::test]
async fn slips_in_an_address_are_named() {
    let server = Stopped::new().await;
    for (jid, hint) in [
        ("romeo", "write romeo@localhost"),
        ("localhost", "is a domain"),
        ("romeo@example.org", "it serves localhost"),
        ("romeo@localhost/orchard", "without resource"),
        ("@", "\"@\": "),
    ] {
        let failure = server.ask(Request::UserDel { jid: jid.into() }).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadRequest, "{jid}");
        assert!(failure.message.contains(hint), "{}", failure.message);
    }
    let unknown = Request::UserDel { jid: "nobody@localhost".into() };
    assert_eq!(server.refused(unknown).await, FailureKind::NotFound);
}

#[tokio::test]
async fn invitations_have_a_limit_and_an_end() {
    let server = Stopped::new().await;
    let create = || Request::InviteCreate(wish(|wish| wish.uses = 2));
    let Reply::InviteCreated(invite) = server.done(create()).await else { panic!("no invitation") };
    assert_eq!((invite.uses_left, invite.domain.as_str()), (2, "localhost"));
    assert_eq!(invite.uri, format!("xmpp:localhost?register;preauth={}", invite.code));
    assert_eq!(server.refused(create()).await, FailureKind::Limit);
    server.done(Request::InviteRevoke { code: invite.code.clone() }).await;
    assert_eq!(server.refused(Request::InviteRevoke { code: invite.code }).await, FailureKind::NotFound);
    let list = server.done(Request::InviteList { after: 0 }).await;
    assert_eq!(list, Reply::Invites { invites: Vec::new(), more: None });
}

fn wish(adjust: impl FnOnce(&mut InviteWish)) -> InviteWish {
    let mut wish = InviteWish {
        domain: None,
        kind: None,
        inviter: None,
        username: None,
        group: None,
        seconds: Some(86_400),
        days: None,
        uses: 1,
    };
    adjust(&mut wish);
    wish
}

#[tokio::test]
async fn an_invitation_that_makes_no_sense_is_refused() {
    let server = Stopped::new().await;
    let romeo = || Some("romeo@localhost".to_owned());
    let rows = [
        (wish(|w| w.domain = Some("elsewhere.example".into())), FailureKind::BadRequest),
        (wish(|w| w.kind = Some(InviteKind::Contact)), FailureKind::BadRequest),
        (wish(|w| w.kind = Some(InviteKind::Both)), FailureKind::BadRequest),
        (wish(|w| w.group = Some("Friends".into())), FailureKind::BadRequest),
        (wish(|w| w.inviter = Some("nobody@localhost".into())), FailureKind::NotFound),
        (wish(|w| w.inviter = Some("a@elsewhere.example".into())), FailureKind::BadRequest),
        (wish(|w| w.username = Some("a b".into())), FailureKind::BadRequest),
        (wish(|w| w.username = Some("a@elsewhere.example".into())), FailureKind::BadRequest),
        (wish(|w| w.username = Some("romeo".into())), FailureKind::Exists),
        (wish(|w| (w.username, w.uses) = (Some("paris".into()), 2)), FailureKind::BadRequest),
        (wish(|w| w.seconds = Some(0)), FailureKind::BadRequest),
        (wish(|w| w.seconds = Some(u64::MAX)), FailureKind::BadRequest),
        (wish(|w| (w.seconds, w.days) = (None, Some(0))), FailureKind::BadRequest),
        (wish(|w| w.uses = 0), FailureKind::BadRequest),
        (
            wish(|w| (w.inviter, w.kind, w.username) = (romeo(), Some(InviteKind::Contact), Some("paris".into()))),
            FailureKind::BadRequest,
        ),
        (wish(|w| (w.inviter, w.group) = (romeo(), Some("x".repeat(100_000)))), FailureKind::BadRequest),
    ];
    for (wish, kind) in rows {
        let shown = format!("{wish:?}");
        assert_eq!(server.refused(Request::InviteCreate(wish)).await, kind, "{shown}");
    }
    // XEP-0401 §6.2: the name is kept, for the operator as for everybody.
    let named = wish(|w| w.username = Some("Paris@localhost".into()));
    let Reply::InviteCreated(invite) = server.done(Request::InviteCreate(named)).await else { panic!("no invitation") };
    assert_eq!(invite.username.as_deref(), Some("paris"));
    assert_eq!(invite.uri, format!("xmpp:paris@localhost?register;preauth={}", invite.code));
    let add = || Request::UserAdd { jid: "paris@localhost".into(), password: Password("secret".into()) };
    assert_eq!(server.refused(add()).await, FailureKind::Exists);
    server.done(Request::InviteRevoke { code: invite.code }).await;
    server.done(add()).await;
}

#[tokio::test]
async fn what_needs_a_running_server_says_so() {
    let server = Stopped::new().await;
    let all = [
        Request::Status,
        Request::Reload,
        Request::Stop,
        Request::SessionList { jid: None },
        Request::SessionKick { jid: "romeo@localhost".into(), reason: None },
        Request::Announce { text: "x".into(), domain: None },
    ];
    for request in all {
        assert!(request.needs_running());
        assert_eq!(server.refused(request).await, FailureKind::NotRunning);
    }
}

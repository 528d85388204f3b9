//! XEP-0401 §5.1, §5.4: who may make which invitations, and what comes of it.

use magpie::config::{Config, Inviters, RegistrationMode};

use super::{accepted, registered, stranger};
use crate::support::{Client, TestServer};

pub(super) const INVITE: &str = "urn:xmpp:invite#invite";
const CREATE: &str = "urn:xmpp:invite#create-account";

pub(super) fn serve(adjust: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|c| {
        c.admins = vec!["romeo@im.example".into()];
        c.http.public_url = "https://web.example".into();
        adjust(c);
    })
}

pub(super) fn execute(node: &str, inside: &str) -> String {
    format!(
        "<iq type='set' id='c' to='im.example'><command xmlns='http://jabber.org/protocol/commands' node='{node}' \
         {inside}</command></iq>"
    )
}

fn field(var: &str, value: &str) -> String {
    format!("<field var='{var}' type='text-single'><value>{value}</value></field>")
}

/// The invitation that is made with this request: its URI, in which `TOKEN` is a pattern. Gives the token.
#[track_caller]
pub(super) fn made(client: &mut Client, request: &str, node: &str, uri: &str) -> String {
    client.send(request);
    let answer = client.expect(&format!(
        "<iq type='result' id='c' from='im.example' to='{{jid}}'>\
         <command xmlns='http://jabber.org/protocol/commands' node='{node}' sessionid='{{any}}' status='completed'>\
         <x xmlns='jabber:x:data' type='result'>\
         <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:invite#invitation</value></field>{}{}{}</x></command></iq>",
        field("uri", "{any}"),
        field("landing-url", "{any}"),
        field("expire", "{any}")
    ));
    let after = |mark: &str| answer.raw.split(mark).nth(1).expect(mark).to_owned();
    let token = after("https://web.example/invite/").split('<').next().unwrap().to_owned();
    assert!(token.len() >= 24 && token.bytes().all(|b| b.is_ascii_alphanumeric()), "{token}");
    let uri = format!("<value>{}</value>", uri.replace("TOKEN", &token));
    assert!(answer.raw.contains(&uri), "{uri}: {answer:?}");
    token
}

/// XEP-0401 §5.4: the form, filled in with this.
#[track_caller]
fn create(client: &mut Client, fields: &str, uri: &str) -> String {
    client.send(&execute(CREATE, ">"));
    let form = client.next();
    assert!(form.raw.contains("var='username'") && form.raw.contains("var='roster-subscription'"), "{form:?}");
    let id = form.raw.split("sessionid='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    made(client, &submit(&id, fields), CREATE, uri)
}

fn submit(id: &str, fields: &str) -> String {
    execute(CREATE, &format!("sessionid='{id}'><x xmlns='jabber:x:data' type='submit'>{fields}</x>"))
}

/// §5.1: everybody invites contacts; `ibr=y` is told where the token makes an account, and nowhere else.
#[test]
fn a_user_invites_a_contact() {
    let server = serve(|_| {});
    let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
    let request = execute(INVITE, ">");
    let token = made(&mut juliet, &request, INVITE, "xmpp:juliet@im.example?roster;preauth=TOKEN");
    let mut client = stranger(&server);
    client.send(&super::show(&token));
    client.expect_stanza_error("iq", "p", "cancel", "item-not-found");
    let token = made(&mut romeo, &request, INVITE, "xmpp:romeo@im.example?roster;preauth=TOKEN;ibr=y");
    accepted(&mut client, &token);
    registered(&mut client, "paris");
}

/// Where anybody can register, everybody may say so; where nobody can, nobody.
#[test]
fn ibr_depends_on_registration() {
    for (mode, uri) in [
        (RegistrationMode::Open, "xmpp:juliet@im.example?roster;preauth=TOKEN;ibr=y"),
        (RegistrationMode::Closed, "xmpp:juliet@im.example?roster;preauth=TOKEN"),
    ] {
        let server = serve(|c| {
            c.registration.mode = mode;
            c.registration.invite_accounts = Inviters::Everybody;
        });
        let mut juliet = server.online("juliet", "balcony");
        made(&mut juliet, &execute(INVITE, ">"), INVITE, uri);
    }
}

/// `registration.invite_contacts`, `registration.invite_accounts`.
#[test]
fn who_may_invite_is_a_setting() {
    let rows = [
        (Inviters::Nobody, Inviters::Nobody, "romeo", false, false),
        (Inviters::Admins, Inviters::Nobody, "romeo", true, false),
        (Inviters::Admins, Inviters::Admins, "juliet", false, false),
        (Inviters::Everybody, Inviters::Everybody, "juliet", true, true),
    ];
    for (contacts, accounts, who, may_invite, may_create) in rows {
        let server = serve(|c| {
            c.registration.invite_contacts = contacts;
            c.registration.invite_accounts = accounts;
        });
        let mut client = server.online(who, "x");
        for (node, may) in [(INVITE, may_invite), (CREATE, may_create)] {
            client.send(&execute(node, ">"));
            match may {
                true => drop(client.expect("<iq type='result' id='c' any-attrs='true'><any/></iq>")),
                false => drop(client.expect_stanza_error("iq", "c", "auth", "forbidden")),
            }
        }
    }
    let closed = serve(|c| c.registration.mode = RegistrationMode::Closed);
    let mut romeo = closed.online("romeo", "orchard");
    romeo.send(&execute(CREATE, ">"));
    romeo.expect_stanza_error("iq", "c", "auth", "forbidden");
}

/// Somebody without an account that lasts has no contacts; at another domain one is not at home.
#[test]
fn who_is_not_at_home_invites_nobody() {
    let server = serve(|c| {
        c.domains.push("second.example".into());
        c.auth.anonymous_domains = vec!["im.example".into()];
    });
    let mut nobody = server.connect();
    nobody.secure();
    nobody.auth("ANONYMOUS", "");
    nobody.expect_sasl("success");
    nobody.open_to_features();
    nobody.bind("x");
    nobody.send(&execute(INVITE, ">"));
    nobody.expect_stanza_error("iq", "c", "auth", "forbidden");
    server.account("romeo@second.example", "secret");
    let other = execute(INVITE, ">").replace("to='im.example'", "to='second.example'");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send(&other);
    romeo.expect_stanza_error("iq", "c", "auth", "forbidden");
}

/// `limits.invites_per_account_max`: of those that can still be used.
#[test]
fn everybody_has_so_many_invitations() {
    let server = serve(|c| c.limits.invites_per_account_max = 2);
    let mut romeo = server.online("romeo", "orchard");
    let request = execute(INVITE, ">");
    let uri = "xmpp:romeo@im.example?roster;preauth=TOKEN;ibr=y";
    let first = made(&mut romeo, &request, INVITE, uri);
    made(&mut romeo, &request, INVITE, uri);
    romeo.send(&request);
    romeo.expect_stanza_error("iq", "c", "wait", "resource-constraint");
    let mut client = stranger(&server);
    accepted(&mut client, &first);
    registered(&mut client, "paris");
    romeo.sync();
    made(&mut romeo, &request, INVITE, uri);
}

/// §5.4, §6.2: with a name, which is kept; without one.
#[test]
fn an_administrator_creates_an_account() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let free = create(&mut romeo, "", "xmpp:im.example?register;preauth=TOKEN");
    let username = "<field var='username'><value>Juliet</value></field>";
    let hers = create(&mut romeo, username, "xmpp:juliet@im.example?register;preauth=TOKEN");
    let mut paris = stranger(&server);
    accepted(&mut paris, &free);
    super::refused(&mut paris, "juliet", "cancel", "conflict");
    let mut juliet = stranger(&server);
    accepted(&mut juliet, &hers);
    super::refused(&mut juliet, "tybalt", "modify", "not-acceptable");
    registered(&mut juliet, "juliet");
    registered(&mut paris, "paris");
    romeo.expect_roster(&[]);
}

/// §5.4, §5.5: if it is wanted, the two are contacts at once.
#[test]
fn an_account_may_come_with_a_contact() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    romeo.roster();
    let wanted = "<field var='roster-subscription'><value>1</value></field>";
    let token = create(&mut romeo, wanted, "xmpp:im.example?register;preauth=TOKEN");
    let mut juliet = stranger(&server);
    accepted(&mut juliet, &token);
    registered(&mut juliet, "juliet");
    romeo.expect_push("<item jid='juliet@im.example' subscription='both'/>");
}

//! XEP-0494: what has access, and how that ends.

use super::{get_token, in_with, secured, server};
use crate::support::sasl2::{FAST, LAPTOP, PHONE, user_agent};
use crate::support::xml::El;
use crate::support::{Client, TestServer};

const CAM: &str = "urn:xmpp:cam:0";
const EXPR: &str = "HT-SHA-256-EXPR";

fn enter(server: &TestServer, agent: &str) -> Client {
    let mut romeo = secured(server);
    let inside = format!("{}<bind xmlns='urn:xmpp:bind:0'><tag>Dino</tag></bind>", user_agent(agent));
    in_with(&mut romeo, "secret", &inside);
    romeo
}

fn enter_with_token(server: &TestServer, agent: &str, token: &str) -> Client {
    let mut romeo = secured(server);
    let inside =
        format!("{}<fast xmlns='{FAST}'/><bind xmlns='urn:xmpp:bind:0'><tag>Dino</tag></bind>", user_agent(agent));
    romeo.fast(EXPR, "romeo", token, &inside);
    romeo
}

fn list(client: &mut Client) -> Vec<El> {
    client.send("<iq type='get' id='l'><list xmlns='urn:xmpp:cam:0'/></iq>");
    let answer = client.expect(
        "<iq type='result' id='l' to='{jid}' from='{opt}'><clients xmlns='urn:xmpp:cam:0'><any/></clients></iq>",
    );
    let clients = answer.find("clients", CAM).unwrap();
    clients.elements().cloned().collect()
}

fn id(client: &El) -> String {
    client.attr("id").expect("an id").to_owned()
}

#[track_caller]
fn revoke(client: &mut Client, id: &str, result: bool) {
    client.send(&format!("<iq type='set' id='r'><revoke xmlns='urn:xmpp:cam:0' id='{id}'/></iq>"));
    if result {
        client.expect("<iq type='result' id='r' to='{jid}' from='{opt}'/>");
    } else {
        let error = client.expect_stanza_error("iq", "r", "cancel", "service-unavailable");
        assert!(error.raw.contains("<password-reset-required xmlns='urn:xmpp:cam:0'/>"), "{error:?}");
    }
}

/// As if the device had never shown the password: got its access some other way, or before the password was changed.
fn forget_passwords(server: &TestServer) {
    let path = server.config().database_path();
    server.runtime().block_on(async {
        use sqlx::{Connection, SqliteConnection};
        let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
        sqlx::query("UPDATE devices SET password_us = NULL").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// §3.1: devices with what they say about themselves, and sessions of clients that say nothing.
#[test]
fn the_owner_sees_what_has_access() {
    let server = server();
    get_token(&server, EXPR, &user_agent(LAPTOP));
    let mut phone = enter(&server, PHONE);
    let _other = server.login("romeo", "secret", "orchard");
    let clients = list(&mut phone);
    assert_eq!(clients.len(), 3);
    let patterns = [
        "<client xmlns='urn:xmpp:cam:0' connected='true' id='session-{any}' type='session'><first-seen>{any}Z</first-seen>\
         <last-seen>{any}Z</last-seen><auth><password/></auth><permission status='unrestricted'/></client>",
        "<client xmlns='urn:xmpp:cam:0' connected='true' id='{any}' type='session'><first-seen>{any}Z</first-seen>\
         <last-seen>{any}Z</last-seen><auth><password/></auth><permission status='unrestricted'/>\
         <user-agent><software>Dino</software><device>Romeo's phone</device></user-agent></client>",
        "<client xmlns='urn:xmpp:cam:0' connected='false' id='{any}' type='session'><first-seen>{any}Z</first-seen>\
         <last-seen>{any}Z</last-seen><auth><password/><fast/></auth><permission status='unrestricted'/>\
         <user-agent><software>Dino</software><device>Romeo's phone</device></user-agent></client>",
    ];
    for pattern in patterns {
        let found = clients.iter().any(|client| phone.matches(pattern, client).is_ok());
        assert!(found, "{pattern}\n{clients:#?}");
    }
    assert!(!clients.iter().any(|c| c.raw.contains(&PHONE[..8])));
}

/// Nobody else's, and nobody else sees it.
#[test]
fn only_ones_own() {
    let server = server();
    let mut juliet = server.online("juliet", "balcony");
    let mut phone = enter(&server, PHONE);
    for kind in ["get", "set"] {
        let name = if kind == "get" { "list" } else { "revoke" };
        juliet.send(&format!("<iq type='{kind}' id='x' to='romeo@im.example'><{name} xmlns='{CAM}' id='x'/></iq>"));
        juliet.expect_stanza_error("iq", "x", "cancel", "service-unavailable");
    }
    juliet.send("<iq type='set' id='r'><revoke xmlns='urn:xmpp:cam:0'/></iq>");
    juliet.expect_stanza_error("iq", "r", "modify", "bad-request");
    let of_romeo = id(&list(&mut phone)[0]);
    juliet.send(&format!("<iq type='set' id='r'><revoke xmlns='urn:xmpp:cam:0' id='{of_romeo}'/></iq>"));
    juliet.expect_stanza_error("iq", "r", "cancel", "item-not-found");
    phone.expect_nothing();
}

/// §3.2: a device that has only its token is out: the session ends, the token is void, the entry is gone.
#[test]
fn revoking_a_device_with_a_token() {
    let server = server();
    let token = get_token(&server, EXPR, &user_agent(PHONE));
    forget_passwords(&server);
    let mut phone = enter_with_token(&server, PHONE, &token);
    let mut laptop = enter(&server, LAPTOP);
    let clients = list(&mut laptop);
    let of_phone = clients.iter().find(|c| !c.raw.contains("<password/>")).expect("it came with a token");
    revoke(&mut laptop, &id(of_phone), true);
    phone.expect_stream_error("not-authorized");
    let mut phone = secured(&server);
    let proof = phone.token_proof(EXPR, "romeo", &token);
    phone.authenticate2(EXPR, Some(&proof), &format!("{}<fast xmlns='{FAST}'/>", user_agent(PHONE)));
    phone.expect_failure2("not-authorized");
    assert_eq!(list(&mut laptop).len(), 1);
    let gone = id(of_phone);
    laptop.send(&format!("<iq type='set' id='again'><revoke xmlns='urn:xmpp:cam:0' id='{gone}'/></iq>"));
    laptop.expect_stanza_error("iq", "again", "cancel", "item-not-found");
}

/// §3.2: who knows the password is kept out by another password only. What can be done is done all the same.
#[test]
fn revoking_who_knows_the_password() {
    let server = server();
    let token = get_token(&server, EXPR, &user_agent(PHONE));
    let mut phone = enter_with_token(&server, PHONE, &token);
    let mut orchard = server.login("romeo", "secret", "orchard");
    let mut laptop = enter(&server, LAPTOP);
    let clients = list(&mut laptop);
    let of_phone = clients.iter().find(|c| c.raw.contains("<fast/>")).expect("the phone");
    revoke(&mut laptop, &id(of_phone), false);
    phone.expect_stream_error("not-authorized");
    let session = clients.iter().find(|c| id(c).starts_with("session-")).expect("the session");
    revoke(&mut laptop, &id(session), false);
    orchard.expect_stream_error("not-authorized");
    let left = list(&mut laptop);
    assert!(left.iter().all(|c| !c.raw.contains("<fast/>")), "{left:#?}");
}

/// Nor does a login come through that has proved its token and not bound yet (RFC 6120 §7, XEP-0198 §5).
#[test]
fn revoking_who_has_not_bound_yet() {
    let server = server();
    let token = get_token(&server, EXPR, &user_agent(PHONE));
    forget_passwords(&server);
    let login = || {
        let mut phone = secured(&server);
        phone.fast(EXPR, "romeo", &token, &format!("{}<fast xmlns='{FAST}'/>", user_agent(PHONE)));
        phone
    };
    // A session that is not this device's, and that it could take over.
    let mut orchard = server.login("romeo", "secret", "orchard");
    orchard.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    let sm = orchard.next().attr("id").expect("resumable").to_owned();
    let (mut binding, mut resuming) = (login(), login());
    drop(orchard);
    let mut laptop = enter(&server, LAPTOP);
    let clients = list(&mut laptop);
    let of_phone = clients.iter().find(|c| c.raw.contains("<auth><fast/></auth>")).expect("it has a token only");
    revoke(&mut laptop, &id(of_phone), true);
    binding.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    binding.expect_stream_error("not-authorized");
    resuming.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{sm}' h='0'/>"));
    assert_eq!(resuming.next().name, "resumed");
    resuming.expect_stream_error("not-authorized");
}

/// A session that waits to be resumed ends as well (XEP-0198 §5).
#[test]
fn revoking_ends_what_could_be_resumed() {
    let server = server();
    let mut phone = secured(&server);
    let inside = format!(
        "{}<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>",
        user_agent(PHONE)
    );
    let success = in_with(&mut phone, "secret", &inside);
    let bound = success.find("bound", "urn:xmpp:bind:0").unwrap();
    let sm = bound.find("enabled", "urn:xmpp:sm:3").and_then(|e| e.attr("id")).unwrap().to_owned();
    drop(phone);
    let mut laptop = enter(&server, LAPTOP);
    let clients = list(&mut laptop);
    let other = |c: &&El| !laptop.jid.as_ref().unwrap().ends_with(&id(c));
    let of_phone = id(clients.iter().find(other).expect("the phone"));
    revoke(&mut laptop, &of_phone, false);
    let mut phone = secured(&server);
    let success = phone.scram2("romeo", "secret", &format!("<resume xmlns='urn:xmpp:sm:3' previd='{sm}' h='0'/>"));
    assert!(success.find("failed", "urn:xmpp:sm:3").is_some(), "{success:?}");
}

/// The settings decide what is kept; connected clients are shown with it in any case.
#[test]
fn names_need_not_be_kept() {
    let server = TestServer::with(|c| c.auth.device_details = false);
    server.account("romeo", "secret");
    get_token(&server, EXPR, &user_agent(LAPTOP));
    let mut phone = enter(&server, PHONE);
    let clients = list(&mut phone);
    assert_eq!(clients.iter().filter(|c| c.raw.contains("Dino")).count(), 1, "{clients:#?}");
}

/// Longer names are cut.
#[test]
fn a_bound_on_names() {
    let server = TestServer::with(|c| c.limits.device_text_bytes_max = 5);
    server.account("romeo", "secret");
    let mut romeo = secured(&server);
    let agent = format!("<user-agent id='{PHONE}'><software>Gößengajim</software></user-agent>");
    in_with(&mut romeo, "secret", &format!("{agent}<bind xmlns='urn:xmpp:bind:0'/>"));
    assert!(
        list(&mut romeo)[0].raw.contains("<software>Göß</software>")
            || list(&mut romeo)[0].raw.contains("<software>Gö</software>")
    );
}

/// "Log out everywhere" from the device in hand: it is answered first.
#[test]
fn revoking_oneself() {
    let server = server();
    let token = get_token(&server, EXPR, &user_agent(PHONE));
    forget_passwords(&server);
    let mut phone = enter_with_token(&server, PHONE, &token);
    let own = id(&list(&mut phone)[0]);
    revoke(&mut phone, &own, true);
    phone.expect_stream_error("not-authorized");
}

/// The operator sees and does the same.
#[test]
fn the_operator_lists_and_revokes() {
    use magpie::admin::protocol::{OfAccount, OfDevice, Reply, Request};
    let server = server();
    let token = get_token(&server, EXPR, &user_agent(PHONE));
    let mut phone = enter_with_token(&server, PHONE, &token);
    let ask = |request| server.runtime().block_on(server.server().admin().handle(request));
    let jid = || "romeo@im.example".to_owned();
    let Ok(Reply::Devices(devices)) = ask(Request::DeviceList(OfAccount { jid: jid() })) else { panic!("a list") };
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].software.as_deref(), Some("Dino"));
    assert!(devices[0].password && devices[0].token_until.is_some() && devices[0].sessions.len() == 1);
    let id = devices[0].id.clone();
    let Ok(Reply::DeviceRevoked(done)) = ask(Request::DeviceRevoke(OfDevice { jid: jid(), id })) else {
        panic!("done")
    };
    assert_eq!((done.tokens, done.sessions_ended, done.password_known), (1, 1, true));
    phone.expect_stream_error("not-authorized");
}

/// Removing an account removes its devices; their ids mean nothing to whoever takes the name next.
#[test]
fn devices_go_with_their_account() {
    let server = server();
    enter(&server, PHONE).close();
    let delete = magpie::admin::protocol::Request::UserDel { jid: "romeo@im.example".into() };
    server.runtime().block_on(server.server().admin().handle(delete)).unwrap();
    server.account("romeo", "secret");
    let mut laptop = enter(&server, LAPTOP);
    assert_eq!(list(&mut laptop).len(), 1);
}

//! XEP-0480: accounts that lack keys for a hash function get them.

use super::secured;
use crate::support::sasl2::SASL2;
use crate::support::scram::Hash;
use crate::support::{Client, TestServer};
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use magpie::sasl::Credentials;
use magpie::storage::{Credential, ScramHash};

const WISH: &str = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>";

/// An account as another server would have exported it: SCRAM-SHA-1 and nothing else.
fn imported() -> TestServer {
    let server = TestServer::start();
    let key = Credentials::derive("secret", 4096).unwrap().sha1.unwrap();
    let credential = Credential {
        hash: ScramHash::Sha1,
        salt: key.salt,
        iterations: key.iterations,
        stored_key: key.stored_key,
        server_key: key.server_key,
    };
    let storage = &server.server().core().storage;
    server.runtime().block_on(storage.account_create("romeo@im.example", 1, vec![credential])).unwrap();
    server
}

/// Up to the task.
fn begun(server: &TestServer) -> Client {
    let mut romeo = secured(server);
    let asked = romeo.scram2_by("SCRAM-SHA-1", "romeo", "secret", &format!("{WISH}<bind xmlns='urn:xmpp:bind:0'/>"));
    romeo
        .matches(
            "<continue xmlns='urn:xmpp:sasl:2'><additional-data>{any}</additional-data><tasks>\
             <task>UPGR-SCRAM-SHA-256</task></tasks><text>{any}</text></continue>",
            &asked,
        )
        .unwrap();
    romeo
}

/// Chooses the task; the salted password of what it is.
fn salted(romeo: &mut Client, password: &str) -> String {
    romeo.send("<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-256'/>");
    let data = romeo.expect(
        "<task-data xmlns='urn:xmpp:sasl:2'><salt xmlns='urn:xmpp:scram-upgrade:0' iterations='4096'>{salt}</salt></task-data>",
    );
    let salt = BASE64.decode(data.elements().next().unwrap().text()).unwrap();
    BASE64.encode(Hash::Sha256.salted(password, &salt, 4096))
}

fn send_hash(romeo: &mut Client, hash: &str) {
    romeo.send(&format!(
        "<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>{hash}</hash></task-data>"
    ));
}

/// §2.2, §3: the task, then the session that was asked for; from then on the better mechanism works.
#[test]
fn a_client_makes_the_missing_keys() {
    let server = imported();
    assert_eq!(secured(&server).scram2("romeo", "secret", "").name, "failure");
    let mut romeo = begun(&server);
    let hash = salted(&mut romeo, "secret");
    send_hash(&mut romeo, &hash);
    let success = romeo.expect_success2();
    assert!(success.find("additional-data", SASL2).is_none(), "it was in <continue/>");
    assert!(success.find("bound", "urn:xmpp:bind:0").is_some());
    assert_eq!(secured(&server).scram2("romeo", "secret", "").name, "success");
    assert_eq!(secured(&server).scram2_by("SCRAM-SHA-1", "romeo", "secret", WISH).name, "success", "not again");
}

/// Who sends the password itself needs no task.
#[test]
fn plain_makes_the_missing_keys_at_once() {
    let server = imported();
    let mut romeo = secured(&server);
    romeo.authenticate2("PLAIN", Some(b"\0romeo\0secret"), WISH);
    romeo.expect_success2();
    assert_eq!(secured(&server).scram2("romeo", "secret", "").name, "success");
}

/// Also in the older profile.
#[test]
fn plain_of_rfc_6120_does_as_well() {
    let server = imported();
    let mut romeo = secured(&server);
    romeo.authenticate("PLAIN", "romeo", "secret");
    assert_eq!(secured(&server).scram2("romeo", "secret", "").name, "success");
}

/// §2.2: nobody is asked who has not said that he can.
#[test]
fn without_the_wish_there_is_no_task() {
    let server = imported();
    let mut romeo = secured(&server);
    let unknown = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-BLOOP2</upgrade>";
    assert_eq!(romeo.scram2_by("SCRAM-SHA-1", "romeo", "secret", unknown).name, "success");
    assert_eq!(secured(&server).scram2("romeo", "secret", "").name, "failure");
}

/// Who has a token is not asked: the password may be long forgotten (XEP-0484 §4.2).
#[test]
fn no_task_for_who_has_a_token() {
    use crate::support::sasl2::{FAST, PHONE, token, user_agent};
    let server = imported();
    let agent = user_agent(PHONE);
    let mut romeo = secured(&server);
    let wish = format!("{agent}<request-token xmlns='{FAST}' mechanism='HT-SHA-256-EXPR'/>");
    let success = romeo.scram2_by("SCRAM-SHA-1", "romeo", "secret", &wish);
    let token = token(&success).expect("a token");
    secured(&server).fast("HT-SHA-256-EXPR", "romeo", &token, &format!("{agent}{WISH}<fast xmlns='{FAST}'/>"));
}

/// XEP-0388 §2.6.3: an unknown task, nonsense instead of a hash, or the wish to end it: a failure. §4.8: after that there is
/// no other authentication on the stream.
#[test]
fn a_task_that_fails() {
    let server = imported();
    let fail = |end: &dyn Fn(&mut Client), condition: &str| {
        let mut romeo = begun(&server);
        end(&mut romeo);
        romeo.expect_failure2(condition);
        romeo.authenticate2("PLAIN", Some(b"\0romeo\0secret"), "");
        romeo.expect_stream_error("not-authorized");
    };
    fail(&|r| r.send("<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-1'/>"), "invalid-mechanism");
    fail(&|r| r.send("<next xmlns='urn:xmpp:sasl:2'/>"), "malformed-request");
    fail(&|r| r.send("<abort xmlns='urn:xmpp:sasl:2'/>"), "aborted");
    for (hash, condition) in [("", "malformed-request"), ("!", "incorrect-encoding"), ("AAAA", "malformed-request")] {
        let send = |r: &mut Client| {
            salted(r, "secret");
            send_hash(r, hash);
        };
        fail(&send, condition);
    }
    assert_eq!(secured(&server).scram2("romeo", "secret", "").name, "failure", "nothing was stored");
}

/// §2.4, §4.8.
#[test]
fn anything_else_within_a_task_ends_the_stream() {
    let server = imported();
    for (xml, condition) in [
        ("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>", "unsupported-stanza-type"),
        ("<task-data xmlns='urn:xmpp:sasl:2'/>", "unsupported-stanza-type"),
        ("<presence/>", "not-authorized"),
    ] {
        let mut romeo = begun(&server);
        romeo.send(xml);
        romeo.expect_stream_error(condition);
    }
}

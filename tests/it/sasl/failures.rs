//! SASL failures (RFC 6120 §6.5): each that this server has, and that the stream survives it.

use std::collections::BTreeSet;

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};

use crate::support::login::SASL;
use crate::support::scram::{Hash, Scram};
use crate::support::{Client, TestServer};

fn secured() -> (TestServer, Client) {
    let server = TestServer::with(|c| {
        c.limits.auth_attempts_per_stream_max = 100;
        c.limits.failed_logins_per_account_max = 1000;
        c.limits.failed_logins_per_address_max = 1000;
    });
    server.account("romeo", "secret");
    let mut client = server.connect();
    client.secure();
    (server, client)
}

/// RFC 6120 §6.4.4, §6.5.1.
#[test]
fn an_aborted_exchange_is_aborted_and_may_be_repeated() {
    let (_server, mut client) = secured();
    client.auth("SCRAM-SHA-1", "n,,n=romeo,r=abcdefgh");
    client.expect_sasl("challenge");
    client.send(&format!("<abort xmlns='{SASL}'/>"));
    client.expect_sasl_failure("aborted");
    client.authenticate("SCRAM-SHA-1", "romeo", "secret");
    client.open_to_features();
}

/// RFC 6120 §6.5.5: base64 and nothing but (§6.4.2; RFC 4648 §3.3), in `<auth/>` and in `<response/>`.
#[test]
fn what_is_not_base64_is_incorrect_encoding() {
    let (_server, mut client) = secured();
    for bad in [
        "!!!!",
        "AHJvbWVvAHNlY3JldA",
        "AHJv bWVvAHNlY3JldA==",
        "=AHJvbWVvAHNlY3JldA",
        "AHJvbWVv=AHNlY3JldA==",
        "A",
        "AHJvbWVvAHNlY3JldA===",
    ] {
        client.send(&format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{bad}</auth>"));
        client.expect_sasl_failure("incorrect-encoding");
        client.auth("SCRAM-SHA-1", "n,,n=romeo,r=abcdefgh");
        client.expect_sasl("challenge");
        client.send(&format!("<response xmlns='{SASL}'>{bad}</response>"));
        client.expect_sasl_failure("incorrect-encoding");
    }
}

/// RFC 6120 §6.5.6, §6.3.8: an identity one may not act for, and what is no JID at all.
#[test]
fn a_foreign_authzid_is_invalid() {
    let (server, mut client) = secured();
    server.account("juliet", "secret");
    for authzid in ["juliet@im.example", "nobody@im.example", "romeo@other.example", "im.example", "@@"] {
        client.auth("PLAIN", &format!("{authzid}\0romeo\0secret"));
        client.expect_sasl_failure("invalid-authzid");
    }
}

/// A wrong password is that before anything else: the authzid does not reveal whether it was right.
#[test]
fn a_foreign_authzid_with_a_wrong_password_is_not_authorized() {
    let (_server, mut client) = secured();
    client.auth("PLAIN", "juliet@im.example\0romeo\0wrong");
    client.expect_sasl_failure("not-authorized");
}

/// RFC 6120 §6.5.7.
#[test]
fn unknown_mechanisms_are_invalid() {
    let (_server, mut client) = secured();
    for mechanism in ["DIGEST-MD5", "CRAM-MD5", "EXTERNAL", "SCRAM-SHA-512", "plain", "", "X".repeat(1000).as_str()] {
        client.auth(mechanism, "x");
        client.expect_sasl_failure("invalid-mechanism");
    }
}

/// RFC 6120 §6.5.7 or .8: no mechanism at all.
#[test]
fn auth_without_a_mechanism_fails() {
    let (_server, mut client) = secured();
    client.send(&format!("<auth xmlns='{SASL}'>AHJvbWVvAHNlY3JldA==</auth>"));
    let failure = client.expect(&format!("<failure xmlns='{SASL}'><one/><any/></failure>"));
    let condition = failure.elements().next().unwrap().name.clone();
    assert!(["invalid-mechanism", "malformed-request"].contains(&&*condition), "{failure:?}");
}

/// RFC 6120 §6.5.8: messages that the mechanism does not know (RFC 4616 §2, RFC 5802 §7).
#[test]
fn messages_without_a_meaning_are_malformed() {
    let (_server, mut client) = secured();
    for bad in ["", "romeo", "\0romeo", "\0romeo\0", "\0\0secret", "\0romeo\0secret\0more"] {
        client.auth("PLAIN", bad);
        client.expect_sasl_failure("malformed-request");
    }
    let first = [
        "",
        "n",
        "n,",
        "n,,",
        "n,,x",
        "x,,n=romeo,r=abc",
        "n,,r=abc,n=romeo",
        "n,,n=romeo",
        "n,,n=romeo,r=",
        "n,,n=,r=abc",
        "n,,n=a=zz,r=abc",
        "n,a=,n=romeo,r=abc",
        "n,,m=ext,n=romeo,r=abc",
        "n,,n=romeo,r=a\u{7f}b",
        "p=,,n=romeo,r=abc",
    ];
    for bad in first {
        client.auth("SCRAM-SHA-256", bad);
        let failure = client.next();
        client
            .matches(&format!("<failure xmlns='{SASL}'><malformed-request/><any/></failure>"), &failure)
            .unwrap_or_else(|e| panic!("{bad:?}: {e}"));
    }
    for bad in ["", "x", "c=biws", "c=biws,r=abc,p", "r=abc,c=biws,p=AAAA", "c=biws,r=abc,p=!!", "c=,r=abc,p=AAAA"] {
        client.auth("SCRAM-SHA-256", "n,,n=romeo,r=abcdefgh");
        client.expect_sasl("challenge");
        client.respond(bad);
        let failure = client.next();
        let condition = failure.elements().next().map(|el| el.name.clone()).unwrap_or_default();
        assert!(["malformed-request", "not-authorized"].contains(&&*condition), "{bad:?}: {failure:?}");
    }
    client.authenticate("SCRAM-SHA-256", "romeo", "secret");
}

/// The bound of SASL messages, below that of elements.
#[test]
fn a_message_that_is_too_long_is_malformed() {
    let server = TestServer::with(|c| c.limits.sasl_bytes_max = 2_000);
    let mut client = server.connect();
    client.secure();
    client.auth("PLAIN", &format!("\0romeo\0{}", "x".repeat(3_000)));
    client.expect_sasl_failure("malformed-request");
    client.auth("SCRAM-SHA-1", "n,,n=romeo,r=abcdefgh");
    client.expect_sasl("challenge");
    client.respond(&"x".repeat(3_000));
    client.expect_sasl_failure("malformed-request");
}

/// RFC 6120 §6.5.8: a step without a beginning.
#[test]
fn a_response_without_an_exchange_is_malformed() {
    let (_server, mut client) = secured();
    for stray in ["response", "abort"] {
        client.send(&format!("<{stray} xmlns='{SASL}'/>"));
        let failure = client.expect(&format!("<failure xmlns='{SASL}'><one/><any/></failure>"));
        let condition = failure.elements().next().unwrap().name.clone();
        let expected = if stray == "abort" { ["aborted", "malformed-request"] } else { ["malformed-request"; 2] };
        assert!(expected.contains(&&*condition), "{failure:?}");
    }
    client.authenticate("PLAIN", "romeo", "secret");
}

/// A second `<auth/>` in the middle of an exchange begins a new one or fails; it does not continue the first.
#[test]
fn auth_within_an_exchange_does_not_continue_it() {
    let (_server, mut client) = secured();
    client.auth("SCRAM-SHA-1", "n,,n=romeo,r=abcdefgh");
    client.expect_sasl("challenge");
    client.auth("PLAIN", "\0romeo\0wrong");
    let answer = client.next();
    assert_eq!(answer.name, "failure", "{answer:?}");
}

/// RFC 6120 §6.5.10, §13.11 and RFC 5802 §5.1: a wrong password and an unknown name are told apart by nothing.
#[test]
fn an_unknown_name_looks_like_a_wrong_password() {
    let (_server, mut client) = secured();
    let plain = |client: &mut Client, user: &str| {
        client.auth("PLAIN", &format!("\0{user}\0wrong"));
        client.expect_sasl_failure("not-authorized").raw
    };
    assert_eq!(plain(&mut client, "romeo"), plain(&mut client, "nobody"));
    for hash in [Hash::Sha1, Hash::Sha256] {
        let mechanism = if hash == Hash::Sha1 { "SCRAM-SHA-1" } else { "SCRAM-SHA-256" };
        let mut shape = |user: &str| {
            let mut scram = Scram::new(hash, user, "wrong");
            scram.nonce = "abcdefgh".into();
            client.auth(mechanism, &scram.first());
            let first = client.expect_sasl("challenge");
            let last = scram.last(&first);
            client.respond(&last);
            let failure = client.expect_sasl_failure("not-authorized").raw;
            let salt = scram.server_said('s').unwrap().len();
            let keys: Vec<(String, usize)> =
                first.split(',').map(|part| (part.chars().take(1).collect(), part.len())).collect();
            (failure, salt, scram.server_said('i').map(str::to_owned), keys)
        };
        assert_eq!(shape("romeo"), shape("nobody"));
    }
}

/// A disabled account looks like a wrong password, too: RFC 6120 §6.5.2 would tell a stranger that it exists.
#[test]
fn a_disabled_account_looks_like_a_wrong_password() {
    let (server, mut client) = secured();
    let storage = &server.server().core().storage;
    let set_disabled = |disabled| {
        let record = server.runtime().block_on(storage.account("romeo@im.example")).unwrap().unwrap();
        server.runtime().block_on(storage.account_set_disabled(record.account.id, disabled)).unwrap();
    };
    set_disabled(true);
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        if mechanism == "PLAIN" {
            client.auth("PLAIN", "\0romeo\0secret");
        } else {
            let mut scram = Scram::new(Hash::Sha256, "romeo", "secret");
            client.auth(mechanism, &scram.first());
            let first = client.expect_sasl("challenge");
            let last = scram.last(&first);
            client.respond(&last);
        }
        client.expect_sasl_failure("not-authorized");
    }
    set_disabled(false);
    client.authenticate("SCRAM-SHA-256", "romeo", "secret");
}

fn salt(client: &mut Client, user: &str, mechanism: &str) -> String {
    client.auth(mechanism, &format!("n,,n={user},r=abcdefgh"));
    let first = client.expect_sasl("challenge");
    client.send(&format!("<abort xmlns='{SASL}'/>"));
    client.expect_sasl_failure("aborted");
    first.split(',').find_map(|part| part.strip_prefix("s=")).unwrap().to_owned()
}

/// RFC 5802 §5.1 with RFC 6120 §13.11: asking twice, later, or by another spelling does not tell either.
#[test]
fn the_salt_of_an_unknown_name_is_stable() {
    let (mut server, mut client) = secured();
    let real = salt(&mut client, "romeo", "SCRAM-SHA-256");
    let before = salt(&mut client, "nobody", "SCRAM-SHA-256");
    assert_eq!(salt(&mut client, "romeo", "SCRAM-SHA-256"), real);
    assert_eq!(salt(&mut client, "nobody", "SCRAM-SHA-256"), before);
    assert_eq!(salt(&mut client, "NoBody", "SCRAM-SHA-256"), before);
    let salts: BTreeSet<String> = ["a", "b", "c"].map(|user| salt(&mut client, user, "SCRAM-SHA-256")).into();
    assert_eq!(salts.len(), 3, "each name has its own");
    drop(client);
    server.restart();
    let mut client = server.connect();
    client.secure();
    assert_eq!(salt(&mut client, "nobody", "SCRAM-SHA-256"), before, "also after a restart");
    assert_eq!(BASE64.decode(&real).unwrap().len(), BASE64.decode(&before).unwrap().len());
}

/// RFC 6120 §6.4.5: too many attempts on one stream end it, also if they fail early.
#[test]
fn attempts_per_stream_are_limited() {
    let server = TestServer::with(|c| c.limits.auth_attempts_per_stream_max = 3);
    server.account("romeo", "secret");
    for (mechanism, message) in [("PLAIN", "\0romeo\0wrong"), ("PLAIN", "garbage"), ("NO-SUCH", "x")] {
        let mut client = server.connect();
        client.secure();
        for _ in 0..3 {
            client.auth(mechanism, message);
            client.expect(&format!("<failure xmlns='{SASL}'><one/><any/></failure>"));
        }
        client.send_bytes_if_open(
            format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{}</auth>", BASE64.encode("\0romeo\0secret")).as_bytes(),
        );
        client.expect_stream_error("policy-violation");
    }
    let mut client = server.connect();
    client.secure();
    for _ in 0..2 {
        client.auth("PLAIN", "\0romeo\0wrong");
        client.expect_sasl_failure("not-authorized");
    }
    client.authenticate("PLAIN", "romeo", "secret");
    client.open_to_features();
}

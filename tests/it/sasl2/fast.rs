//! XEP-0484: tokens.

use super::{get_token, in_with, secured, server};
use crate::support::sasl2::{FAST, LAPTOP, PHONE, SASL2, token, user_agent};
use crate::support::{Client, TestServer};

const EXPR: &str = "HT-SHA-256-EXPR";
const DAY_US: i64 = 86_400_000_000;

fn with(agent: &str, fast: &str) -> String {
    format!("{}<fast xmlns='{FAST}'{fast}/>", user_agent(agent))
}

/// A login with a token that must fail.
#[track_caller]
fn refused(client: &mut Client, mechanism: &str, proof: &[u8], inside: &str, condition: &str) {
    client.authenticate2(mechanism, Some(proof), inside);
    client.expect_failure2(condition);
}

#[track_caller]
fn is_refused(server: &TestServer, mechanism: &str, token: &str, agent: &str, condition: &str) {
    let mut client = secured(server);
    let proof = client.token_proof(mechanism, "romeo", token);
    refused(&mut client, mechanism, &proof, &with(agent, ""), condition);
}

/// Makes all tokens and devices look older.
fn age(server: &TestServer, by_us: i64) {
    let path = server.config().database_path();
    let sql = format!("UPDATE fast_tokens SET issued_us = issued_us - {by_us}, expires_us = expires_us - {by_us}");
    server.runtime().block_on(async {
        use sqlx::{Connection, SqliteConnection};
        let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// §3.3, §3.4: a token for the asking, and in with it in one message; on each kind of channel.
#[test]
fn a_token_takes_the_place_of_the_password() {
    let server = server();
    for mechanism in [EXPR, "HT-SHA-256-ENDP", "HT-SHA-256-NONE"] {
        let token = get_token(&server, mechanism, &user_agent(PHONE));
        for _ in 0..2 {
            let mut romeo = secured(&server);
            let success = romeo.fast(mechanism, "romeo", &token, &with(PHONE, ""));
            assert_eq!(success.find("authorization-identifier", SASL2).unwrap().text(), "romeo@im.example");
            assert!(crate::support::sasl2::token(&success).is_none(), "it is not due");
        }
    }
}

/// §3.3: with the moment of its end.
#[test]
fn a_token_says_when_it_ends() {
    let server = server();
    let mut romeo = secured(&server);
    let wish = format!("{}<request-token xmlns='{FAST}' mechanism='{EXPR}'/>", user_agent(PHONE));
    let success = in_with(&mut romeo, "secret", &wish);
    romeo
        .matches(
            "<token xmlns='urn:xmpp:fast:0' token='{any}' expiry='20{any}Z'/>",
            success.find("token", FAST).unwrap(),
        )
        .unwrap();
}

/// Durable before it is handed out: it survives a restart of the server.
#[test]
fn tokens_survive_a_restart() {
    let mut server = server();
    let token = get_token(&server, EXPR, &user_agent(PHONE));
    server.restart();
    secured(&server).fast(EXPR, "romeo", &token, &with(PHONE, ""));
}

/// The database alone lets nobody in: without the secret beside it all tokens are void.
#[test]
fn tokens_need_the_secret_beside_the_database() {
    let mut server = server();
    let token = get_token(&server, EXPR, &user_agent(PHONE));
    let secret = server.config().data_dir.join("devices.key");
    let database = std::fs::read(server.config().database_path()).unwrap();
    assert!(!database.windows(token.len()).any(|w| w == token.as_bytes()));
    server.stop();
    std::fs::remove_file(secret).unwrap();
    server.restart();
    is_refused(&server, EXPR, &token, PHONE, "not-authorized");
}

/// §4.1: neither token nor use of it without the id of the installation; a mechanism that is not offered gives none.
#[test]
fn no_token_without_a_device() {
    let server = server();
    let wish = |mechanism: &str| format!("<request-token xmlns='{FAST}' mechanism='{mechanism}'/>");
    let mut romeo = secured(&server);
    assert!(token(&in_with(&mut romeo, "secret", &wish(EXPR))).is_none());
    for bad in ["HT-SHA-256-UNIQ", "PLAIN", ""] {
        let mut romeo = secured(&server);
        assert!(token(&in_with(&mut romeo, "secret", &format!("{}{}", user_agent(PHONE), wish(bad)))).is_none());
    }
}

/// §3.4, §4.1: what has to come with a token.
#[test]
fn incomplete_requests() {
    let server = server();
    let good = get_token(&server, EXPR, &user_agent(PHONE));
    let mut romeo = secured(&server);
    let proof = romeo.token_proof(EXPR, "romeo", &good);
    refused(&mut romeo, EXPR, &proof, &user_agent(PHONE), "malformed-request");
    refused(&mut romeo, EXPR, &proof, &format!("<fast xmlns='{FAST}'/>"), "malformed-request");
    refused(&mut romeo, EXPR, &proof[..proof.len() - 1], &with(PHONE, ""), "malformed-request");
    romeo.authenticate2(EXPR, None, &with(PHONE, ""));
    romeo.expect_failure2("malformed-request");
}

/// §3.4: "Servers MUST bind tokens to the mechanism selected by the client".
#[test]
fn a_token_is_for_one_mechanism() {
    let server = server();
    let good = get_token(&server, EXPR, &user_agent(PHONE));
    is_refused(&server, "HT-SHA-256-NONE", &good, PHONE, "not-authorized");
    is_refused(&server, "HT-SHA-256-ENDP", &good, PHONE, "not-authorized");
    // RFC 6120 §6.5.7: as a mechanism of the older profile there is no such thing.
    let mut romeo = secured(&server);
    romeo.auth("HT-SHA-256-NONE", "romeo\0x");
    romeo.expect_sasl_failure("invalid-mechanism");
}

/// Another device, another channel, another user, another token.
#[test]
fn whatever_differs_is_refused() {
    let server = server();
    server.account("juliet", "secret");
    let good = get_token(&server, EXPR, &user_agent(PHONE));
    is_refused(&server, EXPR, &good, LAPTOP, "not-authorized");
    is_refused(&server, EXPR, &format!("{good}x"), PHONE, "not-authorized");
    let mut romeo = secured(&server);
    let elsewhere = secured(&server).token_proof(EXPR, "romeo", &good);
    refused(&mut romeo, EXPR, &elsewhere, &with(PHONE, ""), "not-authorized");
    for user in ["juliet", "nobody", "bad name"] {
        let proof = romeo.token_proof(EXPR, user, &good);
        refused(&mut romeo, EXPR, &proof, &with(PHONE, ""), "not-authorized");
        romeo = secured(&server);
    }
    romeo.fast(EXPR, "romeo", &good, &with(PHONE, ""));
}

/// §4.2: with the right token that is too old the client learns why.
#[test]
fn an_expired_token() {
    let server = server();
    let old = get_token(&server, EXPR, &user_agent(PHONE));
    age(&server, 22 * DAY_US);
    is_refused(&server, EXPR, &old, PHONE, "credentials-expired");
    is_refused(&server, EXPR, "wrong", PHONE, "not-authorized");
}

/// §3.5: a new one when it is time; the old one is good until the new one is used, and not a moment longer.
#[test]
fn rotation() {
    let server = server();
    let first = get_token(&server, EXPR, &user_agent(PHONE));
    age(&server, 2 * DAY_US);
    let rotate = |with_token: &str| {
        let success = secured(&server).fast(EXPR, "romeo", with_token, &with(PHONE, ""));
        token(&success)
    };
    let lost = rotate(&first).expect("it is time");
    let second = rotate(&first).expect("the new one was not used, so it was lost");
    assert_ne!(lost, second);
    is_refused(&server, EXPR, &lost, PHONE, "not-authorized");
    assert_eq!(rotate(&second), None);
    is_refused(&server, EXPR, &first, PHONE, "not-authorized");
    assert_eq!(rotate(&second), None);
}

/// §3.4: a replay counter, where the client sends one.
#[test]
fn a_replayed_count() {
    let server = server();
    let good = get_token(&server, EXPR, &user_agent(PHONE));
    let count = |n: i64| with(PHONE, &format!(" count='{n}'"));
    secured(&server).fast(EXPR, "romeo", &good, &count(1));
    secured(&server).fast(EXPR, "romeo", &good, &count(5));
    for replayed in [5, 4, 1] {
        let mut romeo = secured(&server);
        let proof = romeo.token_proof(EXPR, "romeo", &good);
        refused(&mut romeo, EXPR, &proof, &count(replayed), "not-authorized");
    }
    secured(&server).fast(EXPR, "romeo", &good, &count(6));
}

/// §3.6: the token ends, the session does not; no new one unless it is asked for.
#[test]
fn invalidation() {
    let server = server();
    let agent = user_agent(PHONE);
    let good = get_token(&server, EXPR, &agent);
    age(&server, 2 * DAY_US);
    let mut romeo = secured(&server);
    let success = romeo.fast(EXPR, "romeo", &good, &with(PHONE, " invalidate='true'"));
    assert_eq!(token(&success), None);
    romeo.bind("orchard");
    is_refused(&server, EXPR, &good, PHONE, "not-authorized");

    let good = get_token(&server, EXPR, &agent);
    let wish = format!("{}<request-token xmlns='{FAST}' mechanism='{EXPR}'/>", with(PHONE, " invalidate='1'"));
    let new = token(&secured(&server).fast(EXPR, "romeo", &good, &wish)).expect("asked for");
    is_refused(&server, EXPR, &good, PHONE, "not-authorized");
    secured(&server).fast(EXPR, "romeo", &new, &with(PHONE, ""));
}

/// §3.6: "the server MUST immediately invalidate the token", even if the one that was asked for cannot be had.
#[test]
fn invalidation_without_the_token_asked_for() {
    let server = TestServer::with(|c| c.auth.mechanisms_disabled = vec!["HT-SHA-256-NONE".into()]);
    server.account("romeo", "secret");
    let good = get_token(&server, EXPR, &user_agent(PHONE));
    let wish = format!("{}<request-token xmlns='{FAST}' mechanism='HT-SHA-256-NONE'/>", with(PHONE, " invalidate='1'"));
    assert_eq!(token(&secured(&server).fast(EXPR, "romeo", &good, &wish)), None);
    is_refused(&server, EXPR, &good, PHONE, "not-authorized");
}

/// A new password ends all tokens, wherever it was set.
#[test]
fn a_new_password_ends_them() {
    let server = server();
    let phone = get_token(&server, EXPR, &user_agent(PHONE));
    let laptop = get_token(&server, EXPR, &user_agent(LAPTOP));
    let mut romeo = secured(&server);
    in_with(&mut romeo, "secret", "<bind xmlns='urn:xmpp:bind:0'/>");
    romeo.send(
        "<iq type='set' id='p' to='{domain}'><query xmlns='jabber:iq:register'><username>romeo</username>\
         <password>other</password></query></iq>",
    );
    romeo.expect("<iq type='result' id='p' from='{domain}' to='{jid}'/>");
    is_refused(&server, EXPR, &phone, PHONE, "not-authorized");
    is_refused(&server, EXPR, &laptop, LAPTOP, "not-authorized");
}

/// RFC 6120 §13.12: wrong tokens are counted like wrong passwords.
#[test]
fn guesses_are_counted() {
    let server = TestServer::with(|c| c.limits.failed_logins_per_account_max = 2);
    server.account("romeo", "secret");
    let good = get_token(&server, EXPR, &user_agent(PHONE));
    for _ in 0..2 {
        is_refused(&server, EXPR, "guess", PHONE, "not-authorized");
    }
    is_refused(&server, EXPR, &good, PHONE, "temporary-auth-failure");
}

/// The operator wants none.
#[test]
fn tokens_can_be_switched_off() {
    let mut server = server();
    let good = get_token(&server, EXPR, &user_agent(PHONE));
    server.restart_with(|c| c.auth.fast_token_days = 0);
    assert!(server.connect_tls().open_to_features().raw.find("urn:xmpp:fast:0").is_none());
    is_refused(&server, EXPR, &good, PHONE, "invalid-mechanism");
}

/// An account that may not log in, and one that is gone.
#[test]
fn no_token_outlives_its_account() {
    let server = server();
    let good = get_token(&server, EXPR, &user_agent(PHONE));
    let storage = &server.server().core().storage;
    let set_disabled = |disabled| {
        server.runtime().block_on(async {
            let account = storage.account("romeo@im.example").await.unwrap().unwrap().account;
            storage.account_set_disabled(account.id, disabled).await.unwrap();
        });
    };
    set_disabled(true);
    is_refused(&server, EXPR, &good, PHONE, "not-authorized");
    set_disabled(false);
    secured(&server).fast(EXPR, "romeo", &good, &with(PHONE, ""));
    let delete = magpie::admin::protocol::Request::UserDel { jid: "romeo@im.example".into() };
    server.runtime().block_on(server.server().admin().handle(delete)).unwrap();
    server.account("romeo", "secret");
    is_refused(&server, EXPR, &good, PHONE, "not-authorized");
}

/// With too many devices the one not seen for longest is forgotten.
#[test]
fn a_bound_on_devices() {
    let server = TestServer::with(|c| c.limits.devices_per_account_max = 2);
    server.account("romeo", "secret");
    let agent = |n: u32| format!("d4565fa7-4d72-4749-b3d3-74000000000{n}");
    let tokens: Vec<_> = (0..3).map(|n| get_token(&server, EXPR, &user_agent(&agent(n)))).collect();
    is_refused(&server, EXPR, &tokens[0], &agent(0), "not-authorized");
    for n in [1, 2] {
        secured(&server).fast(EXPR, "romeo", &tokens[n as usize], &with(&agent(n), ""));
    }
}

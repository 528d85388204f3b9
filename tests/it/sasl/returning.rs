//! Who logged in before and comes back is remembered for a while. It must not be noticed, except by its speed.

use crate::support::scram::{Hash, Scram};
use crate::support::{Client, TestServer};
use magpie::ops;
use xep_support::jid::BareJid;

const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"];

fn knocks(server: &TestServer) -> Client {
    let mut client = server.connect();
    client.secure();
    client
}

fn gets_in(server: &TestServer, password: &str) {
    for mechanism in MECHANISMS {
        knocks(server).authenticate(mechanism, "romeo", password);
    }
}

fn is_refused(server: &TestServer, password: &str) {
    for mechanism in MECHANISMS {
        let mut client = knocks(server);
        match Hash::of(mechanism) {
            None => client.auth("PLAIN", &format!("\0romeo\0{password}")),
            Some(hash) => {
                let mut scram = Scram::new(hash, "romeo", password);
                client.auth(mechanism, &scram.first());
                let first = client.expect_sasl("challenge");
                let last = scram.last(&first);
                client.respond(&last);
            }
        }
        client.expect_sasl_failure("not-authorized");
    }
}

fn romeo() -> BareJid {
    BareJid::new(Some("romeo"), "im.example").unwrap()
}

fn forgiving() -> TestServer {
    TestServer::with(|c| {
        c.limits.failed_logins_per_account_max = 1000;
        c.limits.failed_logins_per_address_max = 1000;
    })
}

#[test]
fn the_right_password_gets_in_again_and_others_do_not() {
    let server = forgiving();
    server.account("romeo", "secret");
    for _ in 0..2 {
        gets_in(&server, "secret");
        for wrong in ["Secret", "secret ", "secre", "secrets"] {
            is_refused(&server, wrong);
        }
    }
}

/// RFC 6120 §13.12: what somebody did before is no licence to guess.
#[test]
fn guesses_count_also_after_a_success() {
    let server = TestServer::with(|c| c.limits.failed_logins_per_account_max = 3);
    server.account("romeo", "secret");
    knocks(&server).authenticate("PLAIN", "romeo", "secret");
    for _ in 0..3 {
        let mut client = knocks(&server);
        client.auth("PLAIN", "\0romeo\0wrong");
        client.expect_sasl_failure("not-authorized");
    }
    let mut client = knocks(&server);
    client.auth("PLAIN", "\0romeo\0secret");
    client.expect_sasl_failure("temporary-auth-failure");
}

#[test]
fn an_old_password_is_forgotten_with_its_change() {
    let server = forgiving();
    server.account("romeo", "secret");
    let change = |password: &str| {
        let core = server.server().core();
        server.runtime().block_on(ops::set_password(core, &romeo(), password.to_owned(), None)).unwrap();
    };
    gets_in(&server, "secret");
    change("better");
    is_refused(&server, "secret");
    gets_in(&server, "better");
    is_refused(&server, "secret");
    change("secret");
    is_refused(&server, "better");
    gets_in(&server, "secret");
}

#[test]
fn a_disabled_account_is_closed_also_to_who_was_there() {
    let server = forgiving();
    server.account("romeo", "secret");
    let storage = &server.server().core().storage;
    let set_disabled = |disabled| {
        let record = server.runtime().block_on(storage.account("romeo@im.example")).unwrap().unwrap();
        server.runtime().block_on(storage.account_set_disabled(record.account.id, disabled)).unwrap();
    };
    gets_in(&server, "secret");
    set_disabled(true);
    is_refused(&server, "secret");
    set_disabled(false);
    gets_in(&server, "secret");
}

/// Somebody else has the name now.
#[test]
fn a_removed_account_leaves_nothing_to_the_next_of_its_name() {
    let server = forgiving();
    server.account("romeo", "secret");
    gets_in(&server, "secret");
    let core = server.server().core();
    server.runtime().block_on(ops::delete_account(core, &romeo(), None)).unwrap();
    is_refused(&server, "secret");
    server.account("romeo", "montague");
    is_refused(&server, "secret");
    gets_in(&server, "montague");
    is_refused(&server, "secret");
}

#[test]
fn nothing_is_remembered_where_the_settings_say_so() {
    let server = TestServer::with(|c| c.limits.logins_remembered_max = 0);
    server.account("romeo", "secret");
    gets_in(&server, "secret");
    gets_in(&server, "secret");
    is_refused(&server, "wrong");
}

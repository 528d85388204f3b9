//! Guessing passwords (RFC 6120 §13.12): counted per account and per address across connections, loopback included.

use crate::support::{Client, TestServer};

fn attempt(server: &TestServer, user: &str, password: &str) -> (Client, bool) {
    let mut client = server.connect();
    client.secure();
    client.auth("PLAIN", &format!("\0{user}\0{password}"));
    let answer = client.next();
    let ok = answer.name == "success";
    assert!(ok || answer.name == "failure", "{answer:?}");
    (client, ok)
}

/// After so many failures even the right password does not help, and others are not concerned.
#[test]
fn failures_on_one_account_close_it_for_the_address() {
    let server = TestServer::with(|c| {
        c.limits.failed_logins_per_account_max = 3;
        c.limits.failed_logins_per_address_max = 100;
    });
    server.account("romeo", "secret");
    server.account("juliet", "secret");
    for _ in 0..3 {
        assert!(!attempt(&server, "romeo", "wrong").1);
    }
    assert!(!attempt(&server, "romeo", "secret").1, "throttled");
    assert!(!attempt(&server, "ROMEO", "secret").1, "another spelling is the same account");
    assert!(attempt(&server, "juliet", "secret").1, "somebody else");
}

/// Below the limit a typo costs nothing.
#[test]
fn fewer_failures_do_no_harm() {
    let server = TestServer::with(|c| c.limits.failed_logins_per_account_max = 3);
    server.account("romeo", "secret");
    for _ in 0..2 {
        assert!(!attempt(&server, "romeo", "wrong").1);
    }
    assert!(attempt(&server, "romeo", "secret").1);
}

/// An address that tries many names is stopped, whether they exist or not.
#[test]
fn failures_from_one_address_close_everything_for_it() {
    let server = TestServer::with(|c| {
        c.limits.failed_logins_per_account_max = 100;
        c.limits.failed_logins_per_address_max = 5;
    });
    server.account("juliet", "secret");
    for i in 0..5 {
        assert!(!attempt(&server, &format!("guess{i}"), "wrong").1);
    }
    assert!(!attempt(&server, "juliet", "secret").1, "throttled");
}

/// Guesses that are under way at the same time are counted like others: the limit is not one per round trip.
#[test]
fn guesses_sent_together_are_all_counted() {
    let server = TestServer::with(|c| c.limits.failed_logins_per_account_max = 3);
    server.account("romeo", "secret");
    let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.secure();
    }
    for (i, client) in clients.iter_mut().enumerate() {
        client.auth("PLAIN", &format!("\0romeo\0guess{i}"));
    }
    let looked_at = |client: &mut Client| client.next().raw.contains("not-authorized");
    let looked_at = clients.iter_mut().map(looked_at).filter(|yes| *yes).count();
    assert!(looked_at <= 3, "{looked_at} guesses were compared with the password");
}

/// Sessions that exist are not touched by it.
#[test]
fn sessions_survive_the_throttling_of_their_account() {
    let server = TestServer::with(|c| c.limits.failed_logins_per_account_max = 2);
    let mut romeo = server.online("romeo", "orchard");
    for _ in 0..4 {
        assert!(!attempt(&server, "romeo", "wrong").1);
    }
    romeo.expect_nothing();
}

/// Proxied clients have addresses of their own: one that guesses does not close the door to another.
#[test]
fn addresses_behind_a_proxy_are_counted_apart() {
    let server = TestServer::with(|c| {
        c.c2s.proxy_protocol_from = vec!["127.0.0.1".parse().unwrap()];
        c.limits.failed_logins_per_account_max = 2;
    });
    server.account("romeo", "secret");
    let attempt_from = |address: &str, password: &str| {
        let mut client = server.connect();
        client.send_bytes(format!("PROXY TCP4 {address} 192.0.2.1 40000 5222\r\n").as_bytes());
        client.secure();
        client.auth("PLAIN", &format!("\0romeo\0{password}"));
        client.next().name == "success"
    };
    for _ in 0..2 {
        assert!(!attempt_from("198.51.100.7", "wrong"));
    }
    assert!(!attempt_from("198.51.100.7", "secret"), "throttled");
    assert!(attempt_from("198.51.100.8", "secret"), "the owner, from elsewhere");
}

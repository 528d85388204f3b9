//! Messages for people who are not there (XEP-0160, XEP-0203, XEP-0334).

use crate::support::xml::El;
use crate::support::{Client, TestServer};

mod bounds;
mod broken;
mod replay;
mod store;

/// `count` chat messages with the ids `from…`, each about `bytes` long, as one piece of input.
fn burst(to: &str, from: usize, count: usize, bytes: usize) -> Vec<u8> {
    let filling = "x".repeat(bytes);
    let message = |n| format!("<message to='{to}' type='chat' id='{n}'><body>{n} {filling}</body></message>");
    (from..from + count).map(message).collect::<String>().into_bytes()
}

/// The ids of the messages among these, as numbers.
fn numbers(got: &[El]) -> Vec<usize> {
    let messages = got.iter().filter(|el| el.name == "message");
    messages.map(|el| el.attr("id").and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("{el:?}"))).collect()
}

/// Takes what comes until `enough` says so of all of it.
#[track_caller]
fn collect(client: &mut Client, mut enough: impl FnMut(&[usize]) -> bool) -> Vec<usize> {
    let mut got = Vec::new();
    while !enough(&got) {
        got.extend(numbers(&[client.next()]));
    }
    got
}

/// Logs in as juliet and takes this many kept messages, which must be all.
#[track_caller]
fn log_in_and_take(server: &TestServer, count: usize) -> Vec<usize> {
    let mut juliet = server.login("juliet", "secret", "late");
    juliet.send("<presence/>");
    let got = collect(&mut juliet, |got| got.len() >= count);
    juliet.expect_nothing();
    juliet.close();
    nothing_left(server);
    got
}

/// Another login brings nothing any more.
#[track_caller]
fn nothing_left(server: &TestServer) {
    let mut juliet = server.login("juliet", "secret", "later");
    let got = juliet.available();
    assert!(got.iter().all(|el| el.name == "presence"), "{got:?}");
    juliet.expect_nothing();
    juliet.close();
}

/// What the store says about juliet.
fn stored(server: &TestServer) -> (u64, u64) {
    let storage = &server.server().core().storage;
    server.runtime().block_on(async {
        let account = storage.account("juliet@im.example").await.unwrap().unwrap().account;
        let usage = storage.offline_count(account.id).await.unwrap();
        (usage.count, usage.bytes)
    })
}

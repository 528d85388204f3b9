//! Two rosters tell one story, whatever happens in between.

use std::fs;
use std::path::Path;

use magpie::config::Config;

use super::strangers;
use crate::support::contacts::presences;
use crate::support::xml::El;
use crate::support::{Client, TestServer, settle};

/// A server that starts on what the disk of `crashed` holds at this moment: what a power cut would leave.
fn after_a_crash(crashed: &TestServer) -> TestServer {
    let copy = |from: &Path, to: &Path| {
        fs::create_dir_all(to).unwrap();
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            // The shared memory file is made anew by whoever opens the database first.
            if name.starts_with("magpie.db") && !name.ends_with("-shm") || name == "handout.journal" {
                fs::copy(file.path(), to.join(name)).unwrap();
            }
        }
    };
    TestServer::with(|c: &mut Config| copy(&crashed.config().data_dir, &c.data_dir))
}

/// RFC 6121 §3.1.2, §3.1.3: each step of the handshake is on both disks' worth of rosters before it is acknowledged by
/// anything that follows.
#[test]
fn every_acknowledged_step_survives_a_crash() {
    let (server, mut romeo, mut juliet) = strangers();
    let look = |romeo_has: &str, juliet_has: &str, asked: &[&str]| {
        let server = after_a_crash(&server);
        let mut romeo = server.login("romeo", "secret", "orchard");
        romeo.expect_roster(&[romeo_has]);
        let mut juliet = server.login("juliet", "secret", "balcony");
        juliet.expect_roster(&[juliet_has]);
        assert_eq!(presences(&juliet.available(), "subscribe"), asked);
    };
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.sync();
    look("<item jid='juliet@im.example' subscription='none' ask='subscribe'/>", "", &["romeo@im.example"]);
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    juliet.sync();
    let (to, from) =
        ("<item jid='juliet@im.example' subscription='to'/>", "<item jid='romeo@im.example' subscription='from'/>");
    look(to, from, &[]);
    romeo.sync();
    romeo.roster_set("r", "<item jid='juliet@im.example' subscription='remove'/>");
    romeo.sync();
    look("", "<item jid='romeo@im.example' subscription='none'/>", &[]);
}

/// RFC 6121 §3.1.2: the own side was changed, so the contact's must be, even if the user's connection breaks in between:
/// the answer to the first half is a push that the client's side of the connection refuses.
#[test]
fn a_broken_connection_does_not_leave_half_a_subscription() {
    let mut server = TestServer::start();
    server.accounts(&["romeo"]);
    let contacts: Vec<String> = (0..12).map(|n| format!("contact{n}")).collect();
    for contact in &contacts {
        server.account(contact, "secret");
        let romeo = server.present("romeo", "orchard");
        romeo.send_and_reset(&format!("<presence type='subscribe' to='{contact}@im.example'/>"));
    }
    // A stop ends what is under way.
    server.restart();
    let mut romeo = server.present("romeo", "orchard");
    let roster = romeo.roster();
    for contact in &contacts {
        let mut client = server.login(contact, "secret", "desk");
        let asked = !presences(&client.available(), "subscribe").is_empty();
        let jid = format!("{contact}@im.example");
        let asking = roster.iter().any(|item| item.attr("jid") == Some(&jid));
        assert_eq!(asking, asked, "{contact}: one roster says so, the other does not");
    }
}

/// RFC 6121 §2.5.2: the same for a removal, whose second half is the end of both subscriptions.
#[test]
fn a_broken_connection_does_not_leave_half_a_removal() {
    let mut server = TestServer::start();
    server.account("romeo", "secret");
    let contacts: Vec<String> = (0..8).map(|n| format!("contact{n}")).collect();
    for contact in &contacts {
        server.account(contact, "secret");
        server.friends("romeo", contact);
    }
    for contact in &contacts {
        let romeo = server.present("romeo", "orchard");
        romeo.send_and_reset(&format!(
            "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='{contact}@im.example' \
             subscription='remove'/></query></iq>"
        ));
    }
    server.restart();
    let mut romeo = server.present("romeo", "orchard");
    let left = romeo.roster();
    for contact in &contacts {
        let mut client = server.login(contact, "secret", "desk");
        let jid = format!("{contact}@im.example");
        let state = if left.iter().any(|item| item.attr("jid") == Some(&jid)) { "both" } else { "none" };
        client.expect_roster(&[&format!("<item jid='romeo@im.example' subscription='{state}'/>")]);
    }
}

/// The items of a roster as `jid subscription ask`.
fn summary(client: &mut Client) -> Vec<String> {
    let describe = |item: &El| {
        let attr = |name| item.attr(name).unwrap_or("-").to_owned();
        format!("{} {} {}", attr("jid"), attr("subscription"), attr("ask"))
    };
    let mut all: Vec<String> = client.roster().iter().map(describe).collect();
    all.sort();
    all
}

/// RFC 6121 §3: stanzas of one client take effect in the order they were sent, however fast they come.
#[test]
fn pipelined_changes_of_mind_take_effect_in_order() {
    let (_server, mut romeo, mut juliet) = strangers();
    let turns: String = (0..10)
        .flat_map(|_| ["subscribe", "unsubscribe"])
        .map(|kind| format!("<presence type='{kind}' to='juliet@im.example'/>"))
        .collect();
    romeo.send(&turns);
    romeo.sync();
    let kinds: Vec<String> = juliet.sync().iter().filter_map(|el| el.attr("type").map(str::to_owned)).collect();
    let wanted: Vec<&str> = (0..10).flat_map(|_| ["subscribe", "unsubscribe"]).collect();
    assert_eq!(kinds, wanted);
    assert_eq!(summary(&mut romeo), ["juliet@im.example none -"]);
}

/// RFC 6121 Appendix A: both sides at once, from several resources: whatever the interleaving, the rosters agree.
#[test]
fn concurrent_changes_end_in_agreement() {
    let (server, mut romeo, mut juliet) = strangers();
    let mut garden = server.present("romeo", "garden");
    let mut chamber = server.present("juliet", "chamber");
    let kinds = ["subscribe", "subscribed", "unsubscribe", "unsubscribed"];
    for round in 0..20 {
        romeo.send(&format!("<presence type='{}' to='juliet@im.example'/>", kinds[round % 4]));
        juliet.send(&format!("<presence type='{}' to='romeo@im.example'/>", kinds[(round / 2) % 4]));
        garden.send(&format!("<presence type='{}' to='juliet@im.example'/>", kinds[(round / 3) % 4]));
        chamber.send(&format!("<presence type='{}' to='romeo@im.example'/>", kinds[(round / 4) % 4]));
    }
    for client in [&mut romeo, &mut juliet, &mut garden, &mut chamber] {
        client.sync();
    }
    // A last word from both, so that there is one outcome.
    romeo.send("<presence type='unsubscribe' to='juliet@im.example'/>");
    romeo.send("<presence type='unsubscribed' to='juliet@im.example'/>");
    romeo.sync();
    juliet.sync();
    juliet.send("<presence type='unsubscribe' to='romeo@im.example'/>");
    juliet.send("<presence type='unsubscribed' to='romeo@im.example'/>");
    for client in [&mut juliet, &mut romeo, &mut garden, &mut chamber] {
        client.sync();
    }
    settle(&mut romeo, &mut juliet);
    for (client, other) in [(&mut romeo, "juliet"), (&mut juliet, "romeo")] {
        assert_eq!(summary(client), [format!("{other}@im.example none -")]);
    }
}

/// RFC 6121 §3.1: many people ask one; all of them are heard, and all of them answered.
#[test]
fn many_requests_at_once() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut juliet = server.present("juliet", "balcony");
    let mut askers: Vec<Client> = (0..25)
        .map(|n| {
            server.account(&format!("asker{n:02}"), "secret");
            server.present(&format!("asker{n:02}"), "street")
        })
        .collect();
    for asker in &mut askers {
        asker.send("<presence type='subscribe' to='juliet@im.example'/>");
    }
    for asker in &mut askers {
        asker.sync();
    }
    let mut asked = presences(&juliet.sync(), "subscribe");
    for from in &asked {
        juliet.send(&format!("<presence type='subscribed' to='{from}'/>"));
    }
    juliet.sync();
    asked.sort();
    let all: Vec<String> = (0..25).map(|n| format!("asker{n:02}@im.example")).collect();
    assert_eq!(asked, all);
    for asker in &mut askers {
        let seen = asker.sync();
        assert_eq!(presences(&seen, "subscribed"), ["juliet@im.example"]);
        assert_eq!(presences(&seen, ""), [juliet.var("jid")]);
        assert_eq!(summary(asker), ["juliet@im.example to -"]);
    }
}

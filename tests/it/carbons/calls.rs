//! Calls (XEP-0353): they ring everywhere, stop ringing when they are taken, and do not ring when it is too late.

use super::{copy, device, received, sent, three};
use crate::support::{Client, TestServer, settle};
use std::time::Duration;

fn about(name: &str) -> String {
    format!("<{name} xmlns='urn:xmpp:jingle-message:0' id='ca3cf894'/><store xmlns='urn:xmpp:hints'/>")
}

fn send(from: &mut Client, to: &str, name: &str) {
    from.send(&format!("<message to='{to}' type='chat' id='{name}'>{}</message>", about(name)));
}

fn message(from: &str, to: &str, name: &str) -> String {
    format!("<message from='{from}' to='{to}' type='chat' id='{name}'>{}</message>", about(name))
}

/// §3.1, §3.2, §3.4, §3.7.
#[test]
fn a_call_from_ring_to_end() {
    let server = TestServer::start();
    let (mut orchard, mut balcony, mut phone) = three(&server);
    let mut garden = device(&server, "romeo", "garden");
    let mut shy = device(&server, "juliet", "shy");
    shy.send("<presence><priority>-1</priority></presence>");
    shy.sync();
    for client in [&mut orchard, &mut balcony, &mut phone] {
        client.sync();
    }
    send(&mut orchard, "juliet@im.example", "propose");
    let propose = message("{romeo/orchard}", "juliet@im.example", "propose");
    balcony.expect(&propose);
    phone.expect(&propose);
    shy.expect(&received(&propose));
    garden.expect(&sent(&propose));
    for name in ["ringing", "proceed"] {
        send(&mut phone, "{romeo/orchard}", name);
        let answer = message("{juliet/phone}", "{romeo/orchard}", name);
        orchard.expect(&answer);
        garden.expect(&received(&answer));
        balcony.expect(&sent(&answer));
        shy.expect(&sent(&answer));
    }
    send(&mut orchard, "{juliet/phone}", "finish");
    let finish = message("{romeo/orchard}", "{juliet/phone}", "finish");
    phone.expect(&finish);
    balcony.expect(&received(&finish));
    garden.expect(&sent(&finish));
    phone.expect_nothing();
    orchard.expect_nothing();
}

/// §3.3, §3.5: taken back, or turned down; of type `normal` as well, which some send.
#[test]
fn other_devices_stop_ringing() {
    let server = TestServer::start();
    let (mut orchard, mut balcony, mut phone) = three(&server);
    phone.send(&format!("<message to='{{romeo}}'>{}</message>", about("reject")));
    let reject = format!("<message from='{{juliet/phone}}' to='{{romeo}}'>{}</message>", about("reject"));
    orchard.expect(&reject);
    balcony.expect(&copy("sent", "", &reject));
    send(&mut orchard, "juliet@im.example", "retract");
    let retract = message("{romeo}", "juliet@im.example", "retract");
    phone.expect(&retract);
    balcony.expect(&retract);
    // As older clients take a call: telling their own account.
    send(&mut phone, "juliet@im.example", "accept");
    balcony.expect(&message("{juliet/phone}", "juliet@im.example", "accept"));
}

/// A device that wakes up while it still rings is told.
#[test]
fn a_call_is_kept_while_it_may_ring() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    send(&mut romeo, "juliet@im.example", "propose");
    romeo.expect_nothing();
    let mut phone = server.login("juliet", "secret", "phone");
    phone.send("<presence/>");
    phone.expect("<presence from='{jid}' to='{jid}'/>");
    phone.expect("<message from='{romeo}' to='juliet@im.example' type='chat' id='propose'><any/></message>");
}

/// No phone rings for a call that is over; what else was said is there, and the archive tells of the call.
#[test]
fn a_call_that_is_over_does_not_ring() {
    let mut server = TestServer::with(|c| c.archive.enabled = true);
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<message to='juliet@im.example' type='chat' id='1'><body>now</body></message>");
    send(&mut romeo, "juliet@im.example", "propose");
    romeo.send("<message to='juliet@im.example' type='chat' id='2'><body>later</body></message>");
    send(&mut romeo, "juliet@im.example", "retract");
    romeo.expect_nothing();
    // By now it has been over for long.
    server.restart_with(|c| c.offline.call_seconds = Duration::ZERO);
    let mut romeo = server.login("romeo", "secret", "orchard");
    send(&mut romeo, "juliet@im.example", "propose");
    romeo.expect_nothing();
    for kept in [&["1", "2"][..], &[]] {
        let mut phone = server.login("juliet", "secret", "phone");
        phone.send("<presence/>");
        phone.expect("<presence from='{jid}' to='{jid}'/>");
        for id in kept {
            phone.expect(&format!(
                "<message from='{{any}}' to='juliet@im.example' type='chat' id='{id}'><any/></message>"
            ));
        }
        phone.expect_nothing();
        phone.send("<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2'/></iq>");
        for _ in 0..5 {
            phone.expect("<message from='{opt}' to='{jid}'><any/></message>");
        }
        phone.expect("<iq type='result' id='mam' from='{opt}' to='{jid}'><any/></iq>");
        phone.close();
    }
    // One that waited behind them is not held up.
    let mut phone = device(&server, "juliet", "phone");
    send(&mut romeo, "juliet@im.example", "propose");
    phone.expect("<message from='{romeo}' to='juliet@im.example' type='chat' id='propose'><any/></message>");
    settle(&mut romeo, &mut phone);
}

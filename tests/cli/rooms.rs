//! `magpie room …`, beside a running server and without one.

use crate::support::{Client, Home};

const ROOM: &str = "cave@conference.localhost";

fn enter(client: &mut Client, nick: &str) {
    client.send(&format!("<presence to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    client.until("<subject");
}

#[test]
fn rooms_are_made_configured_and_destroyed() {
    let home = Home::new();
    home.add("crone@localhost");
    home.add("hag@localhost");
    assert_eq!(home.run("room list").out, "no rooms\n");
    // Without a server.
    let made = home.run(&format!("room create {ROOM} --owner crone@localhost roomname=Cave"));
    assert_eq!((made.code, made.out.as_str()), (0, &*format!("{ROOM} is there\n")), "{}", made.err);
    assert_eq!(home.run(&format!("room create {ROOM} --owner crone@localhost")).code, 1, "twice");

    let server = home.serve("--allow-plaintext-auth");
    let (mut crone, mut hag) = (server.login("crone"), server.login("hag"));
    enter(&mut crone, "firstwitch");
    enter(&mut hag, "third witch");
    let list = home.json("room list");
    let row = &list["rooms"][0];
    assert_eq!((&row["room"], &row["name"], &row["occupants"]), (&ROOM.into(), &"Cave".into(), &2.into()), "{list}");
    assert_eq!(home.json("room list conference.localhost"), list);
    assert!(home.run("room list").out.contains("Cave"));

    // What is changed is told to those who are there.
    assert_eq!(home.run(&format!("room config {ROOM} changesubject=1 maxusers=20")).code, 0);
    hag.until("<status code='104'/>");
    let shown = home.run(&format!("room show {ROOM}")).out;
    for part in ["changesubject", "maxusers", "crone@localhost", "owner", "third witch", "hag@localhost/here"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert_eq!(home.json(&format!("room show {ROOM}"))["occupants"].as_array().unwrap().len(), 2);
    assert_eq!(home.run(&format!("room config {ROOM} colour=red")).code, 2);
    assert_eq!(home.run(&format!("room config {ROOM} whois=nobody")).code, 2);
    assert_eq!(home.run(&format!("room config {ROOM} whois")).code, 2);

    assert_eq!(home.run(&format!("room affiliation {ROOM} hag@localhost admin")).code, 0);
    hag.until("affiliation='admin'");
    assert_eq!(home.run(&format!("room affiliation {ROOM} crone@localhost none")).code, 1, "the last owner");
    assert_eq!(home.run(&format!("room affiliation {ROOM} hag@localhost king")).code, 2);
    assert_eq!(home.run(&format!("room affiliation {ROOM} x.example member")).code, 2);
    assert_eq!(home.run(&format!("room kick {ROOM} nobody")).code, 1);
    assert_eq!(home.run(&format!("room kick {ROOM} firstwitch --reason out")).code, 0);
    crone.until("<status code='307'/>");

    assert_eq!(home.run(&format!("room hat create {ROOM} urn:x:host Host --hue 300")).code, 0);
    assert_eq!(home.run(&format!("room hat create {ROOM} host Host")).code, 2, "no URI");
    assert_eq!(home.run(&format!("room hat assign {ROOM} hag@localhost urn:x:host")).code, 0);
    hag.until("uri='urn:x:host'");
    assert_eq!(home.run(&format!("room hat assign {ROOM} hag@localhost urn:x:none")).code, 1);
    assert_eq!(home.run(&format!("room hat assign {ROOM} localhost urn:x:host")).code, 2);
    let hats = &home.json(&format!("room show {ROOM}"))["hats"];
    assert_eq!((&hats[0]["title"], &hats[0]["worn_by"][0]), (&"Host".into(), &"hag@localhost".into()), "{hats}");
    assert!(home.run(&format!("room show {ROOM}")).out.contains("urn:x:host"));
    assert_eq!(home.run(&format!("room hat unassign {ROOM} hag@localhost urn:x:host")).code, 0);
    hag.until("<hats xmlns='urn:xmpp:hats:0'/>");
    assert_eq!(home.run(&format!("room hat unassign {ROOM} hag@localhost urn:x:host")).code, 1);
    assert_eq!(home.run(&format!("room hat destroy {ROOM} urn:x:host")).code, 0);
    assert_eq!(home.run(&format!("room hat destroy {ROOM} urn:x:host")).code, 1);

    hag.send(&format!("<message to='{ROOM}' type='groupchat' id='m1'><body>Spells &amp; more</body></message>"));
    hag.until("id='m1'");
    assert_eq!(home.json(&format!("room archive show {ROOM}"))["messages"], 1);
    let exported = home.run(&format!("room archive export {ROOM}")).out;
    assert!(exported.contains("Spells &amp; more") && exported.lines().count() == 1, "{exported}");
    assert_eq!(home.json(&format!("room archive purge {ROOM} --older-than-days 1 --yes"))["messages"], 0);
    assert_eq!(home.json(&format!("room archive purge {ROOM} --yes"))["messages"], 1);

    // Who is not asked has to say so.
    assert_ne!(home.run(&format!("room destroy {ROOM}")).code, 0);
    assert_eq!(home.run(&format!("room destroy {ROOM} --alternate heath@conference.localhost --yes")).code, 0);
    hag.until("<destroy jid='heath@conference.localhost'");
    assert_eq!(home.run(&format!("room show {ROOM}")).code, 1);
    assert_eq!(home.run(&format!("room destroy {ROOM} --yes")).code, 1);
    assert_eq!(home.run("room list").out, "no rooms\n");
    assert_eq!(home.run(&format!("room create {ROOM} --owner crone@localhost")).code, 1, "its name is kept");
    assert_eq!(home.run("room show cave@localhost").code, 2);
}

#[test]
fn a_service_keeps_somebody_out() {
    let home = Home::new();
    home.add("hag@localhost");
    assert_eq!(home.run("room block list").out, "nobody is kept out\n");
    assert_eq!(home.run("room block add hag@localhost --reason spam").code, 0);
    assert!(home.run("room block list").out.contains("spam"));
    let server = home.serve("--allow-plaintext-auth");
    let mut hag = server.login("hag");
    hag.send(&format!("<presence to='{ROOM}/hag'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    hag.until("<forbidden");
    assert_eq!(home.run("room block remove hag@localhost").code, 0);
    assert_eq!(home.run("room block remove hag@localhost").code, 1);
    enter(&mut hag, "hag");
    assert_eq!(home.run("room block add x --service localhost").code, 2);
}

//! `magpie archive show|export|purge`.

use crate::support::{Client, Home, Running};

/// A server with an archive, and two who use it.
fn server(home: &Home) -> (Running, Client, Client) {
    home.write("magpie.toml", "[archive]\nenabled = true\n");
    let server = home.serve("--allow-plaintext-auth");
    home.add("romeo@localhost");
    home.add("juliet@localhost");
    let (mut romeo, mut juliet) = (server.login("romeo"), server.login("juliet"));
    for client in [&mut romeo, &mut juliet] {
        client.send("<presence/>");
        client.settle();
    }
    (server, romeo, juliet)
}

fn say(from: &mut Client, to: &str, text: &str) {
    from.send(&format!("<message to='{to}@localhost' type='chat'><body>{text}</body></message>"));
    from.settle();
}

/// The lines of an export.
fn exported(home: &Home, jid: &str) -> Vec<String> {
    let done = home.run(&format!("archive export {jid}"));
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    done.out.lines().map(str::to_owned).collect()
}

#[test]
fn an_archive_is_counted() {
    let home = Home::new();
    let (_server, mut romeo, mut juliet) = server(&home);
    assert_eq!(home.run("archive show romeo@localhost").out, "romeo@localhost: 0 messages\n");
    let none = home.json("archive show romeo@localhost");
    assert_eq!((&none["messages"], &none["first"]), (&0.into(), &serde_json::Value::Null));
    say(&mut romeo, "juliet", "1");
    say(&mut juliet, "romeo", "2");
    say(&mut juliet, "juliet", "a note to myself");
    for (jid, messages) in [("romeo@localhost", 2), ("juliet@localhost", 3)] {
        let row = home.json(&format!("archive show {jid}"));
        assert_eq!((&row["jid"], &row["messages"]), (&jid.into(), &messages.into()));
        let (first, last) = (row["first"].as_str().unwrap(), row["last"].as_str().unwrap());
        assert!(first.ends_with('Z') && first <= last, "{row}");
        let text = home.run(&format!("archive show {jid}")).out;
        assert_eq!(text, format!("{jid}: {messages} messages, from {first} to {last}\n"));
    }
}

/// One element per line, oldest first, as the archive gives it to clients; of as many pages as it takes.
#[test]
fn an_archive_is_exported() {
    let home = Home::new();
    let (_server, mut romeo, mut juliet) = server(&home);
    assert_eq!(exported(&home, "romeo@localhost"), [""; 0]);
    for n in 0..1_200 {
        romeo.send(&format!("<message to='juliet@localhost' type='chat'><body>{n}</body></message>"));
        if n % 100 == 0 {
            romeo.settle();
        }
    }
    romeo.settle();
    say(&mut juliet, "romeo", "a &lt;b&gt; &amp;\n\u{e4}&#10;c");
    let lines = exported(&home, "romeo@localhost");
    assert_eq!(lines.len(), 1_201);
    let mut last_id = i64::MIN;
    for (n, line) in lines.iter().enumerate() {
        let element = xep_support::xml::Element::parse(line, "").unwrap();
        assert!(element.is("result", "urn:xmpp:mam:2"), "{line}");
        let id: i64 = element.get_attr("id").unwrap().parse().unwrap();
        assert!(id > last_id, "{line}");
        last_id = id;
        let forwarded = element.find("forwarded", "urn:xmpp:forward:0").unwrap();
        let stamp = forwarded.find("delay", "urn:xmpp:delay").unwrap().get_attr("stamp").unwrap();
        assert!(stamp.ends_with('Z'), "{line}");
        let message = forwarded.find("message", "jabber:client").unwrap();
        let body = message.find("body", "jabber:client").unwrap().text_content();
        let (from, text) = match n {
            1_200 => ("juliet@localhost/here", "a <b> &\n\u{e4}\nc".to_owned()),
            n => ("romeo@localhost/here", n.to_string()),
        };
        assert_eq!((message.get_attr("from"), body), (Some(from), text));
    }
    let json = home.json("archive export juliet@localhost");
    let messages = json["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1_201);
    assert!(messages[1_200]["stanza"].as_str().unwrap().starts_with("<message "), "{}", messages[1_200]);
}

/// All of it, or what is old; of nobody else, and only when it was confirmed.
#[test]
fn an_archive_is_purged() {
    let home = Home::new();
    let (_server, mut romeo, mut juliet) = server(&home);
    say(&mut romeo, "juliet", "1");
    say(&mut juliet, "romeo", "2");
    let refused = home.run("archive purge romeo@localhost");
    assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{}", refused.err);
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    let old = home.run("archive purge romeo@localhost --older-than-days 1 --yes");
    assert_eq!((old.code, old.out.as_str()), (0, "0 messages deleted\n"));
    assert_eq!(exported(&home, "romeo@localhost").len(), 2);
    assert_eq!(home.json("archive purge romeo@localhost --yes")["messages"], 2);
    assert_eq!(exported(&home, "romeo@localhost").len(), 0);
    assert_eq!(exported(&home, "juliet@localhost").len(), 2);
    say(&mut romeo, "juliet", "3");
    assert_eq!(exported(&home, "romeo@localhost").len(), 1, "it goes on");
}

/// The same on the data of a server that does not run, and with the archive turned off.
#[test]
fn a_stopped_server_has_its_archives() {
    let home = Home::new();
    let (mut server, mut romeo, _juliet) = server(&home);
    say(&mut romeo, "juliet", "kept");
    assert_eq!(home.run("stop").code, 0);
    assert_eq!(server.ended(), 0);
    home.write("magpie.toml", "[archive]\nenabled = false\n");
    assert_eq!(home.json("archive show juliet@localhost")["messages"], 1);
    assert!(exported(&home, "juliet@localhost")[0].contains("<body>kept</body>"));
    assert_eq!(home.run("archive purge juliet@localhost -y").out, "1 message deleted\n");
    assert_eq!(home.json("archive show juliet@localhost")["messages"], 0);
}

#[test]
fn archives_that_are_not_there() {
    let home = Home::new();
    let (_server, ..) = server(&home);
    for command in ["show", "export", "purge -y"] {
        assert_eq!(home.run(&format!("archive {command} nobody@localhost")).code, 1, "{command}");
        assert_eq!(home.run(&format!("archive {command} romeo@example.org")).code, 2, "{command}");
        assert_eq!(home.run(&format!("archive {command} localhost")).code, 2, "{command}");
    }
}

//! `magpie push list`, `magpie push test`.

use crate::support::{Client, Home};

const ENABLE: &str =
    "<iq type='set' id='e'><enable xmlns='urn:xmpp:push:0' jid='push@localhost/here' node='phone'/></iq>";

/// Answers one notification: a result, or an error with this condition.
fn answer(service: &mut Client, condition: Option<&str>) -> String {
    let iq = service.until("</iq>");
    let after = |mark: &str| iq.split(mark).nth(1).and_then(|rest| rest.split('\'').next()).expect(mark).to_owned();
    let (id, from) = (after(" id='"), after(" from='"));
    service.send(&match condition {
        None => format!("<iq type='result' id='{id}' to='{from}'/>"),
        Some(condition) => format!(
            "<iq type='error' id='{id}' to='{from}'><error type='cancel'>\
             <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        ),
    });
    iq
}

#[test]
fn registrations_are_listed_and_tested() {
    let home = Home::new();
    let server = home.serve("--allow-plaintext-auth");
    for user in ["romeo", "juliet", "push"] {
        home.add(&format!("{user}@localhost"));
    }
    assert_eq!(home.json("push list")["registrations"].as_array().unwrap().len(), 0);
    assert_eq!(home.run("push list").out, "no registrations\n");
    assert!(home.run("push test juliet@localhost").out.starts_with("no registrations: "));
    let mut service = server.login("push");
    let mut juliet = server.login("juliet");
    juliet.send(ENABLE);
    juliet.until("id='e'");

    let command = home.command("push test juliet@localhost --json").spawn().unwrap();
    let iq = answer(&mut service, None);
    assert!(iq.contains("from='juliet@localhost'") && iq.contains("node='phone'"), "{iq}");
    let done = command.wait_with_output().unwrap();
    let tested: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let tested = &tested["push_tested"][0];
    assert_eq!((&tested["service"], &tested["node"]), (&"push@localhost/here".into(), &"phone".into()));
    assert_eq!((&tested["resource"], &tested["error"]), (&"here".into(), &serde_json::Value::Null));

    // A test that fails is no reason to remove anything.
    let command = home.command("push test juliet@localhost").spawn().unwrap();
    answer(&mut service, Some("item-not-found"));
    let text = String::from_utf8(command.wait_with_output().unwrap().stdout).unwrap();
    assert!(text.contains("push@localhost/here  phone  item-not-found"), "{text}");

    let list = home.json("push list");
    let row = &list["registrations"][0];
    assert_eq!((&row["jid"], &row["failures"]), (&"juliet@localhost".into(), &0.into()));
    assert_eq!(row["last"][0]["outcome"], "delivered");
    assert_eq!(row["last"][1]["outcome"], "item-not-found");
    assert_eq!(home.json("push list juliet@localhost"), list);
    assert_eq!(home.json("push list romeo@localhost")["registrations"].as_array().unwrap().len(), 0);
    let text = home.run("push list juliet@localhost").out;
    assert!(text.contains("NOTIFICATION") && text.contains("  here    delivered"), "{text}");
}

#[test]
fn registrations_are_listed_without_a_server() {
    let home = Home::new();
    let mut server = home.serve("--allow-plaintext-auth");
    home.add("juliet@localhost");
    let mut juliet = server.login("juliet");
    juliet.send(ENABLE);
    juliet.until("id='e'");
    assert_eq!(home.run("stop").code, 0);
    assert_eq!(server.ended(), 0);
    let list = home.json("push list");
    let row = &list["registrations"][0];
    assert_eq!((&row["jid"], &row["node"]), (&"juliet@localhost".into(), &"phone".into()));
    assert_eq!(row["last"].as_array().unwrap().len(), 0);
    assert_eq!(home.run("push test juliet@localhost").code, 3);
    assert_eq!(home.run("push list nobody@localhost").code, 1);
    assert_eq!(home.run("push list juliet@example.org").code, 2);
}

//! `magpie pubsub list|show|delete`, with the server running and without.

use crate::support::Home;

#[test]
fn nodes_are_listed_shown_and_deleted() {
    let home = Home::new();
    home.add("juliet@localhost");
    assert_eq!(home.run("pubsub list").out, "no nodes\n");
    let server = home.serve("--allow-plaintext-auth");
    let mut juliet = server.login("juliet");
    juliet.send(
        "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:tune'><item id='1'>\
         <tune xmlns='urn:tune'/></item></publish></pubsub></iq>",
    );
    juliet.until("id='p'");
    let list = home.json("pubsub list");
    let row = &list["nodes"][0];
    assert_eq!((&row["owner"], &row["node"]), (&"juliet@localhost".into(), &"urn:tune".into()));
    assert_eq!((&row["items"], &row["access_model"]), (&1.into(), &"presence".into()));
    assert_eq!(home.json("pubsub list juliet@localhost"), list);
    assert_eq!(home.json("pubsub list pubsub.localhost")["nodes"].as_array().unwrap().len(), 0);
    let shown = home.run("pubsub show juliet@localhost urn:tune").out;
    assert!(shown.contains("urn:tune of juliet@localhost") && shown.contains("access_model"), "{shown}");
    drop(server);

    // Who is not asked has to say so.
    assert_ne!(home.run("pubsub delete juliet@localhost urn:tune").code, 0);
    let done = home.run("pubsub delete juliet@localhost urn:tune --yes");
    assert_eq!(
        (done.code, done.out.as_str()),
        (0, "the node urn:tune of juliet@localhost is deleted\n"),
        "{}",
        done.err
    );
    assert_eq!(home.run("pubsub delete juliet@localhost urn:tune --yes").code, 1);
    assert_eq!(home.run("pubsub list").out, "no nodes\n");
}

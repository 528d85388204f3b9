//! Retraction (XEP-0424): tombstones.

use super::{conversation, query, server};

fn retraction(to: &str, id: &str, target: &str) -> String {
    format!(
        "<message to='{to}' type='chat' id='{id}'><retract xmlns='urn:xmpp:message-retract:1' id='{target}'/>\
         <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/><body>gone</body></message>"
    )
}

/// §4: in both archives; the retraction itself stays.
#[test]
fn its_sender_leaves_a_tombstone() {
    let server = server();
    let (mut romeo, mut juliet) = conversation(&server, 3);
    romeo.send(&retraction("juliet@im.example", "r1", "1"));
    romeo.expect_nothing();
    juliet.sync();
    for client in [&mut romeo, &mut juliet] {
        let found = query(client, "");
        assert_eq!(found.bodies(), ["", "2", "3", "gone"]);
        let tombstone = found.messages()[0].clone();
        let pattern = "<message from='{romeo}' to='juliet@im.example' type='chat' id='1'>\
             <retracted xmlns='urn:xmpp:message-retract:1' id='r1' stamp='{any}Z'/></message>";
        client.matches(pattern, &tombstone).unwrap();
    }
    // Once more changes nothing.
    romeo.send(&retraction("juliet@im.example", "r2", "1"));
    romeo.expect_nothing();
    let again = query(&mut romeo, "");
    assert!(again.messages()[0].raw.contains("'r1'"), "{:?}", again.messages());
}

/// §5: nobody else's, and nothing that is not there.
#[test]
fn nobody_retracts_what_another_one_said() {
    let server = server();
    let (mut romeo, mut juliet) = conversation(&server, 2);
    let mut nurse = server.online("nurse", "chamber");
    juliet.send(&retraction("romeo@im.example", "r1", "1"));
    juliet.expect_nothing();
    nurse.send(&retraction("romeo@im.example", "r2", "2"));
    nurse.send(&retraction("juliet@im.example", "r3", "1"));
    nurse.expect_nothing();
    romeo.send(&retraction("juliet@im.example", "r4", "no such id"));
    romeo.sync();
    juliet.sync();
    for client in [&mut romeo, &mut juliet] {
        assert_eq!(query(client, "").bodies()[..2], ["1", "2"]);
    }
}

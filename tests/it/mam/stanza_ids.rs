//! Stanza ids (XEP-0359, XEP-0313 §3.5).

use super::{conversation, query, server};
use crate::support::TestServer;

/// The addressee learns the id in its own archive, the sender's is nobody else's business.
#[test]
fn a_client_learns_the_id_in_its_archive() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    romeo.send("<message to='juliet@im.example' type='chat'><body>hi</body></message>");
    juliet.expect(
        "<message from='{romeo}' to='juliet@im.example' type='chat'><body>hi</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='juliet@im.example' id='{id}'/></message>",
    );
    assert_eq!(query(&mut juliet, "").ids(), [juliet.var("id")]);
}

/// §3 rules 2 and 3: forged ones go, those of others stay, whether there is an archive or not.
#[test]
fn forged_ids_are_taken_out() {
    for enabled in [false, true] {
        let server = TestServer::with(|c| c.archive.enabled = enabled);
        let mut romeo = server.online("romeo", "orchard");
        let mut juliet = server.online("juliet", "balcony");
        romeo.send(
            "<message to='juliet@im.example' type='chat'><stanza-id xmlns='urn:xmpp:sid:0' by='juliet@im.example' id='1'/>\
             <body>hi</body><stanza-id xmlns='urn:xmpp:sid:0' by='Romeo@im.EXAMPLE/x' id='2'/>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='room@muc.example' id='3'/>\
             <origin-id xmlns='urn:xmpp:sid:0' id='4'/></message>",
        );
        let own = "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@im.example' id='{id}'/>";
        let own = if enabled { own } else { "" };
        juliet.expect(&format!(
            "<message from='{{romeo}}' to='juliet@im.example' type='chat'><body>hi</body>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='room@muc.example' id='3'/>\
             <origin-id xmlns='urn:xmpp:sid:0' id='4'/>{own}</message>"
        ));
        if enabled {
            assert_ne!(juliet.var("id"), "1");
            let archived = query(&mut juliet, "").messages()[0].raw.clone();
            assert!(!archived.contains("id='1'") && archived.contains("id='3'"), "{archived}");
        }
    }
}

/// A message that nothing archives has no id.
#[test]
fn what_is_not_archived_has_no_id() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    let children = "<body>hi</body><no-store xmlns='urn:xmpp:hints'/>";
    romeo.send(&format!("<message to='juliet@im.example' type='chat'>{children}</message>"));
    juliet.expect(&format!("<message from='{{romeo}}' to='juliet@im.example' type='chat'>{children}</message>"));
}

/// XEP-0313 §3, XEP-0359 §6: who sees ids cannot guess others, nor infer anything from them; they stay the same.
#[test]
fn ids_say_nothing_and_stay() {
    let mut server = server();
    let (mut romeo, _juliet) = conversation(&server, 2);
    let ids = query(&mut romeo, "").ids();
    let common = ids[0].chars().zip(ids[1].chars()).filter(|(a, b)| a == b).count();
    assert!(ids[0].len() == ids[1].len() && common < 6, "{ids:?}");
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    assert_eq!(query(&mut romeo, "").ids(), ids);
}

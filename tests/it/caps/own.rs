//! XEP-0115 §6.3 and XEP-0390 §5.2: the capabilities of the server, which a client need not ask for again.

use base64::Engine;
use sha2::{Digest, Sha256};

use super::STANDARD;
use crate::support::TestServer;
use crate::support::xml::El;

const CAPS: &str = "http://jabber.org/protocol/caps";
const CAPS2: &str = "urn:xmpp:caps";
const INFO: &str = "http://jabber.org/protocol/disco#info";

/// The features of a stream after login.
fn features(server: &TestServer) -> El {
    let mut client = server.connect();
    client.open_to_features();
    client.starttls();
    client.open_to_features();
    client.auth("PLAIN", "\0romeo\0secret");
    client.expect_sasl("success");
    client.open();
    client.features()
}

fn attrs<'a>(info: &'a El, name: &str, keys: &[&str]) -> Vec<Vec<&'a str>> {
    let mut all: Vec<Vec<&str>> = info
        .elements()
        .filter(|el| el.name == name)
        .map(|el| keys.iter().map(|key| el.attr(key).unwrap_or("")).collect())
        .collect();
    all.sort();
    all
}

/// The features of disco#info have no forms as long as no contact address is set: the test leaves them out.
#[test]
fn the_features_have_the_hashes_of_the_servers_information() {
    let server = TestServer::start();
    server.accounts(&["romeo"]);
    let features = features(&server);
    let c = features.find("c", CAPS).expect("XEP-0115 capabilities");
    assert_eq!(c.attr("hash"), Some("sha-1"));
    let node = format!("{}#{}", c.attr("node").unwrap(), c.attr("ver").unwrap());
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send(&format!("<iq type='get' id='d' to='im.example'><query xmlns='{INFO}' node='{node}'/></iq>"));
    let answer = romeo.expect(&format!(
        "<iq type='result' id='d' from='im.example' to='{{jid}}'><query xmlns='{INFO}' node='{node}'><any/></query></iq>"
    ));
    let info = answer.find("query", INFO).unwrap();
    let identities = attrs(info, "identity", &["category", "type", "xml:lang", "name"]);
    let vars = attrs(info, "feature", &["var"]);
    assert!(vars.iter().any(|var| var == &[CAPS]) && vars.iter().any(|var| var == &[CAPS2]));
    let text: String = identities.iter().map(|parts| format!("{}<", parts.join("/"))).collect::<String>()
        + &vars.iter().map(|var| format!("{}<", var[0])).collect::<String>();
    assert_eq!(c.attr("ver"), Some(&*STANDARD.encode(sha1::Sha1::digest(text))));

    let c = features.find("c", CAPS2).expect("XEP-0390 capabilities");
    let hash = c.elements().find(|el| el.attr("algo") == Some("sha-256")).expect("SHA-256").text();
    let text: String = vars.iter().map(|var| format!("{}\u{1f}", var[0])).collect::<String>()
        + "\u{1c}"
        + &identities.iter().map(|parts| format!("{}\u{1f}\u{1e}", parts.join("\u{1f}"))).collect::<String>()
        + "\u{1c}\u{1c}";
    assert_eq!(hash, STANDARD.encode(Sha256::digest(text)));
    let names: Vec<_> = c.elements().filter_map(|el| el.attr("algo")).collect();
    assert_eq!(names, ["sha-256", "sha3-256"]);
    for hash in c.elements() {
        let node = format!("urn:xmpp:caps#{}.{}", hash.attr("algo").unwrap(), hash.text());
        romeo.send(&format!("<iq type='get' id='e' to='im.example'><query xmlns='{INFO}' node='{node}'/></iq>"));
        romeo.expect(&format!(
            "<iq type='result' id='e' from='im.example' to='{{jid}}'>\
             <query xmlns='{INFO}' node='{node}'><any/></query></iq>"
        ));
    }
}

#[test]
fn another_hash_is_no_node() {
    let server = TestServer::start();
    server.accounts(&["romeo"]);
    let c = features(&server).find("c", CAPS).unwrap().clone();
    let mut romeo = server.login("romeo", "secret", "orchard");
    let own = c.attr("node").unwrap();
    for node in
        [format!("{own}#abc"), own.to_owned(), "urn:xmpp:caps#sha-256.abc".to_owned(), "urn:xmpp:caps".to_owned()]
    {
        romeo.send(&format!("<iq type='get' id='d' to='im.example'><query xmlns='{INFO}' node='{node}'/></iq>"));
        romeo.expect_stanza_error("iq", "d", "cancel", "item-not-found");
    }
}

/// §6.1 of XEP-0390: who has the hash of a while ago still learns what it meant.
#[test]
fn what_it_said_before_the_settings_changed() {
    let server = TestServer::start();
    server.accounts(&["romeo"]);
    let old = features(&server).find("c", CAPS).unwrap().clone();
    let core = server.server().core();
    let mut config = magpie::config::Config::clone(&core.config());
    config.contact.abuse = vec!["mailto:abuse@im.example".to_owned()];
    core.config.store(config.into());
    let new = features(&server).find("c", CAPS).unwrap().clone();
    assert_ne!(old.attr("ver"), new.attr("ver"));
    let mut romeo = server.login("romeo", "secret", "orchard");
    for (c, forms) in [(old, 0), (new, 1)] {
        let node = format!("{}#{}", c.attr("node").unwrap(), c.attr("ver").unwrap());
        romeo.send(&format!("<iq type='get' id='d' to='im.example'><query xmlns='{INFO}' node='{node}'/></iq>"));
        let answer = romeo.expect("<iq type='result' id='d' any-attrs='true'><one/></iq>");
        let info = answer.find("query", INFO).unwrap();
        assert_eq!(info.elements().filter(|el| el.name == "x").count(), forms);
    }
}

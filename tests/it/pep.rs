//! Personal eventing (XEP-0163) and what stands on it: who learns of what when they come online, avatars, bookmarks, how
//! far a chat was read.

mod avatars;
mod bookmarks;
mod displayed;
mod last_items;
mod notifications;
mod profiles;

use crate::caps::{Software, introduce, soon, wants};
use crate::support::xml::El;
use crate::support::{Client, TestServer};

const TUNE: &str = "http://jabber.org/protocol/tune";
/// Comes after all others: when its item is here, nothing else is on its way.
const LAST: &str = "zzz";

/// `<publish-options/>` with these values of `pubsub#` fields.
fn options(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='pubsub#{var}'><value>{value}</value></field>");
    format!(
        "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/pubsub#publish-options</value></field>{}</x></publish-options>",
        fields.iter().map(field).collect::<String>()
    )
}

/// Publishes an item at a node of the own account.
#[track_caller]
fn publish(client: &mut Client, node: &str, item: &str, options: &str) {
    client.send(&format!(
        "<iq type='set' id='publish'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <publish node='{node}'>{item}</publish>{options}</pubsub></iq>"
    ));
    result(client, "publish");
}

/// The result of a request; what else comes before it is dropped.
#[track_caller]
fn result(client: &mut Client, id: &str) -> El {
    loop {
        let element = client.next();
        if element.name == "iq" && element.attr("id") == Some(id) {
            if element.attr("type") != Some("result") {
                client.fail(&format!("refused: {}", element.raw));
            }
            return element;
        }
    }
}

/// An item with an element of the node's namespace.
fn item(id: &str, node: &str, text: &str) -> String {
    format!("<item id='{id}'><e xmlns='{node}'>{text}</e></item>")
}

/// The notification of such an item; `delay` if it was published before.
fn event(from: &str, node: &str, items: &str, delay: bool) -> String {
    let delay = if delay { "<delay xmlns='urn:xmpp:delay' from='{any}' stamp='{any}'/>" } else { "" };
    format!(
        "<message type='headline' from='{from}@im.example' to='{{jid}}' id='{{any}}'>\
         <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='{node}'>{items}</items></event>{delay}\
         </message>"
    )
}

/// Retrieves the items of somebody's node.
#[track_caller]
fn items(client: &mut Client, owner: &str, node: &str) -> Vec<El> {
    client.send(&format!(
        "<iq type='get' id='items' to='{owner}@im.example'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <items node='{node}'/></pubsub></iq>"
    ));
    let answer = result(client, "items");
    let pubsub = answer.find("pubsub", "http://jabber.org/protocol/pubsub").expect("an answer");
    let items = pubsub.find("items", "http://jabber.org/protocol/pubsub").expect("items");
    items.elements().filter(|el| el.name == "item").cloned().collect()
}

/// The same is refused like this.
#[track_caller]
fn no_items(client: &mut Client, owner: &str, node: &str, condition: &str) {
    client.send(&format!(
        "<iq type='get' id='items' to='{owner}@im.example'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <items node='{node}'/></pubsub></iq>"
    ));
    loop {
        let element = client.next();
        if element.name == "iq" {
            assert!(element.attr("type") == Some("error") && element.raw.contains(condition), "{}", element.raw);
            return;
        }
    }
}

/// Logs in with a client that wants notifications of these nodes. Presence that comes of it is dropped, last items not.
#[track_caller]
fn wanting(server: &TestServer, user: &str, resource: &str, nodes: &[&str]) -> Client {
    let mut client = server.login(user, "secret", resource);
    introduce(&mut client, &Software::wants(&format!("{user} {resource}"), nodes));
    soon(|| wants(server, &format!("{user}/{resource}"), nodes[0]).is_some());
    client
}

/// The next thing that is no presence.
#[track_caller]
fn expect_event(client: &mut Client, pattern: &str) -> El {
    loop {
        let element = client.next();
        if element.name != "presence" {
            if let Err(reason) = client.matches(pattern, &element) {
                client.fail(&format!("{reason}\nwanted {pattern}\n   got {}", element.raw));
            }
            return element;
        }
    }
}

/// Blocks somebody (XEP-0191).
#[track_caller]
fn block(client: &mut Client, jid: &str) {
    client.send(&format!("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='{jid}'/></block></iq>"));
    result(client, "b");
}

/// The features of an account.
fn features(client: &mut Client) -> Vec<String> {
    client.send("<iq type='get' id='info'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    let answer = result(client, "info");
    let query = answer.find("query", "http://jabber.org/protocol/disco#info").expect("an answer");
    query.elements().filter_map(|el| el.attr("var")).map(str::to_owned).collect()
}

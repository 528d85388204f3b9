//! Publish-subscribe (XEP-0060): the service at `pubsub.im.example`, and the nodes of accounts (XEP-0163).

use magpie::account::resource::Interest;
use magpie::config::NodeCreation;

use crate::support::xml::El;
use crate::support::{Client, TestServer};

mod access;
mod accounts;
mod affiliations;
mod approval;
mod configure;
mod create;
mod delete;
mod discovery;
mod items;
mod last;
mod limits;
mod notifications;
mod operators;
mod options;
mod publish;
mod retract;
mod subscribe;
mod subscriptions;

const NS: &str = "http://jabber.org/protocol/pubsub";
const OWNER: &str = "http://jabber.org/protocol/pubsub#owner";
const EVENT: &str = "http://jabber.org/protocol/pubsub#event";
const ERRORS: &str = "http://jabber.org/protocol/pubsub#errors";
const CONFIG: &str = "http://jabber.org/protocol/pubsub#node_config";
const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";

/// The service.
const SERVICE: &str = "pubsub.im.example";

/// A server at whose service everybody may make nodes.
fn server() -> TestServer {
    TestServer::with(|c| c.pubsub.create = NodeCreation::Everybody)
}

/// Sends a request.
#[track_caller]
fn ask(client: &mut Client, kind: &str, to: &str, ns: &str, inside: &str) {
    let to = if to.is_empty() { String::new() } else { format!("to='{to}'") };
    client.send(&format!("<iq type='{kind}' id='ps' {to}><pubsub xmlns='{ns}'>{inside}</pubsub></iq>"));
}

/// The answer, whatever came before it put aside.
#[track_caller]
fn answer(client: &mut Client) -> El {
    loop {
        let el = client.next();
        if el.name == "iq" && el.attr("id") == Some("ps") {
            return el;
        }
    }
}

/// A request that changes something and is fulfilled; what it brings before the answer is put aside.
#[track_caller]
fn set(client: &mut Client, to: &str, ns: &str, inside: &str) -> El {
    ask(client, "set", to, ns, inside);
    let answer = answer(client);
    assert_eq!(answer.attr("type"), Some("result"), "{}", answer.raw);
    answer
}

/// A request that changes nothing and is fulfilled: the payload of the answer.
#[track_caller]
fn get(client: &mut Client, to: &str, ns: &str, inside: &str) -> El {
    ask(client, "get", to, ns, inside);
    let answer = answer(client);
    assert_eq!(answer.attr("type"), Some("result"), "{}", answer.raw);
    answer.find("pubsub", ns).unwrap_or_else(|| panic!("{}", answer.raw)).clone()
}

/// A request that is refused like this; `app` is the application condition, empty for none, `unsupported feature` with a
/// feature.
#[track_caller]
fn refused(
    client: &mut Client,
    kind: &str,
    to: &str,
    ns: &str,
    inside: &str,
    (of, condition, app): (&str, &str, &str),
) {
    ask(client, kind, to, ns, inside);
    let answer = answer(client);
    assert_eq!(answer.attr("type"), Some("error"), "{inside}: {}", answer.raw);
    let error = answer.find("error", "jabber:client").expect("an error");
    assert_eq!(error.attr("type"), Some(of), "{inside}: {}", answer.raw);
    assert!(error.find(condition, STANZAS).is_some(), "{condition} for {inside}: {}", answer.raw);
    let found = error.elements().find(|el| el.ns == ERRORS).map(|el| match el.attr("feature") {
        Some(feature) => format!("{} {feature}", el.name),
        None => el.name.clone(),
    });
    assert_eq!(found.unwrap_or_default(), app, "{inside}: {}", answer.raw);
}

/// A submitted form of this type.
fn form(form_type: &str, fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='pubsub#{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{form_type}</value></field>\
         {fields}</x>"
    )
}

/// Makes a node with these settings.
#[track_caller]
fn create(client: &mut Client, to: &str, node: &str, fields: &[(&str, &str)]) {
    let configure = format!("<configure>{}</configure>", form(CONFIG, fields));
    set(client, to, NS, &format!("<create node='{node}'/>{configure}"));
}

fn publish_xml(node: &str, id: &str, payload: &str) -> String {
    let id = if id.is_empty() { String::new() } else { format!(" id='{id}'") };
    format!("<publish node='{node}'><item{id}>{payload}</item></publish>")
}

/// An item with a payload that says something.
fn saying(text: &str) -> String {
    format!("<say xmlns='urn:say'>{text}</say>")
}

#[track_caller]
fn publish(client: &mut Client, to: &str, node: &str, id: &str) {
    set(client, to, NS, &publish_xml(node, id, &saying(id)));
}

#[track_caller]
fn subscribe(client: &mut Client, to: &str, node: &str, jid: &str) {
    set(client, to, NS, &format!("<subscribe node='{node}' jid='{jid}'/>"));
}

/// Changes an affiliation, as an owner.
#[track_caller]
fn affiliate(client: &mut Client, to: &str, node: &str, jid: &str, affiliation: &str) {
    let change = format!("<affiliation jid='{jid}' affiliation='{affiliation}'/>");
    set(client, to, OWNER, &format!("<affiliations node='{node}'>{change}</affiliations>"));
}

/// The ids of the items somebody gets.
#[track_caller]
fn item_ids(client: &mut Client, to: &str, items: &str) -> Vec<String> {
    let answer = get(client, to, NS, items);
    let items = answer.find("items", NS).expect("items");
    items.elements().map(|item| item.attr("id").expect("an id").to_owned()).collect()
}

/// The pattern of a notification with this in its event.
fn event(from: &str, to: &str, inside: &str) -> String {
    format!(
        "<message type='headline' id='{{any}}' from='{from}' to='{to}'><event xmlns='{EVENT}'>{inside}</event></message>"
    )
}

/// What the events among these say: `node id` for a published item, `node -id` for a retracted one, else `node name`.
fn events(seen: &[El]) -> Vec<String> {
    let mut all = Vec::new();
    for event in seen.iter().filter_map(|el| el.find("event", EVENT)) {
        for what in event.elements() {
            let node = what.attr("node").unwrap_or_default();
            if what.name != "items" || what.elements().next().is_none() {
                all.push(format!("{node} {}", what.name));
            }
            for item in what.elements().filter(|_| what.name == "items") {
                let sign = if item.name == "retract" { "-" } else { "" };
                all.push(format!("{node} {sign}{}", item.attr("id").unwrap_or_default()));
            }
        }
    }
    all
}

/// Says which nodes a client wants notifications of, as its entity capabilities would.
fn wants(server: &TestServer, client: &Client, nodes: &[&str]) {
    let jid = client.jid.as_deref().expect("bound");
    let (bare, resource) = jid.split_once('/').expect("a full JID");
    let account = server.server().core().accounts.find(bare).expect("in memory");
    let mut state = account.lock();
    let bound = state.resources.iter_mut().find(|b| b.resource.jid.resource() == resource).expect("bound");
    bound.interest = Some(std::sync::Arc::new(Interest::new(nodes.iter().copied())));
}

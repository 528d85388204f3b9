//! The archive (XEP-0313) and what belongs to it.

use crate::support::xml::El;
use crate::support::{Client, TestServer};

mod archiving;
mod big;
mod offline;
mod paging;
mod prefs;
mod query;
mod retraction;
mod search;
mod stanza_ids;

const MAM: &str = "urn:xmpp:mam:2";

/// A server with an archive.
fn server() -> TestServer {
    TestServer::with(|c| c.archive.enabled = true)
}

/// What a query brought.
struct Found {
    /// The results, as they came.
    results: Vec<El>,
    /// The last element.
    fin: El,
}

impl Found {
    /// The forwarded messages.
    fn messages(&self) -> Vec<&El> {
        let forwarded = |el: &El| el.find("forwarded", "urn:xmpp:forward:0").is_some();
        assert!(self.results.iter().all(forwarded), "{:?}", self.results);
        self.results
            .iter()
            .filter_map(|el| el.find("forwarded", "urn:xmpp:forward:0")?.find("message", "jabber:client"))
            .collect()
    }

    /// Their bodies.
    fn bodies(&self) -> Vec<String> {
        let body = |el: &&El| el.find("body", "jabber:client").map(El::text).unwrap_or_default();
        self.messages().iter().map(body).collect()
    }

    /// Their archive ids.
    fn ids(&self) -> Vec<String> {
        self.results.iter().map(|el| el.attr("id").expect("an id").to_owned()).collect()
    }

    fn is_complete(&self) -> bool {
        self.fin.attr("complete") == Some("true")
    }

    /// A child of `<set/>` in the last element.
    fn set(&self, name: &str) -> Option<String> {
        let rsm = "http://jabber.org/protocol/rsm";
        Some(self.fin.find("set", rsm).expect("a <set/>").find(name, rsm)?.text())
    }
}

/// Asks for what `inside` says and takes all of it.
#[track_caller]
fn query(client: &mut Client, inside: &str) -> Found {
    client.send(&format!("<iq type='set' id='mam'><query xmlns='{MAM}' queryid='q1'>{inside}</query></iq>"));
    let mut results = Vec::new();
    loop {
        let el = client.next();
        if el.name == "iq" && el.attr("id") == Some("mam") {
            let fin = el.find("fin", MAM).unwrap_or_else(|| panic!("{el:?}")).clone();
            return Found { results, fin };
        }
        let result = el.find("result", MAM).unwrap_or_else(|| panic!("{el:?}"));
        assert_eq!(result.attr("queryid"), Some("q1"), "{el:?}");
        results.push(result.clone());
    }
}

/// The form with these fields.
fn form(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{MAM}</value></field>\
         {fields}</x>"
    )
}

fn page(set: &str) -> String {
    format!("<set xmlns='http://jabber.org/protocol/rsm'>{set}</set>")
}

/// Sends a chat message with this body and waits until it is safe.
#[track_caller]
fn say(from: &mut Client, to: &str, body: &str) {
    from.send(&format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>"));
    from.expect_nothing();
}

/// Romeo and Juliet, both online, and this many messages said in turn, the first by Romeo, named "1", "2" …
fn conversation(server: &TestServer, count: usize) -> (Client, Client) {
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for n in 1..=count {
        let (from, to, listener) = match n % 2 {
            1 => (&mut romeo, "juliet@im.example", &mut juliet),
            _ => (&mut juliet, "romeo@im.example", &mut romeo),
        };
        say(from, to, &n.to_string());
        assert_eq!(listener.next().name, "message");
    }
    (romeo, juliet)
}

/// Numbers as they are said in a conversation.
fn numbers(range: std::ops::RangeInclusive<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

//! Entity capabilities: XEP-0115 and XEP-0390. What comes of them is in `pep`; here it is looked at behind the scenes.

mod asking;
mod own;
mod unverified;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use std::time::{Duration, Instant};

use crate::support::{Client, TestServer};

const TUNE: &str = "http://jabber.org/protocol/tune";
const MOOD: &str = "http://jabber.org/protocol/mood";

/// A client's capabilities: what it answers, and the hash of it.
pub(crate) struct Software {
    pub(crate) ver: String,
    pub(crate) children: String,
}

impl Software {
    /// It wants notifications of these nodes. The name makes a different one of it.
    pub(crate) fn wants(name: &str, nodes: &[&str]) -> Self {
        let mut features: Vec<_> = nodes.iter().map(|node| format!("{node}+notify")).collect();
        features.push("http://jabber.org/protocol/disco#info".to_owned());
        features.sort();
        let text = format!("client/pc//{name}<{}<", features.join("<"));
        let feature = |var: &String| format!("<feature var='{var}'/>");
        let children = features.iter().map(feature).collect::<String>();
        Self {
            ver: STANDARD.encode(Sha1::digest(text)),
            children: format!("<identity category='client' type='pc' name='{name}'/>{children}"),
        }
    }

    /// `<c/>` for presence.
    pub(crate) fn c(&self) -> String {
        format!("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:test' ver='{}'/>", self.ver)
    }
}

/// Sends presence with capabilities, which nobody knows yet: is asked, and says what it can.
#[track_caller]
pub(crate) fn introduce(client: &mut Client, software: &Software) {
    client.send(&format!("<presence>{}</presence>", software.c()));
    expect_question(client, &format!("urn:test#{}", software.ver));
    answer(client, &software.children);
}

/// The server asks what stands behind this node.
#[track_caller]
pub(crate) fn expect_question(client: &mut Client, node: &str) {
    loop {
        let element = client.next();
        if element.name != "presence" {
            let question = format!(
                "<iq type='get' from='im.example' to='{{jid}}' id='{{any}}'>\
                 <query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/></iq>"
            );
            client.matches(&question, &element).unwrap_or_else(|reason| client.fail(&reason));
            return client.set_var("question", element.attr("id").unwrap());
        }
    }
}

/// It says this.
fn answer(client: &mut Client, children: &str) {
    client.send(&format!(
        "<iq type='result' to='im.example' id='{{question}}'>\
         <query xmlns='http://jabber.org/protocol/disco#info'>{children}</query></iq>"
    ));
}

/// Is a connected resource known to want this? `None`: it is not known what it wants.
pub(crate) fn wants(server: &TestServer, jid: &str, node: &str) -> Option<bool> {
    let (bare, resource) = jid.split_once('/').unwrap();
    let account = server.server().core().accounts.find(&format!("{bare}@im.example")).unwrap();
    let state = account.lock();
    let interest = state.resource(resource).unwrap().interest.clone();
    interest.map(|interest| interest.wants(node))
}

/// An answer is looked at by nobody who would tell us.
#[track_caller]
pub(crate) fn soon(mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < end, "it did not come to pass");
        std::thread::yield_now();
    }
}

//! A message to everybody who is there.

use super::protocol::{Failure, FailureKind, Reply};
use super::served;
use crate::core::Core;
use crate::outbox::Item;
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::{MessageType, Stanza};
use xep_support::xml::Element;

/// A headline (RFC 6121 §5.2.2) from the domain to every available session of it: nobody is to answer it, and it is not
/// kept for those who are away.
pub(super) fn announce(core: &Arc<Core>, text: &str, domain: Option<&str>) -> Result<Reply, Failure> {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.trim().is_empty() || text.contains(odd) {
        return Err(Failure::new(FailureKind::BadRequest, "the text is empty or has control characters"));
    }
    let domains: Vec<Jid> = match domain {
        Some(domain) => vec![served(core, domain)?],
        None => core.hosts.iter().map(|host| host.jid.clone()).collect(),
    };
    let connected = core.accounts.connected();
    let mut sessions = 0;
    for domain in domains {
        let body = Element::new("body", ns::CLIENT).text(text);
        let message = Arc::new(Stanza::message(MessageType::Headline, Some(&domain), None, [body]));
        for account in connected.iter().filter(|account| account.jid.domain() == domain.as_str()) {
            for bound in account.lock().available() {
                let item = Item::addressed(message.clone(), bound.resource.jid.as_jid().clone());
                sessions += usize::from(bound.resource.outbox.push(item).is_ok());
            }
        }
    }
    Ok(Reply::Announced { sessions })
}

//! XEP-0359: ids that clients may trust. Whoever gives an id is named in it, so what a client says in our name, or in
//! that of one of our accounts, is taken out. XEP-0203 §5: the same with our delay stamps.

use crate::account::resource::Client;
use crate::core::Core;
use crate::extension::{About, Declare, Extension};
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::StanzaError;
use xep_support::stanza::{Child, Facts, Stanza};

/// Stanza ids.
pub struct StanzaIds;

impl Extension for StanzaIds {
    fn about(&self) -> About {
        About::new("XEP-0359", "Unique and Stable Stanza IDs", "0.7.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_feature(ns::SID).account_feature(ns::SID).submit(Box::new(strip));
    }
}

fn strip(core: &Core, _: &Client, stanza: &mut Stanza) -> Result<(), StanzaError> {
    if stanza.facts().intersects(Facts::STANZA_ID | Facts::DELAY) {
        stanza.retain_children(|child| !is_forged(child, |domain| core.hosts.find(domain).is_some()));
    }
    Ok(())
}

fn is_forged(child: &Child<'_>, is_ours: impl Fn(&str) -> bool) -> bool {
    let named = |attr: &str| child.parse().and_then(|el| Jid::parse(el.get_attr(attr)?).ok());
    if child.is("stanza-id", ns::SID) {
        // Accounts and rooms alike: none of them is this client.
        named("by").is_some_and(|by| is_ours(by.domain()))
    } else if child.is("delay", ns::DELAY) {
        named("from").is_some_and(|from| from.is_domain() && is_ours(from.domain()))
    } else {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xep_support::xml::check::StreamContext;

    /// XEP-0359 §3 rules 2 and 3.
    #[test]
    fn only_what_speaks_in_our_name_is_forged() {
        let rows = [
            ("<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='juliet@im.example'/>", true),
            ("<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='JULIET@IM.example'/>", true),
            ("<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='im.example'/>", true),
            ("<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='room@muc.other.example'/>", false),
            ("<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='@'/>", false),
            ("<stanza-id xmlns='urn:xmpp:sid:0' id='1'/>", false),
            ("<origin-id xmlns='urn:xmpp:sid:0' id='1'/>", false),
            ("<stanza-id xmlns='urn:x' id='1' by='juliet@im.example'/>", false),
            ("<delay xmlns='urn:xmpp:delay' from='im.example' stamp='2020-01-01T00:00:00Z'/>", true),
            ("<delay xmlns='urn:xmpp:delay' from='other.example' stamp='2020-01-01T00:00:00Z'/>", false),
            ("<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/>", false),
        ];
        for (xml, forged) in rows {
            let message = format!("<message><body>hi</body>{xml}</message>");
            let stanza = Stanza::parse(message.as_bytes(), &StreamContext::client()).expect("a stanza");
            let child = stanza.children().nth(1).expect("a child");
            assert_eq!(is_forged(&child, |domain| domain == "im.example"), forged, "{xml}");
        }
    }
}

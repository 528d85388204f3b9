//! XEP-0030: what an entity is, what it can, what belongs to it. The answers come from the registry, so that they cannot
//! differ from what the extensions do. Forms in them: XEP-0128.

use super::caps;
use super::version::NAME;
use crate::account::{Account, AccountState};
use crate::config::Config;
use crate::core::Core;
use crate::extension::registry::Identity;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall, IqResult};
use crate::hosts::ServiceHost;
use crate::router;
use crate::router::bounce::refused;
use std::sync::Arc;
use xep_support::formats::form::DataForm;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

/// Service discovery.
pub struct Discovery;

impl Extension for Discovery {
    fn about(&self) -> About {
        About::new("XEP-0030", "Service Discovery", "2.5.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let (info, items) = (("query", ns::DISCO_INFO), ("query", ns::DISCO_ITEMS));
        d.server_identity(Identity { category: "server", kind: "im", name: NAME })
            .server_feature(ns::DISCO_INFO)
            .server_feature(ns::DISCO_ITEMS)
            .account_feature(ns::DISCO_INFO)
            .account_feature(ns::DISCO_ITEMS)
            .iq(Addressee::Server, IqType::Get, info, server_info)
            .iq(Addressee::Server, IqType::Get, items, server_items)
            .iq(Addressee::OwnAccount, IqType::Get, info, own_info)
            .iq(Addressee::OwnAccount, IqType::Get, items, own_items)
            .iq(Addressee::OtherAccount, IqType::Get, info, other_info)
            .iq(Addressee::OtherAccount, IqType::Get, items, other_items);
    }
}

fn server_info(call: IqCall<'_>) -> Answer {
    let query = Query::new(&call, ns::DISCO_INFO);
    match query.node {
        Some(node) if !node.is_empty() => {
            caps::own_info(call.core, call.to, &node).map_or_else(no_such_node, Answer::with)
        }
        _ => Answer::with(query.of_server(call.core, call.to)),
    }
}

/// What a served domain says about itself when no node is named.
pub(super) fn server(core: &Core, host: &Jid) -> Element {
    Query { ns: ns::DISCO_INFO, node: None }.of_server(core, host)
}

/// The services of this domain.
fn server_items(call: IqCall<'_>) -> Answer {
    let query = Query::new(&call, ns::DISCO_ITEMS);
    if query.names_a_node() {
        return no_such_node();
    }
    let item = |service: &ServiceHost| {
        let info = call.core.registry.service(service.prefix);
        let name = info.and_then(|info| info.identities.first()).map(|identity| identity.name);
        Element::new("item", ns::DISCO_ITEMS).attr("jid", service.jid.as_str()).attr_opt("name", name)
    };
    Answer::with(query.element().children(call.core.hosts.services_of(call.to).map(item)))
}

fn own_info(call: IqCall<'_>) -> Answer {
    let query = Query::new(&call, ns::DISCO_INFO);
    if query.names_a_node() {
        return no_such_node();
    }
    Answer::with(account_info(&call.core.registry, &call.core.config(), &query, &call.client.account))
}

fn own_items(call: IqCall<'_>) -> Answer {
    let query = Query::new(&call, ns::DISCO_ITEMS);
    if query.names_a_node() {
        return no_such_node();
    }
    let resources = query.resources(&call.client.account.lock());
    Answer::with(resources)
}

/// §8 rule 1: whoever may not see the account's presence learns nothing, not even whether there is an account.
fn other_info(call: IqCall<'_>) -> Answer {
    let query = Query::new(&call, ns::DISCO_INFO);
    let (core, asker, asked) = (call.core.clone(), call.client.account.jid.clone(), call.to.bare());
    Answer::later(async move {
        let account = router::load(&core, &asked).await.map_err(refused("disco"))?;
        match account.filter(|account| account.lock().roster.subscription(asker.as_str()).from) {
            None => Err(StanzaError::new(Condition::ServiceUnavailable)),
            Some(_) if query.names_a_node() => Err(StanzaError::new(Condition::ItemNotFound)),
            Some(account) => Ok(Some(account_info(&core.registry, &core.config(), &query, &account))),
        }
    })
}

/// §8 rule 2: here the answer that says nothing is an empty list.
fn other_items(call: IqCall<'_>) -> Answer {
    let query = Query::new(&call, ns::DISCO_ITEMS);
    let (core, asker, asked) = (call.core.clone(), call.client.account.jid.clone(), call.to.bare());
    Answer::later(async move {
        let account = router::load(&core, &asked).await.map_err(refused("disco"))?;
        items_for(account.as_deref(), asker.as_str(), &query)
    })
}

fn items_for(account: Option<&Account>, asker: &str, query: &Query) -> IqResult {
    let Some(account) = account else { return Ok(Some(query.element())) };
    let state = account.lock();
    match state.roster.subscription(asker).from {
        false => Ok(Some(query.element())),
        true if query.names_a_node() => Err(StanzaError::new(Condition::ItemNotFound)),
        true => Ok(Some(query.resources(&state))),
    }
}

/// No extension has nodes on servers or accounts.
fn no_such_node() -> Answer {
    Answer::error(StanzaError::new(Condition::ItemNotFound))
}

/// §3.1: the first identity of an account says what kind of account it is.
fn account_info(registry: &crate::extension::Registry, config: &Config, query: &Query, account: &Account) -> Element {
    let kind = if account.id.is_some() { "registered" } else { "anonymous" };
    let own = Identity { category: "account", kind, name: "" };
    let identities = std::iter::once(&own).chain(registry.account_identities());
    query.info(identities, registry.account_features(config), [])
}

/// What was asked for, of which the answer repeats the node (§3.2).
struct Query {
    ns: &'static str,
    node: Option<String>,
}

impl Query {
    fn new(call: &IqCall<'_>, ns: &'static str) -> Self {
        Self { ns, node: call.payload.get_attr("node").map(str::to_owned) }
    }

    /// COMPAT: a node without a name is taken for none.
    fn names_a_node(&self) -> bool {
        self.node.as_deref().is_some_and(|node| !node.is_empty())
    }

    fn element(&self) -> Element {
        Element::new("query", self.ns).attr_opt("node", self.node.as_deref())
    }

    fn of_server(&self, core: &Core, host: &Jid) -> Element {
        let registry = &core.registry;
        let config = core.config();
        self.info(registry.server_identities(), registry.server_features(&config), registry.info_forms(core, host))
    }

    /// The language of names is written down: it counts when somebody hashes the answer (XEP-0390 §4.1).
    fn info<'a>(
        &self,
        identities: impl IntoIterator<Item = &'a Identity>,
        features: impl Iterator<Item = &'static str>,
        forms: impl IntoIterator<Item = DataForm>,
    ) -> Element {
        let identity = |i: &Identity| {
            let name = Some(i.name).filter(|name| !name.is_empty());
            Element::new("identity", self.ns)
                .attr("category", i.category)
                .attr("type", i.kind)
                .attr_opt("xml:lang", name.map(|_| "en"))
                .attr_opt("name", name)
        };
        self.element()
            .children(identities.into_iter().map(identity))
            .children(features.map(|feature| Element::new("feature", self.ns).attr("var", feature)))
            .children(forms.into_iter().map(|form| form.to_element()))
    }

    /// §4.1: the available resources, which those who may see them see anyway.
    fn resources(&self, state: &AccountState) -> Element {
        let jids = state.available().map(|bound| Jid::as_str(&bound.resource.jid));
        self.element().children(jids.map(|jid| Element::new("item", self.ns).attr("jid", jid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::OfflineState;
    use crate::account::roster::{Contact, Roster, Subscription};
    use xep_support::jid::BareJid;

    fn query(ns: &'static str, node: Option<&str>) -> Query {
        Query { ns, node: node.map(str::to_owned) }
    }

    /// An account that lets romeo, and not paris, see its presence.
    fn juliet() -> Account {
        let jid = |text| BareJid::parse(text).expect("a JID");
        let mut roster = Roster::default();
        let from = Subscription { from: true, ..Subscription::default() };
        let to = Subscription { to: true, ..Subscription::default() };
        for (contact, subscription) in [("romeo@im.example", from), ("paris@im.example", to)] {
            roster.items.insert(jid(contact), Contact { listed: true, subscription, ..Contact::default() });
        }
        Account::new(jid("juliet@im.example"), None, roster, OfflineState::default(), 0)
    }

    /// XEP-0030 §8 rule 2.
    #[test]
    fn a_stranger_cannot_tell_an_account_from_none() {
        let juliet = juliet();
        for node in [None, Some("urn:x")] {
            let query = query(ns::DISCO_ITEMS, node);
            for asker in ["paris@im.example", "stranger@im.example"] {
                assert_eq!(items_for(Some(&juliet), asker, &query), items_for(None, asker, &query));
            }
        }
        let known = items_for(Some(&juliet), "romeo@im.example", &query(ns::DISCO_ITEMS, Some("urn:x")));
        assert_eq!(known, Err(StanzaError::new(Condition::ItemNotFound)));
    }

    #[test]
    fn information_as_printed() {
        let identities = [Identity { category: "server", kind: "im", name: "Magpie" }];
        let info = query(ns::DISCO_INFO, Some("")).info(&identities, ["a", "b"].into_iter(), []);
        let expected = "<query xmlns='http://jabber.org/protocol/disco#info' node=''>\
            <identity category='server' type='im' xml:lang='en' name='Magpie'/><feature var='a'/><feature var='b'/></query>";
        assert_eq!(info.to_xml(ns::CLIENT), expected);
    }

    #[test]
    fn a_temporary_account_is_anonymous() {
        let registry = crate::extension::Registry::default();
        let info = account_info(&registry, &Config::default(), &query(ns::DISCO_INFO, None), &juliet());
        let identity = info.find("identity", ns::DISCO_INFO).expect("an identity");
        assert_eq!((identity.get_attr("category"), identity.get_attr("type")), (Some("account"), Some("anonymous")));
        assert_eq!(identity.get_attr("name"), None);
    }
}

//! XEP-0030: what an entity is, what it can, what belongs to it. The answers come from the registry, so that they cannot
//! differ from what the extensions do. Forms in them: XEP-0128.

use super::version::NAME;
use super::{caps, commands};
use crate::account::{Account, AccountState};
use crate::config::Config;
use crate::core::Core;
use crate::extension::registry::Identity;
use crate::extension::{About, Addressee, Answer, Declare, DiscoAsk, Extension, IqCall, IqResult};
use crate::hosts::ServiceHost;
use crate::pubsub::Owner;
use crate::router;
use crate::router::bounce::refused;
use std::sync::Arc;
use xep_support::formats::form::DataForm;
use xep_support::formats::rsm;
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
        Some(ref node) if !node.is_empty() => {
            let command = || Some(query.element().children(commands::info(&call, node)?));
            caps::own_info(call.core, call.to, node).or_else(command).map_or_else(no_such_node, Answer::with)
        }
        _ => Answer::with(query.of_server(call.core, call.to)),
    }
}

/// What a served domain says about itself when no node is named.
pub(super) fn server(core: &Core, host: &Jid) -> Element {
    Query { ns: ns::DISCO_INFO, node: None, page: rsm::Request::default() }.of_server(core, host)
}

/// The services of this domain.
fn server_items(call: IqCall<'_>) -> Answer {
    let query = Query::new(&call, ns::DISCO_ITEMS);
    if query.node.as_deref() == Some(ns::COMMANDS) {
        return Answer::with(query.element().children(commands::items(&call)));
    }
    if query.names_a_node() {
        return no_such_node();
    }
    let config = call.core.config();
    let item = |service: &ServiceHost| {
        let info = call.core.registry.service(service.prefix);
        if info.and_then(|info| info.on).is_some_and(|on| !on(&config)) {
            return None;
        }
        let name = info.and_then(|info| info.identities.first()).map(|identity| identity.name);
        Some(Element::new("item", ns::DISCO_ITEMS).attr("jid", service.jid.as_str()).attr_opt("name", name))
    };
    Answer::with(query.element().children(call.core.hosts.services_of(call.to).filter_map(item)))
}

fn own_info(call: IqCall<'_>) -> Answer {
    let query = Query::new(&call, ns::DISCO_INFO);
    let account = call.client.account.clone();
    let Some(ask) = query.ask(&call, Owner::Account(account.clone())) else {
        return Answer::with(account_info(&call.core.registry, &call.core.config(), &query, &account));
    };
    Answer::later(async move { query.with(found(ask).await?) })
}

fn own_items(call: IqCall<'_>) -> Answer {
    let query = Query::new(&call, ns::DISCO_ITEMS);
    let account = call.client.account.clone();
    let ask = query.ask_for_items(&call, Owner::Account(account.clone()));
    Answer::later(async move {
        let nodes = found(ask).await?;
        match query.names_a_node() {
            true => query.with(nodes),
            false => Ok(Some(query.resources(&account.lock()).children(nodes.unwrap_or_default()))),
        }
    })
}

/// §8 rule 1: whoever may not see the account's presence learns nothing, not even whether there is an account; but for
/// nodes that are open to them.
fn other_info(call: IqCall<'_>) -> Answer {
    let query = Query::new(&call, ns::DISCO_INFO);
    let (core, asker, asked) = (call.core.clone(), call.client.account.jid.clone(), call.to.bare());
    let ask = query.names_a_node().then(|| query.bare_ask(&call));
    Answer::later(async move {
        let account = router::load(&core, &asked).await.map_err(refused("disco"))?;
        let Some(account) = account else { return Err(StanzaError::new(Condition::ServiceUnavailable)) };
        let sees = account.lock().roster.subscription(asker.as_str()).from;
        let nodes = match ask {
            Some(ask) => found(Arc::new(DiscoAsk { owner: Owner::Account(account.clone()), ..ask })).await?,
            None => None,
        };
        match (nodes, sees) {
            (Some(children), _) => query.with(Some(children)),
            (None, false) => Err(StanzaError::new(Condition::ServiceUnavailable)),
            (None, true) if query.names_a_node() => Err(StanzaError::new(Condition::ItemNotFound)),
            (None, true) => Ok(Some(account_info(&core.registry, &core.config(), &query, &account))),
        }
    })
}

/// §8 rule 2: here the answer that says nothing is an empty list.
fn other_items(call: IqCall<'_>) -> Answer {
    let query = Query::new(&call, ns::DISCO_ITEMS);
    let (core, asker, asked) = (call.core.clone(), call.client.account.jid.clone(), call.to.bare());
    let ask = query.bare_ask(&call);
    Answer::later(async move {
        let account = router::load(&core, &asked).await.map_err(refused("disco"))?;
        let nodes = match &account {
            Some(account) => found(Arc::new(DiscoAsk { owner: Owner::Account(account.clone()), ..ask })).await?,
            None => None,
        };
        items_for(account.as_deref(), asker.as_str(), &query, nodes)
    })
}

fn items_for(account: Option<&Account>, asker: &str, query: &Query, nodes: Option<Vec<Element>>) -> IqResult {
    let Some(account) = account else { return Ok(Some(query.element())) };
    let state = account.lock();
    match (state.roster.subscription(asker).from, query.names_a_node()) {
        (true, true) => query.with(nodes),
        (true, false) => Ok(Some(query.resources(&state).children(nodes.unwrap_or_default()))),
        (false, _) => Ok(Some(query.element().children(nodes.unwrap_or_default()))),
    }
}

/// A service answers for itself; its nodes come from the extensions.
pub fn serve(d: &mut Declare<'_>, prefix: &'static str) {
    d.service(prefix, None, [ns::DISCO_INFO, ns::DISCO_ITEMS])
        .iq(Addressee::Service(prefix), IqType::Get, ("query", ns::DISCO_INFO), move |call| {
            let query = Query::new(&call, ns::DISCO_INFO);
            if let Some(ask) = query.ask(&call, Owner::Service(call.to.clone())) {
                return Answer::later(async move { query.with(found(ask).await?) });
            }
            match call.core.registry.service(prefix) {
                Some(info) => Answer::with(query.info(&info.identities, info.features.iter().copied(), [])),
                None => Answer::error(StanzaError::new(Condition::ServiceUnavailable)),
            }
        })
        .iq(Addressee::Service(prefix), IqType::Get, ("query", ns::DISCO_ITEMS), move |call| {
            let query = Query::new(&call, ns::DISCO_ITEMS);
            let ask = query.ask_for_items(&call, Owner::Service(call.to.clone()));
            Answer::later(async move {
                let children = found(ask).await?;
                query.with(if query.names_a_node() { children } else { children.or(Some(Vec::new())) })
            })
        });
}

/// What the extensions have: of a node the first that knows it, of an entity all of them.
async fn found(ask: Arc<DiscoAsk>) -> Result<Option<Vec<Element>>, StanzaError> {
    let mut all: Option<Vec<Element>> = None;
    for hook in ask.core.registry.disco() {
        if let Some(children) = hook(ask.clone()).await? {
            all.get_or_insert_default().extend(children);
            if ask.node.is_some() {
                break;
            }
        }
    }
    Ok(all)
}

/// The server itself has no nodes but its commands.
fn no_such_node() -> Answer {
    Answer::error(StanzaError::new(Condition::ItemNotFound))
}

/// §3.1: the first identity of an account says what kind of account it is.
fn account_info(registry: &crate::extension::Registry, config: &Config, query: &Query, account: &Account) -> Element {
    let registered = account.id.is_some();
    let kind = if registered { "registered" } else { "anonymous" };
    let own = Identity { category: "account", kind, name: "" };
    let identities = std::iter::once(&own).chain(registry.account_identities(registered));
    query.info(identities, registry.account_features(config, registered), [])
}

/// What was asked for, of which the answer repeats the node (§3.2).
struct Query {
    ns: &'static str,
    node: Option<String>,
    page: rsm::Request,
}

impl Query {
    fn new(call: &IqCall<'_>, ns: &'static str) -> Self {
        // A page that makes no sense is the first one.
        let page = rsm::Request::of(&call.payload).unwrap_or_default();
        Self { ns, node: call.payload.get_attr("node").map(str::to_owned), page }
    }

    /// What extensions are asked; whom it is about is still to be found out.
    fn bare_ask(&self, call: &IqCall<'_>) -> DiscoAsk {
        DiscoAsk {
            core: call.core.clone(),
            owner: Owner::Service(call.to.clone()),
            asker: call.client.jid().as_jid().clone(),
            node: self.node.clone().filter(|_| self.names_a_node()),
            items: self.ns == ns::DISCO_ITEMS,
            page: self.page.clone(),
        }
    }

    fn ask_for_items(&self, call: &IqCall<'_>, owner: Owner) -> Arc<DiscoAsk> {
        Arc::new(DiscoAsk { owner, ..self.bare_ask(call) })
    }

    /// The same, if it is about a node.
    fn ask(&self, call: &IqCall<'_>, owner: Owner) -> Option<Arc<DiscoAsk>> {
        self.names_a_node().then(|| Arc::new(DiscoAsk { owner, ..self.bare_ask(call) }))
    }

    /// The answer about a node that must be there.
    fn with(&self, children: Option<Vec<Element>>) -> IqResult {
        let children = children.ok_or_else(|| StanzaError::new(Condition::ItemNotFound))?;
        Ok(Some(self.element().children(children)))
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
        Query { ns, node: node.map(str::to_owned), page: rsm::Request::default() }
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
                assert_eq!(items_for(Some(&juliet), asker, &query, None), items_for(None, asker, &query, None));
            }
        }
        let known = items_for(Some(&juliet), "romeo@im.example", &query(ns::DISCO_ITEMS, Some("urn:x")), None);
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

//! XEP-0049: XML that clients keep on the server for themselves. Kept by name and namespace of the element.

use crate::account::Account;
use crate::core::Core;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall, IqResult};
use crate::ops;
use crate::router::bounce::refused;
use crate::storage::AccountId;
use crate::xep::bookmarks;
use std::collections::BTreeMap;
use std::sync::Arc;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::{Element, StreamContext};

/// Private XML storage.
pub struct PrivateStorage;

impl Extension for PrivateStorage {
    fn about(&self) -> About {
        About::new("XEP-0049", "Private XML Storage", "1.2")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let query = ("query", ns::PRIVATE);
        d.server_feature(ns::PRIVATE)
            .account_feature(ns::PRIVATE)
            .iq(Addressee::OwnAccount, IqType::Get, query, get)
            .iq(Addressee::OwnAccount, IqType::Set, query, set)
            // §3: nobody else's.
            .iq(Addressee::OtherAccount, IqType::Get, query, forbidden)
            .iq(Addressee::OtherAccount, IqType::Set, query, forbidden);
    }
}

fn forbidden(_: IqCall<'_>) -> Answer {
    Answer::error(StanzaError::new(Condition::Forbidden))
}

/// What is kept under which key.
type Entries = BTreeMap<String, String>;

fn key(element: &Element) -> String {
    format!("{{{}}}{}", element.ns(), element.name())
}

/// §2.3: an element in a namespace of its own. Those of the protocol itself have other places to be kept in.
fn check(element: &Element) -> Result<(), StanzaError> {
    let reserved = |ns: &str| {
        ns.is_empty() || ns == ns::VCARD || ns.starts_with("jabber:") || ns.starts_with("http://jabber.org/")
    };
    if reserved(element.ns()) { Err(unacceptable("this namespace is reserved")) } else { Ok(()) }
}

fn unacceptable(text: &'static str) -> StanzaError {
    StanzaError::new(Condition::NotAcceptable).with_text(text)
}

/// §2.3: one element says what is wanted; it comes back as it is if nothing is kept.
fn get(call: IqCall<'_>) -> Answer {
    let wanted = match wanted(&call.client.account, &call.payload) {
        Ok(wanted) => wanted,
        Err(error) => return Answer::error(error),
    };
    let (id, element) = wanted;
    let (core, account) = (call.core.clone(), call.client.account.clone());
    Answer::later(async move {
        if key(&element) == bookmarks::KEY
            && let Some(list) = bookmarks::read_list(&core, &account, id).await?
        {
            return Ok(Some(Element::new("query", ns::PRIVATE).child(list)));
        }
        let kept = core.storage.private_get(id, &key(&element)).await.map_err(refused("private storage"))?;
        match kept {
            None => Ok(Some(Element::new("query", ns::PRIVATE).child(element))),
            Some(xml) => restore(&xml).map(Some),
        }
    })
}

fn wanted(account: &Account, query: &Element) -> Result<(AccountId, Element), StanzaError> {
    let id = ops::registered(account)?;
    let mut children = query.child_elements();
    let (Some(element), None) = (children.next(), children.next()) else {
        return Err(unacceptable("exactly one element says what is wanted"));
    };
    check(element)?;
    Ok((id, Element::new(element.name().to_owned(), element.ns().to_owned())))
}

/// Several elements may be kept under one key.
fn restore(xml: &str) -> Result<Element, StanzaError> {
    let query = format!("<query xmlns='{}'>{xml}</query>", ns::PRIVATE);
    Element::parse_in(&query, &StreamContext::stored()).map_err(|error| {
        tracing::error!(%error, "private XML in storage is damaged");
        StanzaError::new(Condition::InternalServerError)
    })
}

fn set(call: IqCall<'_>) -> Answer {
    let entries = ops::registered(&call.client.account).and_then(|id| Ok((id, entries(&call.payload)?)));
    let (id, entries) = match entries {
        Ok(entries) => entries,
        Err(error) => return Answer::error(error),
    };
    let (core, account) = (call.core.clone(), call.client.account.clone());
    // What a client says of its bookmarks in this old format is for clients of newer ones too.
    let mut lists = call.payload.child_elements().filter(|e| key(e) == bookmarks::KEY);
    let list = lists.next().filter(|_| lists.next().is_none()).cloned();
    Answer::later(async move {
        check_size(&core, &entries)?;
        let mut entries = entries;
        if let Some(list) = list
            && let Some(kept) = bookmarks::write_list(&core, &account, id, &list).await?
        {
            entries.insert(bookmarks::KEY.to_owned(), kept.to_xml(ns::PRIVATE));
        }
        store(&core, id, entries).await
    })
}

fn full() -> StanzaError {
    StanzaError::new(Condition::ResourceConstraint).with_text("private storage is full")
}

/// What would never fit is refused before anything is done with it.
fn check_size(core: &Core, entries: &Entries) -> Result<(), StanzaError> {
    let limits = &core.config().limits;
    let fits = entries.len() <= limits.private_items_max && size(entries) <= limits.private_bytes_max;
    if fits { Ok(()) } else { Err(full()) }
}

/// §2.3: all elements of a request, those of one name together, as they will be found again.
fn entries(query: &Element) -> Result<Entries, StanzaError> {
    let mut entries = Entries::new();
    for element in query.child_elements() {
        check(element)?;
        element.write(entries.entry(key(element)).or_default(), ns::PRIVATE);
    }
    if entries.is_empty() { Err(unacceptable("there is nothing to be kept")) } else { Ok(entries) }
}

async fn store(core: &Core, id: AccountId, entries: Entries) -> IqResult {
    let (items_max, bytes_max) = {
        let limits = &core.config().limits;
        (limits.private_items_max, limits.private_bytes_max)
    };
    let trouble = refused("private storage");
    // What another session of the account has just stored counts too.
    core.storage.barrier().await.map_err(&trouble)?;
    let usage = core.storage.private_usage(id).await.map_err(&trouble)?;
    let (mut items, mut bytes) = (usage.keys, usage.bytes);
    for (key, xml) in &entries {
        match core.storage.private_get(id, key).await.map_err(&trouble)? {
            Some(before) => bytes = bytes.saturating_sub(before.len() as u64),
            None => items += 1,
        }
        bytes += xml.len() as u64;
    }
    if items > items_max as u64 || bytes > bytes_max as u64 {
        return Err(full());
    }
    let commits: Vec<_> = entries.iter().map(|(key, xml)| core.storage.private_set(id, key, xml)).collect();
    for commit in commits {
        commit.await.map_err(&trouble)?;
    }
    Ok(None)
}

fn size(entries: &Entries) -> usize {
    entries.values().map(String::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(children: &str) -> Element {
        let xml = format!("<query xmlns='jabber:iq:private'>{children}</query>");
        Element::parse(&xml, ns::CLIENT).expect("XML")
    }

    fn condition(children: &str) -> Option<Condition> {
        entries(&query(children)).err().map(|error| error.condition)
    }

    #[test]
    fn what_is_stored_comes_back() {
        for children in [
            "<exodus xmlns='exodus:prefs'><defaultnick>Hamlet &amp; co</defaultnick></exodus>",
            "<a xmlns='urn:x' xml:lang='de'/>",
            "<a xmlns='urn:x'>1</a><a xmlns='urn:x'>2</a>",
            "<p:a xmlns:p='urn:x' p:b='c'><d xmlns='jabber:iq:private'/></p:a>",
        ] {
            let query = query(children);
            let entries = entries(&query).expect("acceptable");
            let (key, xml) = entries.first_key_value().expect("an entry");
            assert!(["{exodus:prefs}exodus", "{urn:x}a"].contains(&key.as_str()), "{key}");
            assert_eq!(restore(xml).expect("XML"), query);
        }
    }

    #[test]
    fn elements_of_different_names_are_kept_apart() {
        let entries = entries(&query("<a xmlns='urn:x'/><b xmlns='urn:x'/><a xmlns='urn:y'/>")).expect("acceptable");
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["{urn:x}a", "{urn:x}b", "{urn:y}a"]);
    }

    /// §3.
    #[test]
    fn nothing_and_reserved_namespaces_are_not_acceptable() {
        for children in [
            "",
            "text",
            "<a/>",
            "<a xmlns=''/>",
            "<vCard xmlns='vcard-temp'/>",
            "<query xmlns='jabber:iq:roster'/>",
            "<a xmlns='http://jabber.org/protocol/muc'/>",
            "<a xmlns='urn:x'/><a/>",
        ] {
            assert_eq!(condition(children), Some(Condition::NotAcceptable), "{children}");
        }
        assert_eq!(condition("<storage xmlns='storage:bookmarks'/>"), None);
    }
}

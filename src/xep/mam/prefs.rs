//! XEP-0441: an account says whose messages are archived.

use super::enabled;
use crate::account::archiving::Preferences;
use crate::config::ArchivePolicy;
use crate::core::Core;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall};
use crate::ops;
use crate::router::bounce::refused;
use std::collections::BTreeSet;
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

/// Archiving preferences.
pub struct ArchivePreferences;

impl Extension for ArchivePreferences {
    fn about(&self) -> About {
        About::new("XEP-0441", "Message Archive Management Preferences", "0.2.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let prefs = ("prefs", ns::MAM);
        d.iq(Addressee::OwnAccount, IqType::Get, prefs, get)
            .iq(Addressee::OwnAccount, IqType::Set, prefs, set)
            .iq(Addressee::OtherAccount, IqType::Get, prefs, super::forbidden)
            .iq(Addressee::OtherAccount, IqType::Set, prefs, super::forbidden);
    }
}

fn get(call: IqCall<'_>) -> Answer {
    if let Err(error) = enabled(call.core).and_then(|()| ops::registered(&call.client.account)) {
        return Answer::error(error);
    }
    let own = call.client.account.lock().archiving.clone();
    let policy = call.core.config().archive.default_preference;
    Answer::with(own.map_or_else(|| to_element(&Preferences::new(policy)), |prefs| to_element(&prefs)))
}

fn set(call: IqCall<'_>) -> Answer {
    let read = || {
        enabled(call.core)?;
        Ok((ops::registered(&call.client.account)?, from_element(call.core, &call.payload)?))
    };
    let (id, prefs) = match read() {
        Ok(read) => read,
        Err(error) => return Answer::error(error),
    };
    let answer = to_element(&prefs);
    let account = call.client.account.clone();
    let (commit, before) = {
        let mut state = account.lock();
        let commit = call.core.storage.archive_set_prefs(id, prefs.to_stored());
        (commit, state.archiving.replace(Arc::new(prefs)))
    };
    Answer::later(async move {
        if let Err(error) = commit.await {
            account.lock().archiving = before;
            return Err(refused("archiving preferences")(error));
        }
        Ok(Some(answer))
    })
}

/// §2.1: both lists are there, even if empty.
fn to_element(prefs: &Preferences) -> Element {
    let list = |name: &'static str, jids: &BTreeSet<Jid>| {
        Element::new(name, ns::MAM).children(jids.iter().map(|jid| Element::new("jid", ns::MAM).text(jid.as_str())))
    };
    Element::new("prefs", ns::MAM)
        .attr("default", prefs.policy.name())
        .child(list("always", &prefs.always))
        .child(list("never", &prefs.never))
}

fn from_element(core: &Core, element: &Element) -> Result<Preferences, StanzaError> {
    read(element, core.config().limits.archive_preferences_max)
}

/// A list that is missing is an empty one (§2.1.2, §2.1.3).
fn read(element: &Element, jids_max: usize) -> Result<Preferences, StanzaError> {
    let bad = |text: &'static str| StanzaError::bad_request().with_text(text);
    let policy = element.get_attr("default").and_then(ArchivePolicy::from_name);
    let mut prefs = Preferences::new(policy.ok_or_else(|| bad("'default' is always, never or roster"))?);
    for (name, list) in [("always", &mut prefs.always), ("never", &mut prefs.never)] {
        for jid in element.find(name, ns::MAM).into_iter().flat_map(Element::child_elements) {
            if !jid.is("jid", ns::MAM) {
                return Err(bad("a list contains JIDs"));
            }
            list.insert(Jid::parse(jid.text_content().trim()).map_err(|_| bad("this is no JID"))?);
        }
    }
    if prefs.always.len() + prefs.never.len() > jids_max {
        return Err(StanzaError::new(Condition::ResourceConstraint).with_text("too many JIDs"));
    }
    Ok(prefs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let xml = "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>romeo@montague.lit</jid></always>\
                   <never><jid>a@b/c</jid><jid>montague@montague.lit</jid></never></prefs>";
        let prefs = read(&Element::parse(xml, ns::CLIENT).expect("XML"), 3).expect("preferences");
        assert_eq!(to_element(&prefs).to_xml(ns::CLIENT), xml);
        let short = Element::parse("<prefs xmlns='urn:xmpp:mam:2' default='never'/>", ns::CLIENT).expect("XML");
        assert_eq!(read(&short, 0), Ok(Preferences::new(ArchivePolicy::Never)));
    }

    #[test]
    fn what_is_refused() {
        let rows = [
            ("<prefs xmlns='urn:xmpp:mam:2'/>", Condition::BadRequest),
            ("<prefs xmlns='urn:xmpp:mam:2' default='maybe'/>", Condition::BadRequest),
            (
                "<prefs xmlns='urn:xmpp:mam:2' default='never'><always><jid>@</jid></always></prefs>",
                Condition::BadRequest,
            ),
            ("<prefs xmlns='urn:xmpp:mam:2' default='never'><always><x/></always></prefs>", Condition::BadRequest),
            (
                "<prefs xmlns='urn:xmpp:mam:2' default='never'><never><jid>a@x</jid><jid>b@x</jid></never></prefs>",
                Condition::ResourceConstraint,
            ),
        ];
        for (xml, condition) in rows {
            let error = read(&Element::parse(xml, ns::CLIENT).expect("XML"), 1).expect_err(xml);
            assert_eq!(error.condition, condition, "{xml}");
        }
    }
}

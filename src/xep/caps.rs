//! XEP-0115 and XEP-0390: clients put a hash of what they can into their presence. What we want of it is which
//! notifications they are interested in (XEP-0060 §9.2). A hash is asked for once; the answer is checked, and holds for
//! everybody who has that hash.

pub mod own;

use crate::account::Account;
use crate::account::capabilities::{Asked, Look};
use crate::account::resource::{Client, Interest};
use crate::core::Core;
use crate::counters::LogGate;
use crate::extension::{About, Declare, Extension};
use crate::router::request::ask_whole;
use crate::xep::pep_presence;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use own::function;
pub use own::{own_info, stream_features};
use std::sync::Arc;
use std::time::Duration;
use xep_support::formats::caps::{self, Advert, Caps};
use xep_support::ns;
use xep_support::stanza::{IqType, Stanza};
use xep_support::xml::Element;

/// How long a client has to say what it can. Its answer later on would be of no use to anybody else.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Nodes one client may be interested in; of more the first ones count, in the order of its answer.
const INTEREST_NODES_MAX: usize = 256;

/// The longest hash: SHA-512 in base64 has 88 characters.
const HASH_CHARS_MAX: usize = 128;

/// The longest node that is repeated in a question.
const NODE_BYTES_MAX: usize = 1_024;

/// Entity capabilities.
pub struct EntityCapabilities;

impl Extension for EntityCapabilities {
    fn about(&self) -> About {
        About::new("XEP-0115", "Entity Capabilities", "1.6.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_feature(ns::CAPS).broadcast(Box::new(broadcast)).available(Box::new(available));
    }
}

/// Version 2 of them.
pub struct EntityCapabilities2;

impl Extension for EntityCapabilities2 {
    fn about(&self) -> About {
        About::new("XEP-0390", "Entity Capabilities 2.0", "0.3.2")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_feature(ns::CAPS2);
    }
}

/// What was advertised, and how it is verified.
enum Hash {
    /// By the rules of XEP-0115 §5.4.
    Caps(&'static aws_lc_rs::digest::Algorithm),
    /// By those of XEP-0390 §4.4.
    Caps2(&'static aws_lc_rs::digest::Algorithm),
    /// Not at all: no hash, or by a function we do not have. The answer counts for who gave it (XEP-0115 §5.4 step 2).
    Unknown,
}

/// A question to be asked.
struct Question {
    hash: Hash,
    /// What the hash must be, in base64.
    expected: String,
    /// Of which node information is asked.
    node: Option<String>,
    /// The name of the answer among all answers.
    key: String,
}

impl Question {
    /// Version 2 first: where it is there, what is known by the rules of version 1 must not be used (XEP-0390 §7.2).
    fn of(advert: &Advert) -> Self {
        let hashes = || advert.hashes.iter().filter(|(_, hash)| hash.len() <= HASH_CHARS_MAX);
        for name in own::FUNCTIONS_PREFERRED {
            if let Some((_, hash)) = hashes().find(|(function, _)| function == name)
                && let Some(algorithm) = function(name)
            {
                let node = caps::hash_node(name, hash);
                return Self {
                    hash: Hash::Caps2(algorithm),
                    expected: hash.clone(),
                    key: node.clone(),
                    node: Some(node),
                };
            }
        }
        match &advert.legacy {
            Some(caps) if advert.hashes.is_empty() => Self::of_version_1(caps),
            _ => {
                let node = hashes().next().map(|(function, hash)| caps::hash_node(function, hash));
                Self { hash: Hash::Unknown, expected: String::new(), key: String::new(), node }
            }
        }
    }

    /// Without a hash function `ver` is the number of a version (§13) and is ignored.
    fn of_version_1(Caps { node, hash, ver }: &Caps) -> Self {
        let unknown = |node| Self { hash: Hash::Unknown, expected: String::new(), key: String::new(), node };
        let Some(name) = hash else { return unknown(None) };
        let node = Some(format!("{node}#{ver}")).filter(|node| node.len() <= NODE_BYTES_MAX);
        match function(name).filter(|_| ver.len() <= HASH_CHARS_MAX) {
            Some(algorithm) => {
                Self { hash: Hash::Caps(algorithm), expected: ver.clone(), key: format!("{name} {ver}"), node }
            }
            None => unknown(node),
        }
    }

    /// Has the answer the hash that was advertised?
    fn is_answered_by(&self, info: &Element, lang: Option<&str>) -> bool {
        let digest = |algorithm, input: &[u8]| STANDARD.encode(aws_lc_rs::digest::digest(algorithm, input));
        let hash = match self.hash {
            Hash::Caps(algorithm) => caps::verification_string(info).map(|text| digest(algorithm, text.as_bytes())),
            Hash::Caps2(algorithm) => caps::hash_input(info, lang).map(|input| digest(algorithm, &input)),
            Hash::Unknown => return false,
        };
        match hash {
            Ok(hash) => hash == self.expected,
            Err(error) => {
                tracing::debug!(%error, "capabilities without a hash");
                false
            }
        }
    }
}

/// Stage Broadcast. Presence without capabilities changes nothing (XEP-0115 §8.4, XEP-0390 §6.2).
fn broadcast(core: &Arc<Core>, client: &Client, before: Option<&Stanza>, presence: &Arc<Stanza>) {
    let changed = before.is_some_and(|before| !Advert::is_repeated(before, presence));
    if caps::is_in(presence) && (changed || !is_known(client)) {
        look_up(core, client, presence);
    }
}

/// Stage Available, for a session that was resumed after a restart of the server: nothing is known of it any more.
fn available(core: &Arc<Core>, client: &Client, presence: &Stanza) {
    if caps::is_in(presence) && !is_known(client) {
        look_up(core, client, presence);
    }
}

/// Is it known what the resource wants? A resource that is gone wants nothing.
fn is_known(client: &Client) -> bool {
    client.account.lock().bound(&client.resource).is_none_or(|bound| bound.interest.is_some())
}

fn look_up(core: &Arc<Core>, client: &Client, presence: &Stanza) {
    let who = Asked { account: client.account.clone(), resource: client.resource.clone() };
    if let Some(advert) = Advert::of(presence) {
        consider(core, who, &Question::of(&advert));
    }
}

/// Too many wait: not each of them is worth a line in the log.
static REFUSED: LogGate = LogGate::new();

/// Uses what is known, or sees to it that somebody is asked.
fn consider(core: &Arc<Core>, who: Asked, question: &Question) {
    if matches!(question.hash, Hash::Unknown) {
        if core.capabilities.alone(&who) {
            tokio::spawn(ask_alone(core.clone(), who));
        }
        return;
    }
    match core.capabilities.look(&question.key, &who) {
        Look::Known(interest) => learned(core, &who, &question.key, &interest),
        // Not part of the work a stop waits for: nothing is lost with it, and a client that is gone does not answer.
        Look::MustAsk => drop(tokio::spawn(ask_all(core.clone(), question.key.clone()))),
        Look::Waits => {}
        Look::Refused => REFUSED.note(|cases| tracing::warn!(cases, "too many clients wait for capabilities")),
    }
}

/// What a resource advertises now; `None`: it is gone, or unavailable.
fn current(who: &Asked) -> Option<Question> {
    let presence = who.account.lock().bound(&who.resource)?.presence.clone()?;
    Advert::of(&presence).as_ref().map(Question::of)
}

/// Asks one after the other until somebody's answer has the hash (XEP-0115 §5.4, step 3.9).
async fn ask_all(core: Arc<Core>, key: String) {
    while let Some(who) = core.capabilities.next(&key) {
        let question = current(&who).filter(|question| question.key == key);
        let answer = match &question {
            Some(question) => ask(&core, &who, question).await,
            None => None,
        };
        core.capabilities.done(&who);
        let Some((info, lang)) = answer else {
            reconsider(&core, who, &key);
            continue;
        };
        let interest = Arc::new(Interest::new(caps::interest(&info).take(INTEREST_NODES_MAX)));
        let verified = question.is_some_and(|question| question.is_answered_by(&info, lang.as_deref()));
        if !verified {
            // §9.3: it says what it wants itself, and nothing about others.
            tracing::debug!(resource = %who.resource.jid, "capabilities do not have the hash that was advertised");
            learned(&core, &who, &key, &interest);
            continue;
        }
        let known_max = core.config().limits.caps_known_max;
        let waited = core.capabilities.learn(&key, interest.clone(), known_max);
        for who in std::iter::once(who).chain(waited) {
            learned(&core, &who, &key, &interest);
        }
        return;
    }
}

/// Asks one resource for itself.
async fn ask_alone(core: Arc<Core>, who: Asked) {
    let question = current(&who);
    let answer = match &question {
        Some(question) => ask(&core, &who, question).await,
        None => None,
    };
    core.capabilities.done(&who);
    if let (Some((info, _)), Some(question)) = (answer, question) {
        let interest = Arc::new(Interest::new(caps::interest(&info).take(INTEREST_NODES_MAX)));
        learned(&core, &who, &question.key, &interest);
    }
}

/// XEP-0115 §6.2: asks, and gives the answer with its language.
async fn ask(core: &Arc<Core>, who: &Asked, question: &Question) -> Option<(Element, Option<String>)> {
    let _place = core.capabilities.questions.acquire().await.ok()?;
    let to = who.resource.jid.as_jid();
    let from = core.hosts.find(to.domain())?.jid.clone();
    let query = Element::new("query", ns::DISCO_INFO).attr_opt("node", question.node.as_deref());
    let answer = ask_whole(core, &from, to, IqType::Get, query, ANSWER_TIME_MAX).await;
    let answer = answer.inspect_err(|error| {
        tracing::debug!(resource = %to, reason = error.condition.as_str(), "a client did not say what it can");
    });
    let answer = answer.ok()?;
    let info = answer.payload().filter(|info| info.is("query", ns::DISCO_INFO))?;
    Some((info, answer.lang().map(|lang| lang.into_owned())))
}

/// While a resource waited it may have advertised something else, which was put off.
fn reconsider(core: &Arc<Core>, who: Asked, key: &str) {
    if let Some(question) = current(&who).filter(|question| question.key != key) {
        consider(core, who, &question);
    }
}

/// It is known what a resource is interested in, if it still advertises that.
fn learned(core: &Arc<Core>, who: &Asked, key: &str, interest: &Arc<Interest>) {
    let still = current(who).is_some_and(|question| question.key == key);
    if !still {
        return reconsider(core, who.clone(), key);
    }
    if let Some(before) = note(&who.account, who, interest) {
        pep_presence::interested(core, who, before.as_deref(), interest);
    }
}

/// Notes the interest, and gives the one before. `None`: the resource is gone.
fn note(account: &Account, who: &Asked, interest: &Arc<Interest>) -> Option<Option<Arc<Interest>>> {
    let mut state = account.lock();
    let bound = state.bound(&who.resource)?;
    bound.presence.as_ref()?;
    Some(bound.interest.replace(interest.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advert(hashes: &[(&str, &str)], legacy: Option<(&str, Option<&str>, &str)>) -> Question {
        let caps = |(node, hash, ver): (&str, Option<&str>, &str)| Caps {
            node: node.to_owned(),
            hash: hash.map(str::to_owned),
            ver: ver.to_owned(),
        };
        let hashes = hashes.iter().map(|(function, hash)| ((*function).to_owned(), (*hash).to_owned())).collect();
        Question::of(&Advert { hashes, legacy: legacy.map(caps) })
    }

    #[test]
    fn version_two_is_preferred_and_sha_256_in_it() {
        let legacy = Some(("n", Some("sha-1"), "v"));
        let question = advert(&[("sha3-256", "3"), ("sha-256", "2")], legacy);
        assert_eq!(question.node.as_deref(), Some("urn:xmpp:caps#sha-256.2"));
        assert!(matches!(question.hash, Hash::Caps2(_)));
        let question = advert(&[("sha3-256", "3")], legacy);
        assert_eq!(question.node.as_deref(), Some("urn:xmpp:caps#sha3-256.3"));
        let question = advert(&[("md5", "5")], legacy);
        assert!(matches!(question.hash, Hash::Unknown), "XEP-0390 §7.2");
        assert_eq!(question.node.as_deref(), Some("urn:xmpp:caps#md5.5"));
        let question = advert(&[], legacy);
        assert!(matches!(question.hash, Hash::Caps(_)) && question.node.as_deref() == Some("n#v"));
    }

    /// XEP-0115 §5.4 step 2, §13.
    #[test]
    fn what_cannot_be_verified() {
        let question = advert(&[], Some(("n", None, "1.0")));
        assert!(matches!(question.hash, Hash::Unknown) && question.node.is_none());
        let question = advert(&[], Some(("n", Some("md5"), "v")));
        assert!(matches!(question.hash, Hash::Unknown) && question.node.as_deref() == Some("n#v"));
        let long = "v".repeat(HASH_CHARS_MAX + 1);
        assert!(matches!(advert(&[], Some(("n", Some("sha-1"), &long))).hash, Hash::Unknown));
        assert!(advert(&[], Some((&"n".repeat(NODE_BYTES_MAX), Some("sha-1"), "v"))).node.is_none());
    }

    /// XEP-0390 §4.5.1; the other function there.
    #[test]
    fn sha_3() {
        let features =
            ["jabber:iq:last", "urn:xmpp:ping"].map(|var| Element::new("feature", ns::DISCO_INFO).attr("var", var));
        let info = Element::new("query", ns::DISCO_INFO).children(features);
        let input = caps::hash_input(&info, None).expect("well-formed");
        let algorithm = function("sha3-256").expect("known");
        let hash = STANDARD.encode(aws_lc_rs::digest::digest(algorithm, &input));
        assert!(advert(&[("sha3-256", &hash)], None).is_answered_by(&info, None));
        assert!(!advert(&[("sha-256", &hash)], None).is_answered_by(&info, None));
    }
}

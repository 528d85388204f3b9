//! XEP-0388: authentication, and everything else a client needs for a session, in one request. XEP-0509: such a request
//! may come before the client has seen what is offered.

use super::exchange::{self, Profile, Proven};
use super::{bind2, device, fast, upgrade};
use crate::account::Account;
use crate::account::resource::Agent;
use crate::c2s::negotiate::{Negotiation, Ready};
use crate::close::CloseReason;
use crate::sasl::{FastMechanism, Offer, UpgradeTask};
use bind2::Bind;
use std::sync::Arc;
use xep_support::ns;
use xep_support::sasl::SaslFailure;
use xep_support::sasl2::{self, Authenticate, Sasl2Request};
use xep_support::xml::Element;

/// What came of an attempt.
pub(in crate::c2s) enum Outcome {
    /// It failed, the client was told and may try again. Does it count as an attempt?
    Failed(bool),
    /// The client has a session.
    Ready(Box<Ready>),
    /// The client is authenticated, and nothing more.
    Unbound(Arc<Account>, Box<Agent>),
}

/// What a client wants together with authentication.
#[derive(Default)]
pub(super) struct Wishes {
    /// XEP-0484 §3.4.
    pub(super) fast: Option<Fast>,
    /// XEP-0484 §3.2: a token for this mechanism.
    pub(super) token: Option<FastMechanism>,
    /// XEP-0198 §5.
    pub(super) resume: Option<Element>,
    /// XEP-0386.
    pub(super) bind: Option<Bind>,
    /// XEP-0480 §2.2.
    upgrades: Vec<UpgradeTask>,
    /// XEP-0509 §2.2.
    config_version: Option<String>,
}

/// `<fast/>`
#[derive(Clone, Copy)]
pub(super) struct Fast {
    /// The replay counter.
    pub(super) count: Option<i64>,
    /// §3.6: the token shall end.
    pub(super) invalidate: bool,
}

/// Why an attempt failed.
struct Refusal {
    failure: SaslFailure,
    /// An application-specific condition, as XML.
    specific: &'static str,
    text: Option<&'static str>,
    counts: bool,
}

impl From<SaslFailure> for Refusal {
    fn from(failure: SaslFailure) -> Self {
        Self { failure, specific: "", text: None, counts: true }
    }
}

impl Refusal {
    pub(super) fn with_text(failure: SaslFailure, text: &'static str) -> Self {
        Self { text: Some(text), ..failure.into() }
    }

    /// XEP-0509 §2.2: "without prejudice".
    fn outdated() -> Self {
        Self {
            failure: SaslFailure::Aborted,
            specific: "<config-version-mismatch xmlns='urn:xmpp:iap:0'/>",
            text: Some("Configuration version mismatch"),
            counts: false,
        }
    }
}

/// A client that has been told the version, and more often than that does not take it in, is counted all the same.
const OUTDATED_MAX: u32 = 8;

/// One attempt, from `<authenticate/>` to `<success/>` or `<failure/>`.
pub(in crate::c2s) async fn authenticate(
    n: &mut Negotiation<'_>,
    offer: &Arc<Offer>,
    element: &Element,
) -> Result<Outcome, CloseReason> {
    match attempt(n, offer, element).await? {
        Ok(outcome) => Ok(outcome),
        Err(refusal) => {
            super::failed(n, element.get_attr("mechanism").unwrap_or_default(), refusal.failure);
            let mut out = String::new();
            sasl2::write_failure(&mut out, refusal.failure, refusal.specific, refusal.text);
            n.channel.say(&out);
            n.outdated += u32::from(!refusal.counts);
            Ok(Outcome::Failed(refusal.counts || n.outdated > OUTDATED_MAX))
        }
    }
}

async fn attempt(
    n: &mut Negotiation<'_>,
    offer: &Arc<Offer>,
    element: &Element,
) -> Result<Result<Outcome, Refusal>, CloseReason> {
    let (request, wishes) = match read(n, offer, element) {
        Ok(read) => read,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let proven = match FastMechanism::from_name(&request.mechanism) {
        Some(mechanism) => fast::authenticate(n, offer, mechanism, &request, &wishes).await,
        None => {
            let initial = request.initial.as_ref().map(|initial| initial.0.as_slice());
            exchange::run(n, Profile::Sasl2, offer, &request.mechanism, initial).await?
        }
    };
    let mut proven = match proven {
        Ok(proven) => proven,
        Err(failure) => return Ok(Err(failure.into())),
    };
    if let Err(failure) = upgrade::run(n, &mut proven, &wishes.upgrades).await? {
        return Ok(Err(failure.into()));
    }
    succeed(n, offer, proven, &request, wishes).await
}

/// Reads a request. What is malformed anywhere in it is refused before anything is done.
fn read(n: &Negotiation<'_>, offer: &Offer, element: &Element) -> Result<(Authenticate, Wishes), Refusal> {
    if !offer.has_sasl2() {
        // §3: only after TLS.
        let encrypted = n.is_encrypted();
        return Err(if encrypted { SaslFailure::InvalidMechanism } else { SaslFailure::EncryptionRequired }.into());
    }
    let bytes_max = n.core.config().limits.sasl_bytes_max;
    let request = match Sasl2Request::from_element(element, bytes_max) {
        Some(Ok(Sasl2Request::Authenticate(request))) => *request,
        Some(Err(failure)) => return Err(failure.into()),
        Some(Ok(_)) | None => return Err(SaslFailure::MalformedRequest.into()),
    };
    let mut wishes = Wishes::read(&request)?;
    wishes.upgrades.retain(|task| offer.upgrades().contains(task));
    match (&wishes.config_version, &n.config_version) {
        (Some(seen), Some(current)) if seen != current => Err(Refusal::outdated()),
        _ => Ok((request, wishes)),
    }
}

impl Wishes {
    fn read(request: &Authenticate) -> Result<Self, SaslFailure> {
        let malformed = SaslFailure::MalformedRequest;
        let token = request.inline("request-token", ns::FAST)?;
        let version = request.inline("config-version", ns::CONFIG_VERSION)?;
        let upgrades = request.inline.iter().filter(|e| e.is("upgrade", ns::SASL_UPGRADE));
        let mut wishes = Self {
            fast: request.inline("fast", ns::FAST)?.map(Fast::read).transpose()?,
            // One that is not offered is not given; the login does not fail for that.
            token: token.and_then(|t| t.get_attr("mechanism")).and_then(FastMechanism::from_name),
            resume: request.inline("resume", ns::SM)?.cloned(),
            bind: request.inline("bind", ns::BIND2)?.map(Bind::read).transpose()?,
            upgrades: Vec::new(),
            config_version: version.map(|v| v.get_attr("value").unwrap_or_default().to_owned()),
        };
        for upgrade in upgrades {
            // Names of tasks we do not know are for other servers.
            let task = UpgradeTask::from_name(upgrade.text_content().trim());
            if task.is_some_and(|task| wishes.upgrades.contains(&task)) {
                return Err(malformed);
            }
            wishes.upgrades.extend(task);
        }
        Ok(wishes)
    }
}

impl Fast {
    fn read(element: &Element) -> Result<Self, SaslFailure> {
        let count = match element.get_attr("count").map(str::parse::<i32>) {
            None => None,
            Some(Ok(count)) if count > 0 => Some(count.into()),
            Some(_) => return Err(SaslFailure::MalformedRequest),
        };
        let invalidate = match element.get_attr("invalidate") {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(_) => return Err(SaslFailure::MalformedRequest),
        };
        Ok(Self { count, invalidate })
    }
}

/// §2.6.1: what was wanted, then `<success/>` with what came of it, then the features of the stream as it is now. From the
/// moment there is a session nothing is waited for.
async fn succeed(
    n: &mut Negotiation<'_>,
    offer: &Offer,
    proven: Proven,
    request: &Authenticate,
    wishes: Wishes,
) -> Result<Result<Outcome, Refusal>, CloseReason> {
    let agent = device::agent(n, &proven, request.agent.as_ref());
    let token = match device::note(n, offer, &proven, &agent, &wishes).await {
        Ok(token) => token,
        Err(failure) => return Ok(Err(failure.into())),
    };
    let Proven { account, additional, .. } = proven;
    let mut entered = match bind2::enter(n, &account, Box::new(agent), wishes.resume, wishes.bind).await? {
        Ok(entered) => entered,
        Err(text) => return Ok(Err(Refusal::with_text(SaslFailure::TemporaryAuthFailure, text))),
    };
    n.core.counters.logins.note(&request.mechanism, None);
    if let Some(token) = token {
        token.write(&mut entered.inline, ns::SASL2);
    }
    let mut out = String::with_capacity(1024);
    let identifier = entered.bound_jid().unwrap_or(account.jid.as_str());
    sasl2::write_success(&mut out, additional.as_deref(), identifier, &entered.inline);
    n.logged_in();
    n.channel.say(&out);
    n.channel.say(&n.features_after_login(entered.has_session(), entered.is_managed()));
    Ok(Ok(entered.into_outcome(n, account)))
}

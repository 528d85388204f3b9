//! SASL on a stream (RFC 6120 §6): one attempt, from `<auth/>` to `<success/>` or `<failure/>`.

use super::channel::Inbound;
use super::negotiate::Negotiation;
use crate::account::roster::Roster;
use crate::account::{Account, OfflineState};
use crate::attempts::{Allowance, Pending, Purpose, Start, address_key};
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::router;
use crate::sasl::{Credentials, Exchange, Failure, Offer, Step, StoredKey, Success};
use crate::storage::{AccountRecord, ScramHash};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::sasl::{self, SaslFailure, SaslRequest};
use xep_support::stanza::TopLevel;
use xep_support::stream::StreamCondition;
use xep_support::xml::Element;

/// One attempt. `None`: it failed, the client was told and may try again.
pub(super) async fn authenticate(
    n: &mut Negotiation<'_>,
    offer: &Arc<Offer>,
    element: &Element,
) -> Result<Option<Arc<Account>>, CloseReason> {
    let outcome = match attempt(n, offer, element).await? {
        Ok(outcome) => outcome,
        Err(failure) => {
            n.core.counters.logins_failed.fetch_add(1, Ordering::Relaxed);
            tracing::info!(outcome = failure.as_str(), "authentication failed");
            let mut out = String::new();
            failure.write(&mut out, None);
            n.channel.send(&out).await?;
            return Ok(None);
        }
    };
    let (account, additional) = outcome;
    n.core.counters.logins.fetch_add(1, Ordering::Relaxed);
    let mut out = String::new();
    sasl::write_success(&mut out, additional.as_deref());
    n.channel.send(&out).await?;
    Ok(Some(account))
}

type Attempt = Result<(Arc<Account>, Option<Vec<u8>>), SaslFailure>;

async fn attempt(n: &mut Negotiation<'_>, offer: &Arc<Offer>, element: &Element) -> Result<Attempt, CloseReason> {
    let bytes_max = n.core.config().limits.sasl_bytes_max;
    let (mechanism, initial) = match SaslRequest::from_element(element, bytes_max) {
        Some(Ok(SaslRequest::Auth { mechanism, initial })) => (mechanism, initial),
        Some(Ok(_)) => return Ok(Err(SaslFailure::MalformedRequest)),
        Some(Err(failure)) => return Ok(Err(failure)),
        None => return Err(super::channel::refused(StreamCondition::UnsupportedStanzaType)),
    };
    let Some(mut guess) = Guess::from_address(n).await else { return Ok(Err(SaslFailure::TemporaryAuthFailure)) };
    let (mut exchange, mut step) = Exchange::start(&mechanism, offer.clone(), n.core.decoy.clone(), initial.as_deref());
    let mut user: Option<BareJid> = None;
    loop {
        step = match step {
            Step::NeedCredentials { user: name, .. } => {
                let host = n.host.as_ref().map(Jid::domain).unwrap_or_default();
                let jid = BareJid::new(Some(&name), host).ok();
                if let Some(jid) = &jid
                    && !guess.at_account(n, jid).await
                {
                    return Ok(Err(SaslFailure::TemporaryAuthFailure));
                }
                let stored = match stored(n.core, jid.as_ref()).await {
                    Ok(stored) => stored,
                    Err(failure) => return Ok(Err(failure)),
                };
                let looked_up = jid.as_ref().map_or(name.as_str(), |j| j.as_str()).to_owned();
                user = jid;
                exchange.credentials(&looked_up, stored).await
            }
            Step::Challenge(challenge) => {
                let mut out = String::new();
                sasl::write_challenge(&mut out, &challenge);
                n.channel.send(&out).await?;
                match response(n, bytes_max).await? {
                    Ok(bytes) => exchange.step(&bytes),
                    Err(failure) => return Ok(Err(failure)),
                }
            }
            Step::Done(success) => return Ok(finish(n, user, success).await),
            Step::Failed(failure) => {
                if exchange.was_guess() {
                    guess.failed();
                }
                return Ok(Err(wire_failure(failure)));
            }
        };
    }
}

/// An attempt that counts against its address and its account if it turns out to be a wrong guess.
struct Guess {
    core: Arc<Core>,
    counted: SmallVec<[Pending; 3]>,
}

impl Guess {
    async fn from_address(n: &Negotiation<'_>) -> Option<Self> {
        let mut guess = Self { core: n.core.clone(), counted: SmallVec::new() };
        let max = n.core.config().limits.failed_logins_per_address_max;
        guess.start(Purpose::LoginAddress, &address_key(n.peer), max).await.then_some(guess)
    }

    /// Against the account as seen from this address, and against the account as such.
    async fn at_account(&mut self, n: &Negotiation<'_>, jid: &BareJid) -> bool {
        let (here_max, total_max) = {
            let l = &n.core.config().limits;
            (l.failed_logins_per_account_max, l.failed_logins_per_account_total_max)
        };
        self.start(Purpose::LoginFrom, &format!("{} {jid}", address_key(n.peer)), here_max).await
            && self.start(Purpose::LoginAccount, jid.as_str(), total_max).await
    }

    async fn start(&mut self, purpose: Purpose, key: &str, attempts_max: usize) -> bool {
        let allowance = {
            let l = &self.core.config().limits;
            let window_ms = u64::try_from(l.failed_logins_window_seconds.as_millis()).unwrap_or(u64::MAX);
            Allowance { attempts_max, window_ms, tracked_max: l.failed_logins_tracked_max }
        };
        for _ in 0..TURNS_MAX {
            match self.core.attempts.start(purpose, key, allowance, clock::monotonic_ms()) {
                Start::Now(pending) => {
                    self.counted.push(pending);
                    return true;
                }
                // Many log in at once, after a restart say: one after the other.
                Start::Later => tokio::time::sleep(TURN).await,
                Start::Never => break,
            }
        }
        match purpose {
            Purpose::LoginAccount => tracing::warn!(account = key, "an account is closed: too many failed logins"),
            _ => tracing::info!(key, limit = ?purpose, "too many failed logins"),
        }
        false
    }

    fn failed(&mut self) {
        for pending in self.counted.drain(..) {
            self.core.attempts.settle(pending, true);
        }
    }
}

impl Drop for Guess {
    fn drop(&mut self) {
        for pending in self.counted.drain(..) {
            self.core.attempts.settle(pending, false);
        }
    }
}

/// How long somebody waits for others of the same address or account, and how often it looks.
const TURN: Duration = Duration::from_millis(20);
const TURNS_MAX: usize = 500;

async fn response(n: &mut Negotiation<'_>, bytes_max: usize) -> Result<Result<Vec<u8>, SaslFailure>, CloseReason> {
    match n.channel.element().await? {
        Inbound::Element(TopLevel::Other(element)) => match SaslRequest::from_element(&element, bytes_max) {
            Some(Ok(SaslRequest::Response(bytes))) => Ok(Ok(bytes)),
            Some(Ok(SaslRequest::Abort)) => Ok(Err(SaslFailure::Aborted)),
            Some(Ok(SaslRequest::Auth { .. })) => Ok(Err(SaslFailure::MalformedRequest)),
            Some(Err(failure)) => Ok(Err(failure)),
            None if element.is("error", ns::STREAM) => Err(CloseReason::ClientFailed),
            None => Err(super::channel::refused(StreamCondition::UnsupportedStanzaType)),
        },
        Inbound::Element(TopLevel::Stanza(_)) | Inbound::Malformed(_) => {
            Err(super::channel::refused(StreamCondition::NotAuthorized))
        }
    }
}

/// The keys of an account; none for one that does not exist or is disabled, which looks the same from outside.
async fn stored(core: &Core, jid: Option<&BareJid>) -> Result<Option<Credentials>, SaslFailure> {
    let Some(jid) = jid else { return Ok(None) };
    match core.storage.account(jid.as_str()).await {
        Ok(record) => Ok(record.filter(|r| !r.account.disabled).map(credentials)),
        Err(error) => {
            tracing::error!(%error, "credentials could not be read");
            Err(SaslFailure::TemporaryAuthFailure)
        }
    }
}

fn credentials(record: AccountRecord) -> Credentials {
    let mut all = Credentials::default();
    for c in record.credentials {
        let key =
            StoredKey { salt: c.salt, iterations: c.iterations, stored_key: c.stored_key, server_key: c.server_key };
        match c.hash {
            ScramHash::Sha1 => all.sha1 = Some(key),
            ScramHash::Sha256 => all.sha256 = Some(key),
        }
    }
    all
}

/// Authenticated: is the asked identity the user's own (RFC 6120 §6.3.8), and does the account load?
async fn finish(n: &Negotiation<'_>, user: Option<BareJid>, success: Success) -> Attempt {
    let Some(user) = user else { return anonymous(n, &success) };
    if let Some(authzid) = &success.authzid {
        let same = Jid::parse(authzid).is_ok_and(|asked| asked == *user);
        if !same {
            return Err(SaslFailure::InvalidAuthzid);
        }
    }
    match router::load(n.core, &user).await {
        Ok(Some(account)) => {
            tracing::info!(user = %user, mechanism = success.mechanism.name(), "authenticated");
            Ok((account, success.additional))
        }
        Ok(None) => Err(SaslFailure::NotAuthorized),
        Err(error) => {
            tracing::error!(%error, "account could not be loaded");
            Err(SaslFailure::TemporaryAuthFailure)
        }
    }
}

/// RFC 4505, XEP-0175: a temporary account with a name nobody can guess.
fn anonymous(n: &Negotiation<'_>, success: &Success) -> Attempt {
    let host = n.host.as_ref().map(Jid::domain).unwrap_or_default();
    let name = super::random_id();
    let Ok(jid) = BareJid::new(Some(&name), host) else { return Err(SaslFailure::TemporaryAuthFailure) };
    let now = clock::monotonic_seconds();
    let account = Arc::new(Account::new(jid, None, Roster::default(), OfflineState::default(), now));
    n.core.accounts.insert_temporary(account.clone());
    tracing::info!(user = %account.jid, mechanism = success.mechanism.name(), "authenticated");
    Ok((account, success.additional.clone()))
}

fn wire_failure(failure: Failure) -> SaslFailure {
    SaslFailure::from_name(failure.condition()).unwrap_or(SaslFailure::TemporaryAuthFailure)
}

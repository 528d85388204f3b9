//! One exchange of SASL messages (RFC 6120 §6.4, XEP-0388 §2.5), whichever elements carry them.

use super::guess::Guess;
use crate::account::roster::Roster;
use crate::account::{Account, OfflineState};
use crate::attempts::address_key;
use crate::c2s::channel::{Inbound, refused};
use crate::c2s::negotiate::Negotiation;
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::ops;
use crate::router;
use crate::sasl::{
    Credentials, Exchange, Failure, Newcomer, Offer, PasswordTag, Step, StoredKey, Success, UpgradeTask,
};
use crate::storage::{AccountRecord, ScramHash};
use smallvec::SmallVec;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::sasl::{self, SaslFailure, SaslRequest};
use xep_support::sasl2::{self, Sasl2Request};
use xep_support::stanza::TopLevel;
use xep_support::stream::StreamCondition;
use xep_support::xml::Element;

/// Which elements carry the messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    /// RFC 6120 §6.
    Rfc6120,
    /// XEP-0388.
    Sasl2,
}

/// Somebody who has authenticated.
pub(super) struct Proven {
    /// Who.
    pub(super) account: Arc<Account>,
    /// What proves the server to the client.
    pub(super) additional: Option<Vec<u8>>,
    /// What was proved.
    pub(super) proof: Proof,
}

/// What somebody has proved.
pub(super) enum Proof {
    /// Nothing (RFC 4505).
    Guest,
    /// To know the password.
    Password {
        /// One of the keys the password has become.
        key: (ScramHash, Vec<u8>),
        /// Keys the account has not.
        due: SmallVec<[UpgradeTask; 2]>,
    },
    /// To have a token.
    Token(super::fast::UsedToken),
}

impl Profile {
    fn write_challenge(self, out: &mut String, challenge: &[u8]) {
        match self {
            Self::Rfc6120 => sasl::write_challenge(out, challenge),
            Self::Sasl2 => sasl2::write_challenge(out, challenge),
        }
    }

    /// The client's answer to a challenge; `None` if it is something else.
    fn read_response(self, element: &Element, bytes_max: usize) -> Option<Result<Vec<u8>, SaslFailure>> {
        match self {
            Self::Rfc6120 => Some(match SaslRequest::from_element(element, bytes_max)? {
                Ok(SaslRequest::Response(bytes)) => Ok(bytes),
                Ok(SaslRequest::Abort) => Err(SaslFailure::Aborted),
                Ok(SaslRequest::Auth { .. }) => Err(SaslFailure::MalformedRequest),
                Err(failure) => Err(failure),
            }),
            // XEP-0388 §2.4: "Servers MUST disconnect Clients immediately if any other traffic is received."
            Self::Sasl2 => match Sasl2Request::from_element(element, bytes_max)? {
                Ok(Sasl2Request::Response(bytes)) => Some(Ok(bytes.0)),
                Ok(Sasl2Request::Abort) => Some(Err(SaslFailure::Aborted)),
                Err(failure) if element.name() == "response" => Some(Err(failure)),
                _ => None,
            },
        }
    }
}

/// An exchange from the client's choice of a mechanism to its end.
pub(super) async fn run(
    n: &mut Negotiation<'_>,
    profile: Profile,
    offer: &Arc<Offer>,
    mechanism: &str,
    initial: Option<&[u8]>,
) -> Result<Result<Proven, SaslFailure>, CloseReason> {
    let Some(mut guess) = Guess::from_address(n).await else { return Ok(Err(SaslFailure::TemporaryAuthFailure)) };
    let (mut exchange, mut step) = Exchange::start(mechanism, offer.clone(), n.core.decoy.clone(), initial);
    let mut user = None;
    loop {
        step = match step {
            Step::NeedCredentials { user: name, .. } => {
                let claim = match Claim::look_up(n, profile, &mut guess, &name).await {
                    Ok(claim) => claim,
                    Err(failure) => return Ok(Err(failure)),
                };
                let Claim { jid, stored, version } = claim;
                let looked_up = jid.as_ref().map_or(name.as_str(), |j| j.as_str()).to_owned();
                user = jid.zip(stored.clone()).and_then(|(jid, keys)| User::new(n, jid, keys, version, &exchange));
                match user.as_ref().is_some_and(|user| user.has_proved_before(n)) {
                    true => exchange.vouched(),
                    false => exchange.credentials(&looked_up, stored).await,
                }
            }
            Step::Challenge(challenge) => {
                let mut out = String::new();
                profile.write_challenge(&mut out, &challenge);
                n.channel.send(&out).await?;
                match response(n, profile).await? {
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

/// Whom somebody says to be.
struct Claim {
    /// `None`: nobody can have this name.
    jid: Option<BareJid>,
    /// The keys; none for an account that does not exist or is disabled, which looks the same from outside.
    stored: Option<Credentials>,
    /// Since then these keys are in force.
    version: u64,
}

impl Claim {
    async fn look_up(
        n: &Negotiation<'_>,
        profile: Profile,
        guess: &mut Guess,
        name: &str,
    ) -> Result<Self, SaslFailure> {
        let host = n.host.as_ref().map(Jid::domain).unwrap_or_default();
        let jid = BareJid::new(Some(name), host).ok();
        let version = n.core.storage.keys_version();
        let Some(jid) = jid else { return Ok(Self { jid: None, stored: None, version }) };
        if profile == Profile::Sasl2 && n.header_contradicts(&jid) {
            return Err(SaslFailure::InvalidAuthzid);
        }
        if !guess.at_account(n, &jid).await {
            return Err(SaslFailure::TemporaryAuthFailure);
        }
        let remembered = n.core.remembered.keys(newcomer(&jid, &address_key(n.peer), version));
        let stored = match remembered {
            Some(keys) => Some(keys),
            None => stored(n.core, &jid).await?,
        };
        Ok(Self { jid: Some(jid), stored, version })
    }
}

fn newcomer<'a>(jid: &'a BareJid, from: &'a str, version: u64) -> Newcomer<'a> {
    Newcomer { account: jid.as_str(), from, version, now_ms: clock::monotonic_ms() }
}

/// Somebody with keys, on the way to prove something.
struct User {
    jid: BareJid,
    keys: Credentials,
    version: u64,
    proof: Proof,
    /// The password that was sent, if one was.
    password: Option<PasswordTag>,
}

impl User {
    fn new(n: &Negotiation<'_>, jid: BareJid, keys: Credentials, version: u64, exchange: &Exchange) -> Option<Self> {
        let proof = proof_by(&keys)?;
        let who = newcomer(&jid, "", version);
        let password = exchange.claimed_password().and_then(|password| n.core.remembered.tag(who, &keys, password));
        Some(Self { jid, keys, version, proof, password })
    }

    fn has_proved_before(&self, n: &Negotiation<'_>) -> bool {
        let who = newcomer(&self.jid, "", self.version);
        self.password.as_ref().is_some_and(|password| n.core.remembered.is_proved(who, password))
    }
}

async fn stored(core: &Core, jid: &BareJid) -> Result<Option<Credentials>, SaslFailure> {
    match core.storage.account(jid.as_str()).await {
        Ok(record) => Ok(record.filter(|r| !r.account.disabled).map(credentials)),
        Err(error) => {
            tracing::error!(%error, "credentials could not be read");
            Err(SaslFailure::TemporaryAuthFailure)
        }
    }
}

/// What a success against these keys proves.
fn proof_by(stored: &Credentials) -> Option<Proof> {
    let key = match (&stored.sha256, &stored.sha1) {
        (Some(key), _) => (ScramHash::Sha256, key.stored_key.clone()),
        (None, Some(key)) => (ScramHash::Sha1, key.stored_key.clone()),
        (None, None) => return None,
    };
    let due = UpgradeTask::ALL.into_iter().filter(|task| task.is_due(stored)).collect();
    Some(Proof::Password { key, due })
}

async fn response(n: &mut Negotiation<'_>, profile: Profile) -> Result<Result<Vec<u8>, SaslFailure>, CloseReason> {
    let bytes_max = n.core.config().limits.sasl_bytes_max;
    match n.channel.element().await? {
        Inbound::Element(TopLevel::Other(element)) => match profile.read_response(&element, bytes_max) {
            Some(response) => Ok(response),
            None if element.is("error", ns::STREAM) => Err(CloseReason::ClientFailed),
            None => Err(refused(StreamCondition::UnsupportedStanzaType)),
        },
        Inbound::Element(TopLevel::Stanza(_)) | Inbound::Malformed(_) => Err(refused(StreamCondition::NotAuthorized)),
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
async fn finish(n: &Negotiation<'_>, user: Option<User>, success: Success) -> Result<Proven, SaslFailure> {
    let Some(User { jid: user, keys, version, proof, password }) = user else { return anonymous(n, &success) };
    if let Some(authzid) = &success.authzid {
        let same = Jid::parse(authzid).is_ok_and(|asked| asked == *user);
        if !same {
            return Err(SaslFailure::InvalidAuthzid);
        }
    }
    let account = load(n.core, &user).await?;
    tracing::info!(user = %user, mechanism = success.mechanism.name(), "authenticated");
    let mut proven = Proven { account, additional: success.additional, proof };
    match success.missing {
        Some(missing) => complete(n.core, &mut proven, *missing).await,
        None => {
            let logins_max = n.core.config().limits.logins_remembered_max;
            let from = address_key(n.peer);
            n.core.remembered.note(newcomer(&user, &from, version), keys, password, logins_max);
        }
    }
    Ok(proven)
}

/// The account of somebody who has authenticated.
pub(super) async fn load(core: &Arc<Core>, user: &BareJid) -> Result<Arc<Account>, SaslFailure> {
    match router::load(core, user).await {
        Ok(Some(account)) => Ok(account),
        Ok(None) => Err(SaslFailure::NotAuthorized),
        Err(error) => {
            tracing::error!(%error, "account could not be loaded");
            Err(SaslFailure::TemporaryAuthFailure)
        }
    }
}

/// Stores keys that were missing, made of the very password that was proved.
pub(super) async fn complete(core: &Core, proven: &mut Proven, missing: Credentials) {
    let (Some(id), Proof::Password { key, due }) = (proven.account.id, &mut proven.proof) else { return };
    match core.storage.account_add_credentials(id, key.clone(), ops::stored_keys(missing.clone())).await {
        Ok(true) => {
            due.retain(|task| task.is_due(&missing));
            tracing::info!(account = %proven.account.jid, "keys for another hash function added");
        }
        Ok(false) => {}
        // The login does not depend on it; the next one tries again.
        Err(error) => tracing::error!(%error, "keys could not be added"),
    }
}

/// RFC 4505, XEP-0175: a temporary account with a name nobody can guess.
fn anonymous(n: &Negotiation<'_>, success: &Success) -> Result<Proven, SaslFailure> {
    let host = n.host.as_ref().map(Jid::domain).unwrap_or_default();
    let name = crate::c2s::random_id();
    let Ok(jid) = BareJid::new(Some(&name), host) else { return Err(SaslFailure::TemporaryAuthFailure) };
    let now = clock::monotonic_seconds();
    let account = Arc::new(Account::new(jid, None, Roster::default(), OfflineState::default(), now));
    n.core.accounts.insert_temporary(account.clone());
    tracing::info!(user = %account.jid, mechanism = success.mechanism.name(), "authenticated");
    Ok(Proven { account, additional: success.additional.clone(), proof: Proof::Guest })
}

fn wire_failure(failure: Failure) -> SaslFailure {
    SaslFailure::from_name(failure.condition()).unwrap_or(SaslFailure::TemporaryAuthFailure)
}

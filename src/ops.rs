//! What is done to whole accounts: made, given a password, removed. Clients ask for it by XEP-0077, operators by the
//! command line; both come here.

pub mod devices;
pub mod invitations;
mod secret;

use crate::account::Account;
use crate::account::resource::Resource;
use crate::account::roster::Subscription;
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::hosts::Place;
use crate::im::{presence, subscription};
use crate::router::{self, bounce};
use crate::sasl::{Credentials, DeriveError};
use crate::storage::{self, AccountId, Credential, ScramHash};
use crate::uploads;
use crate::xep::muc::operate as rooms;
pub use secret::readable_secret;
use std::sync::Arc;
use tokio::task::JoinSet;
use xep_support::jid::BareJid;
use xep_support::stanza::PresenceType;
use xep_support::stanza::error::{Condition, StanzaError};

/// Why an operation on an account was not done.
#[derive(Debug, thiserror::Error)]
pub enum OpError {
    /// The domain is not one of ours.
    #[error("this server does not serve the domain")]
    NotServed,
    /// An account cannot have this name, although it is an address.
    #[error("no account can have this name: {0}")]
    BadName(&'static str),
    /// There is an account of this name.
    #[error("the account exists already")]
    Exists,
    /// The name is kept for whoever has the invitation that names it.
    #[error("the name is kept for somebody who is invited")]
    Reserved,
    /// The invitation is for an account of this name and no other.
    #[error("the invitation is for the name {0}")]
    OtherName(String),
    /// There is no account of this name.
    #[error("there is no such account")]
    NotFound,
    /// The invitation is used up, withdrawn or for another domain.
    #[error("the invitation is no longer good")]
    InviteGone,
    /// No keys can be made of the password.
    #[error("the password cannot be used: {0}")]
    BadPassword(#[from] DeriveError),
    /// Storage refused.
    #[error("storage: {0}")]
    Storage(storage::Error),
}

/// What a client is told.
impl From<OpError> for StanzaError {
    fn from(error: OpError) -> Self {
        let unacceptable = |text: &'static str| Self::new(Condition::NotAcceptable).with_text(text);
        match error {
            OpError::NotServed | OpError::NotFound => Self::new(Condition::ItemNotFound),
            OpError::BadName(text) => unacceptable(text),
            OpError::Exists | OpError::Reserved => Self::new(Condition::Conflict),
            OpError::OtherName(_) => Self::new(Condition::NotAcceptable).with_text(error.to_string()),
            OpError::InviteGone => Self::new(Condition::NotAllowed).with_text("the invitation is no longer good"),
            OpError::BadPassword(DeriveError::EmptyPassword) => unacceptable("the password is empty"),
            OpError::BadPassword(DeriveError::PasswordTooLong) => unacceptable("the password is too long"),
            OpError::BadPassword(DeriveError::ProhibitedCharacter) => {
                unacceptable("the password has a character that passwords cannot have")
            }
            OpError::BadPassword(error) => {
                tracing::error!(%error, "keys for a password could not be made");
                Self::new(Condition::InternalServerError)
            }
            OpError::Storage(error) => bounce::refused("account")(error),
        }
    }
}

/// Makes an account.
pub async fn create_account(core: &Core, jid: &BareJid, password: String) -> Result<(), OpError> {
    let credentials = credentials_for_new(core, jid, password, "").await?;
    let commit = core.storage.account_create(jid.as_str(), clock::now_micros(), credentials);
    commit.await.map_err(not_created)?;
    tracing::info!(account = %jid, "account created");
    Ok(())
}

fn not_created(error: storage::Error) -> OpError {
    match error {
        storage::Error::Conflict => OpError::Exists,
        storage::Error::NotFound => OpError::InviteGone,
        error => OpError::Storage(error),
    }
}

/// Hashing is expensive: what can be refused without it is refused first. `token`: an invitation it is made with.
async fn credentials_for_new(
    core: &Core,
    jid: &BareJid,
    password: String,
    token: &str,
) -> Result<Vec<Credential>, OpError> {
    let local = jid.local().ok_or(OpError::BadName("a domain is no account"))?;
    if core.hosts.place(jid) != Place::Account {
        return Err(OpError::NotServed);
    }
    check_name(local)?;
    if exists(core, jid).await? {
        return Err(OpError::Exists);
    }
    let reserved = core.storage.name_is_reserved(local, jid.domain(), clock::now_micros(), token);
    if reserved.await.map_err(OpError::Storage)? {
        return Err(OpError::Reserved);
    }
    derive(core, password).await
}

/// XEP-0106 §4.1: an escaped space neither begins nor ends a localpart.
fn check_name(local: &str) -> Result<(), OpError> {
    if local.starts_with("\\20") || local.ends_with("\\20") {
        return Err(OpError::BadName("a space at the beginning or end"));
    }
    Ok(())
}

/// Is there an account of this name, a temporary one included?
pub async fn exists(core: &Core, jid: &BareJid) -> Result<bool, OpError> {
    if core.accounts.find(jid.as_str()).is_some() {
        return Ok(true);
    }
    Ok(core.storage.account(jid.as_str()).await.map_err(OpError::Storage)?.is_some())
}

/// Keys for a password, with the rounds that the settings ask for now.
async fn derive(core: &Core, password: String) -> Result<Vec<Credential>, OpError> {
    let iterations = core.config().auth.scram_iterations;
    Ok(stored_keys(Credentials::derive_off_thread(password, iterations).await?))
}

/// Keys as they are stored.
pub fn stored_keys(keys: Credentials) -> Vec<Credential> {
    let Credentials { sha1, sha256 } = keys;
    let both = [(ScramHash::Sha1, sha1), (ScramHash::Sha256, sha256)];
    let credential = |(hash, key): (ScramHash, Option<crate::sasl::StoredKey>)| {
        let key = key?;
        Some(Credential {
            hash,
            salt: key.salt,
            iterations: key.iterations,
            stored_key: key.stored_key,
            server_key: key.server_key,
        })
    };
    both.into_iter().filter_map(credential).collect()
}

/// Replaces the password. Every session of the account ends, except the one that asked for it.
pub async fn set_password(
    core: &Arc<Core>,
    jid: &BareJid,
    password: String,
    keep: Option<&Resource>,
) -> Result<(), OpError> {
    let account = load(core, jid).await?;
    let id = account.id.ok_or(OpError::NotFound)?;
    let credentials = derive(core, password).await?;
    core.storage.account_set_credentials(id, credentials).await.map_err(|error| match error {
        storage::Error::NotFound => OpError::NotFound,
        error => OpError::Storage(error),
    })?;
    core.changed.note(jid.as_str());
    tracing::info!(account = %jid, "password changed");
    end_sessions(&account, keep, CloseReason::PasswordChanged);
    Ok(())
}

/// Removes an account with everything that belongs to it. Its contacts see it go (XEP-0077 §3.2); every session ends,
/// except the one that asked for it, which has to be answered first and then closed by the caller.
pub async fn delete_account(core: &Arc<Core>, jid: &BareJid, keep: Option<Arc<Resource>>) -> Result<(), OpError> {
    let account = load(core, jid).await?;
    let id = account.id.ok_or(OpError::NotFound)?;
    // A task of its own: what has begun is finished, even if the session that asked for it ends meanwhile.
    let task = tokio::spawn(delete(core.clone(), account, id, keep));
    task.await.unwrap_or(Err(OpError::Storage(storage::Error::Closed)))
}

async fn load(core: &Arc<Core>, jid: &BareJid) -> Result<Arc<Account>, OpError> {
    if core.hosts.place(jid) != Place::Account {
        return Err(OpError::NotServed);
    }
    router::load(core, jid).await.map_err(OpError::Storage)?.ok_or(OpError::NotFound)
}

/// The contacts come first: if the power fails in between, the account is still there and can be removed again. The
/// other way round a contact could go on showing its presence to whoever takes the name next.
async fn delete(
    core: Arc<Core>,
    account: Arc<Account>,
    id: AccountId,
    keep: Option<Arc<Resource>>,
) -> Result<(), OpError> {
    let contacts: Vec<(BareJid, Subscription)> = {
        let mut state = account.lock();
        if std::mem::replace(&mut state.removed, true) {
            return Err(OpError::NotFound);
        }
        state.roster.items.iter().map(|(jid, contact)| (jid.clone(), contact.subscription)).collect()
    };
    for some in contacts.chunks(CONTACTS_AT_ONCE) {
        let mut told = JoinSet::new();
        for (contact, was) in some {
            told.spawn(end_subscription(core.clone(), account.clone(), contact.clone(), *was));
        }
        while told.join_next().await.is_some() {}
    }
    // A long archive goes in steps that let other writes pass.
    let purged = core.storage.archive_purge(id, i64::MAX).await;
    if let Err(error) = purged.and(core.storage.account_delete(id).await) {
        account.lock().removed = false;
        return Err(OpError::Storage(error));
    }
    core.accounts.remove(account.jid.as_str());
    // Its nodes are gone, and its affiliations and subscriptions everywhere.
    core.nodes.forget_all();
    rooms::forget_account(&core, &account.jid).await;
    tracing::info!(account = %account.jid, "account removed");
    end_sessions(&account, keep.as_deref(), CloseReason::AccountGone);
    uploads::sweep(&core).await;
    Ok(())
}

/// How many contacts are told at once, so that their commits share a transaction.
const CONTACTS_AT_ONCE: usize = 64;

/// RFC 6121 §2.5.2, as if the contact had been removed from the roster.
async fn end_subscription(core: Arc<Core>, account: Arc<Account>, contact: BareJid, was: Subscription) {
    if was.to || was.pending_out {
        subscription::tell(&core, &account, &contact, PresenceType::Unsubscribe).await;
    }
    if was.from {
        presence::withdraw(&core, &account, &contact);
    }
    if was.from || was.pending_in {
        subscription::tell(&core, &account, &contact, PresenceType::Unsubscribed).await;
    }
}

fn end_sessions(account: &Account, keep: Option<&Resource>, reason: CloseReason) {
    let state = account.lock();
    let others = state.resources.iter().filter(|b| keep.is_none_or(|keep| !std::ptr::eq(&*b.resource, keep)));
    others.for_each(|bound| bound.resource.outbox.close(reason));
}

/// The key of an account, for what a temporary one cannot have (XEP-0175 §3).
pub fn registered(account: &Account) -> Result<AccountId, StanzaError> {
    account.id.ok_or_else(|| StanzaError::new(Condition::NotAllowed).with_text("your account is a temporary one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// XEP-0106 §4.1.
    #[test]
    fn an_escaped_space_must_be_inside() {
        for (name, good) in [("a\\20b", true), ("\\20b", false), ("a\\20", false), ("\\20", false), ("20", true)] {
            assert_eq!(check_name(name).is_ok(), good, "{name}");
        }
    }

    #[test]
    fn what_a_client_is_told() {
        let rows = [
            (OpError::Exists, Condition::Conflict),
            (OpError::BadName("x"), Condition::NotAcceptable),
            (OpError::InviteGone, Condition::NotAllowed),
            (OpError::Reserved, Condition::Conflict),
            (OpError::OtherName("juliet".into()), Condition::NotAcceptable),
            (OpError::BadPassword(DeriveError::EmptyPassword), Condition::NotAcceptable),
            (OpError::BadPassword(DeriveError::Random), Condition::InternalServerError),
            (OpError::Storage(storage::Error::Full), Condition::ResourceConstraint),
            (OpError::Storage(storage::Error::Closed), Condition::InternalServerError),
        ];
        for (error, condition) in rows {
            assert_eq!(StanzaError::from(error).condition, condition);
        }
    }
}

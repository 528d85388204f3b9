//! XEP-0484: logging in with a token in place of a password, in one message.

use super::exchange::{self, Proof, Proven};
use super::guess::Guess;
use super::sasl2::Wishes;
use crate::c2s::negotiate::Negotiation;
use crate::clock;
use crate::sasl::{FastMechanism, Offer, TokenProof};
use crate::storage::{DeviceTokens, FastToken, FastUse};
use xep_support::jid::{BareJid, Jid};
use xep_support::sasl::SaslFailure;
use xep_support::sasl2::Authenticate;

/// A login is noted on disk once in so long; a phone may log in many times an hour.
const SEEN_STEP_US: i64 = 15 * 60 * 1_000_000;
/// A token in use for so long is replaced (§3.5).
const ROTATE_AFTER_US: i64 = 24 * 60 * 60 * 1_000_000;

/// A token that was proved.
pub(super) struct UsedToken {
    /// What it was made of.
    pub(super) nonce: Vec<u8>,
    /// What it was for.
    pub(super) mechanism: FastMechanism,
    /// It is time for a new one.
    pub(super) is_old: bool,
    /// What was known of the device.
    pub(super) software: Option<String>,
    pub(super) name: Option<String>,
}

/// §3.4. Whatever is wrong with a token looks the same from outside, but for its age.
pub(super) async fn authenticate(
    n: &Negotiation<'_>,
    offer: &Offer,
    mechanism: FastMechanism,
    request: &Authenticate,
    wishes: &Wishes,
) -> Result<Proven, SaslFailure> {
    let binding = offer.fast_binding(mechanism).ok_or(SaslFailure::InvalidMechanism)?;
    let agent_id = request.agent.as_ref().and_then(|agent| agent.id.as_deref());
    // §4.1: both are needed.
    let (Some(fast), Some(agent_id)) = (&wishes.fast, agent_id) else { return Err(SaslFailure::MalformedRequest) };
    let proof = request.initial.as_ref().and_then(|initial| TokenProof::parse(&initial.0));
    let proof = proof.ok_or(SaslFailure::MalformedRequest)?;

    let busy = SaslFailure::TemporaryAuthFailure;
    let mut guess = Guess::from_address(n).await.ok_or(busy)?;
    let host = n.host.as_ref().map(Jid::domain).unwrap_or_default();
    let Ok(jid) = BareJid::new(Some(proof.user), host) else {
        guess.failed();
        return Err(SaslFailure::NotAuthorized);
    };
    if n.header_contradicts(&jid) {
        return Err(SaslFailure::InvalidAuthzid);
    }
    if !guess.at_account(n, &jid).await {
        return Err(busy);
    }
    let device = n.core.device_secret.device_id(jid.as_str(), agent_id);
    let found = n.core.storage.device_tokens(jid.as_str(), &device).await.map_err(storage_failed)?;
    let Some((found, at, answer)) = found.and_then(|found| prove(n, found, &device, mechanism, &proof, binding)) else {
        guess.failed();
        return Err(SaslFailure::NotAuthorized);
    };
    let now_us = clock::now_micros();
    let token = &found.tokens[at];
    if token.expires_us <= now_us {
        return Err(SaslFailure::CredentialsExpired);
    }
    let account = exchange::load(n.core, &jid).await?;
    if account.id != Some(found.account) {
        return Err(SaslFailure::NotAuthorized);
    }
    // If a new one is wanted it is given for this one, which ends only then.
    let used = FastUse { at_us: now_us, count: fast.count, invalidate: fast.invalidate && wishes.token.is_none() };
    if is_to_be_noted(&found, token, &used) {
        let good = n.core.storage.fast_use(found.account, &device, token.nonce.clone(), used).await;
        if !good.map_err(storage_failed)? {
            tracing::info!(user = %jid, device, "a token was used again, or is gone");
            return Err(SaslFailure::NotAuthorized);
        }
    }
    tracing::info!(user = %jid, mechanism = mechanism.name(), device, "authenticated");
    let is_old = now_us - token.issued_us >= ROTATE_AFTER_US && !fast.invalidate;
    let DeviceTokens { device: row, .. } = &found;
    let (software, name) = (row.software.clone(), row.name.clone());
    let used = UsedToken { nonce: token.nonce.clone(), mechanism, is_old, software, name };
    Ok(Proven { account, additional: Some(answer), proof: Proof::Token(used) })
}

/// Which of the tokens was proved (§5.1), and the answer that proves it to the client. A token is for one mechanism only.
fn prove(
    n: &Negotiation<'_>,
    found: DeviceTokens,
    device: &str,
    mechanism: FastMechanism,
    proof: &TokenProof<'_>,
    binding: &[u8],
) -> Option<(DeviceTokens, usize, Vec<u8>)> {
    let prove = |token: &FastToken| {
        let secret = n.core.device_secret.token(found.account.0, device, mechanism, &token.nonce);
        (token.mechanism == mechanism.name()).then(|| proof.verify(&secret, binding)).flatten()
    };
    let (at, answer) = found.tokens.iter().enumerate().find_map(|(at, token)| Some((at, prove(token)?)))?;
    Some((found, at, answer))
}

/// The first use of a token, its end and each replay counter have to be durable before they count.
fn is_to_be_noted(found: &DeviceTokens, token: &FastToken, used: &FastUse) -> bool {
    let seen_long_ago = used.at_us - found.device.last_seen_us >= SEEN_STEP_US;
    !token.used || used.count.is_some() || used.invalidate || seen_long_ago
}

fn storage_failed(error: crate::storage::Error) -> SaslFailure {
    tracing::error!(%error, "tokens could not be read or noted");
    SaslFailure::TemporaryAuthFailure
}

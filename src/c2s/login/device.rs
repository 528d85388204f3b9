//! What is noted of the client that logs in (XEP-0388 §2.3), and the token it gets for the next time (XEP-0484 §3.3, §3.5).

use super::exchange::{Proof, Proven};
use super::sasl2::Wishes;
use crate::account::resource::Agent;
use crate::c2s::negotiate::Negotiation;
use crate::clock;
use crate::sasl::{FastMechanism, Offer, TOKEN_NONCE_BYTES};
use crate::storage::{AccountId, DeviceSeen, FastToken, Witness};
use xep_support::formats::date::{self, Precision};
use xep_support::ns;
use xep_support::sasl::SaslFailure;
use xep_support::sasl2::UserAgent;
use xep_support::xml::Element;

/// What a client says about itself, as its session keeps it.
pub(super) fn agent(n: &Negotiation<'_>, proven: &Proven, said: Option<&UserAgent>) -> Agent {
    let (account, said) = (&proven.account, said.cloned().unwrap_or_default());
    let device = said.id.filter(|_| account.id.is_some());
    let device = device.map(|id| n.core.device_secret.device_id(account.jid.as_str(), &id).into_boxed_str());
    let bytes_max = n.core.config().limits.device_text_bytes_max;
    let cut = |mut text: String| {
        while text.len() > bytes_max {
            text.pop();
        }
        text.into_boxed_str()
    };
    Agent {
        device,
        software: said.software.map(cut),
        name: said.device.map(cut),
        by_token: matches!(proven.proof, Proof::Token(_)),
    }
}

/// Notes the login and makes a token, if one is wanted or the old one's time has come; it is durable when this is over.
pub(super) async fn note(
    n: &Negotiation<'_>,
    offer: &Offer,
    proven: &Proven,
    agent: &Agent,
    wishes: &Wishes,
) -> Result<Option<Element>, SaslFailure> {
    let (Some(account), Some(device)) = (proven.account.id, &agent.device) else { return Ok(None) };
    let wanted = wishes.token.or(match &proven.proof {
        Proof::Token(used) if used.is_old => Some(used.mechanism),
        _ => None,
    });
    let seen = seen(n, account, device, agent, &proven.proof);
    let issue = wanted.filter(|mechanism| offer.fast().contains(mechanism)).and_then(|mechanism| {
        let (token, nonce) = (new_token(n, mechanism)?, witness(&proven.proof)?);
        Some((mechanism, token, nonce))
    });
    let made = match issue {
        Some(issue) => make(n, account, device, seen, issue).await?,
        None => {
            if is_news(&proven.proof, &seen) {
                // Nobody waits for that.
                drop(n.core.storage.device_seen(seen, None));
            }
            None
        }
    };
    // XEP-0484 §3.6: whether the wish for another one was granted or not. Without such a wish it has ended with its use.
    let ends = wishes.token.is_some() && wishes.fast.is_some_and(|fast| fast.invalidate);
    if let (Proof::Token(used), true) = (&proven.proof, ends) {
        let gone = n.core.storage.fast_forget(account, device, used.nonce.clone()).await;
        gone.map_err(|error| {
            tracing::error!(%error, "a token could not be invalidated");
            SaslFailure::TemporaryAuthFailure
        })?;
    }
    Ok(made)
}

/// A token for this mechanism; none if it cannot be stored.
async fn make(
    n: &Negotiation<'_>,
    account: AccountId,
    device: &str,
    seen: DeviceSeen,
    (mechanism, token, witness): (FastMechanism, FastToken, Witness),
) -> Result<Option<Element>, SaslFailure> {
    let secret = n.core.device_secret.token(account.0, device, mechanism, &token.nonce);
    let expiry = date::format(token.expires_us, Precision::Seconds);
    match n.core.storage.device_seen(seen, Some((token, witness))).await {
        Ok(true) => {}
        // The password was changed in this very moment.
        Ok(false) => return Err(SaslFailure::NotAuthorized),
        Err(error) => {
            tracing::error!(%error, "no token: it could not be stored");
            return Ok(None);
        }
    }
    Ok(Some(Element::new("token", ns::FAST).attr("expiry", expiry).attr("token", secret)))
}

fn seen(n: &Negotiation<'_>, account: AccountId, device: &str, agent: &Agent, proof: &Proof) -> DeviceSeen {
    let config = n.core.config();
    let kept = |text: &Option<Box<str>>| text.as_deref().filter(|_| config.auth.device_details).map(str::to_owned);
    DeviceSeen {
        account,
        id: device.to_owned(),
        software: kept(&agent.software),
        name: kept(&agent.name),
        at_us: clock::now_micros(),
        password: matches!(proof, Proof::Password { .. }),
        devices_max: u32::try_from(config.limits.devices_per_account_max).unwrap_or(u32::MAX),
    }
}

/// A login by token changes nothing but the time, which was noted with the token's use.
fn is_news(proof: &Proof, seen: &DeviceSeen) -> bool {
    match proof {
        Proof::Token(used) => (&used.software, &used.name) != (&seen.software, &seen.name),
        _ => true,
    }
}

fn witness(proof: &Proof) -> Option<Witness> {
    match proof {
        Proof::Guest => None,
        Proof::Password { key: (hash, stored_key), .. } => Some(Witness::Key(*hash, stored_key.clone())),
        Proof::Token(used) => Some(Witness::Token(used.nonce.clone())),
    }
}

fn new_token(n: &Negotiation<'_>, mechanism: FastMechanism) -> Option<FastToken> {
    let mut nonce = vec![0; TOKEN_NONCE_BYTES];
    getrandom::fill(&mut nonce).ok()?;
    let issued_us = clock::now_micros();
    let days = i64::from(n.core.config().auth.fast_token_days);
    let expires_us = issued_us.saturating_add(days * MICROS_PER_DAY);
    Some(FastToken { mechanism: mechanism.name().to_owned(), nonce, issued_us, expires_us, count: 0, used: false })
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

//! XEP-0480: a client that has proved the password makes the keys an account lacks (one imported from another server, say).

use super::exchange::{self, Proof, Proven};
use crate::c2s::channel::{Inbound, refused};
use crate::c2s::negotiate::Negotiation;
use crate::close::CloseReason;
use crate::sasl::{Credentials, UpgradeTask};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use smallvec::SmallVec;
use xep_support::ns;
use xep_support::sasl::SaslFailure;
use xep_support::sasl2::{self, Sasl2Request};
use xep_support::stanza::TopLevel;
use xep_support::stream::StreamCondition;
use xep_support::xml::Element;

/// The tasks the client asked for and the account needs, one after the other (§2.2). Somebody with a token is not asked: the
/// client may not have the password any more.
pub(super) async fn run(
    n: &mut Negotiation<'_>,
    proven: &mut Proven,
    wanted: &[UpgradeTask],
) -> Result<Result<(), SaslFailure>, CloseReason> {
    let due: SmallVec<[UpgradeTask; 2]> = match &proven.proof {
        Proof::Password { due, .. } => wanted.iter().copied().filter(|task| due.contains(task)).collect(),
        _ => return Ok(Ok(())),
    };
    for task in due {
        // XEP-0388 §2.6.3: what proves the server goes with the first element that says so.
        let additional = proven.additional.take();
        let mut out = String::new();
        sasl2::write_continue(
            &mut out,
            additional.as_deref(),
            task.name(),
            "this account lacks keys for the mechanism",
        );
        n.continued = true;
        n.channel.send(&out).await?;
        match perform(n, task).await? {
            Ok(keys) => exchange::complete(n.core, proven, keys).await,
            Err(failure) => return Ok(Err(failure)),
        }
    }
    Ok(Ok(()))
}

/// §3: the client chooses the task, gets salt and iterations, and sends the salted password.
async fn perform(n: &mut Negotiation<'_>, task: UpgradeTask) -> Result<Result<Credentials, SaslFailure>, CloseReason> {
    match next(n).await? {
        Ok(Sasl2Request::Next(name)) if name == task.name() => {}
        Ok(Sasl2Request::Next(_)) => return Ok(Err(SaslFailure::InvalidMechanism)),
        Ok(_) => return Err(refused(StreamCondition::UnsupportedStanzaType)),
        Err(failure) => return Ok(Err(failure)),
    }
    let Some(salt) = UpgradeTask::salt() else { return Ok(Err(SaslFailure::TemporaryAuthFailure)) };
    let iterations = n.core.config().auth.scram_iterations;
    let asked =
        Element::new("salt", ns::SCRAM_UPGRADE).attr("iterations", iterations.to_string()).text(STANDARD.encode(salt));
    n.channel.send(&Element::new("task-data", ns::SASL2).child(asked).to_xml(ns::CLIENT)).await?;
    let data = match next(n).await? {
        Ok(Sasl2Request::TaskData(data)) => data,
        Ok(_) => return Err(refused(StreamCondition::UnsupportedStanzaType)),
        Err(failure) => return Ok(Err(failure)),
    };
    let bytes_max = n.core.config().limits.sasl_bytes_max;
    Ok(data
        .find("hash", ns::SCRAM_UPGRADE)
        .ok_or(SaslFailure::MalformedRequest)
        .and_then(|hash| sasl2::data(hash, bytes_max))
        .and_then(|salted| task.keys(&salted.0, &salt, iterations).ok_or(SaslFailure::MalformedRequest)))
}

/// The client's next step. XEP-0388 §2.4, §4.8: anything that belongs to no task ends the stream.
async fn next(n: &mut Negotiation<'_>) -> Result<Result<Sasl2Request, SaslFailure>, CloseReason> {
    let bytes_max = n.core.config().limits.sasl_bytes_max;
    match n.channel.element().await? {
        Inbound::Element(TopLevel::Other(element)) => match Sasl2Request::from_element(&element, bytes_max) {
            Some(Ok(Sasl2Request::Abort)) => Ok(Err(SaslFailure::Aborted)),
            Some(Ok(request)) => Ok(Ok(request)),
            Some(Err(failure)) => Ok(Err(failure)),
            None if element.is("error", ns::STREAM) => Err(CloseReason::ClientFailed),
            None => Err(refused(StreamCondition::UnsupportedStanzaType)),
        },
        Inbound::Element(TopLevel::Stanza(_)) | Inbound::Malformed(_) => Err(refused(StreamCondition::NotAuthorized)),
    }
}

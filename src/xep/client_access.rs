//! XEP-0494: what has access to an account, for its owner, and the end of that access.

use crate::close::CloseReason;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall};
use crate::ops::devices::{self, Device, Revocation};
use crate::ops::{self, OpError};
use std::sync::Arc;
use xep_support::formats::date::{self, Precision};
use xep_support::ns;
use xep_support::stanza::error::StanzaError;
use xep_support::stanza::{IqType, Stanza};
use xep_support::xml::Element;

/// Clients with access.
pub struct ClientAccess;

impl Extension for ClientAccess {
    fn about(&self) -> About {
        About::new("XEP-0494", "Client Access Management", "0.1.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.account_feature(ns::CLIENT_ACCESS)
            .iq(Addressee::OwnAccount, IqType::Get, ("list", ns::CLIENT_ACCESS), list)
            .iq(Addressee::OwnAccount, IqType::Set, ("revoke", ns::CLIENT_ACCESS), revoke);
    }
}

/// §3.1.
fn list(call: IqCall<'_>) -> Answer {
    let account = call.client.account.clone();
    let id = match ops::registered(&account) {
        Ok(id) => id,
        Err(error) => return Answer::error(error),
    };
    let core = call.core.clone();
    Answer::later(async move {
        let devices = devices::list(&core, &account, id).await?;
        Ok(Some(Element::new("clients", ns::CLIENT_ACCESS).children(devices.iter().map(client))))
    })
}

fn client(device: &Device) -> Element {
    let new = |name: &'static str| Element::new(name, ns::CLIENT_ACCESS);
    let text = |name: &'static str, text: &Option<String>| text.as_ref().map(|text| new(name).text(text.clone()));
    let moment = |micros: i64| date::format(micros, Precision::Seconds);
    let agent: Vec<Element> =
        [text("software", &device.software), text("device", &device.name)].into_iter().flatten().collect();
    let connected = if device.sessions.is_empty() { "false" } else { "true" };
    new("client")
        .attr("connected", connected)
        .attr("id", device.id.clone())
        .attr("type", "session")
        .child(new("first-seen").text(moment(device.first_seen_us)))
        .child(new("last-seen").text(moment(device.last_seen_us)))
        .child(
            new("auth")
                .child_opt(device.password.then(|| new("password")))
                .child_opt(device.token_until_us.map(|_| new("fast"))),
        )
        // Whoever is logged in may do everything the user may.
        .child(new("permission").attr("status", "unrestricted"))
        .child_opt((!agent.is_empty()).then(|| new("user-agent").children(agent)))
}

/// §3.2. Tokens and sessions end in any case; a client that knows the password is still not kept out, and that is what the
/// error says.
fn revoke(call: IqCall<'_>) -> Answer {
    let account = call.client.account.clone();
    let wanted = call.payload.get_attr("id").filter(|id| !id.is_empty()).map(str::to_owned);
    let (id, device) = match (ops::registered(&account), wanted) {
        (Ok(id), Some(device)) => (id, device),
        (Err(error), _) => return Answer::error(error),
        (_, None) => return Answer::error(StanzaError::bad_request()),
    };
    let (core, client, request) = (call.core.clone(), call.client.clone(), call.request.clone());
    Answer::SentLater(Box::pin(async move {
        let revoked = devices::revoke(&core, &account, id, &device, Some(&client.resource)).await;
        let own = revoked.as_ref().is_ok_and(|revoked| revoked.own);
        match answer(revoked) {
            Ok(()) => client.send(Stanza::iq_result(&request, None)),
            Err(error) => core.refuse(&client, &request, &error),
        }
        if own {
            client.resource.outbox.close(CloseReason::Revoked);
        }
    }))
}

fn answer(revoked: Result<Revocation, OpError>) -> Result<(), StanzaError> {
    match revoked {
        Ok(revoked) if revoked.password => Err(StanzaError::service_unavailable()
            .with_text("the client knows the password: change it to keep the client out")
            .with_app("password-reset-required", ns::CLIENT_ACCESS)),
        Ok(_) => Ok(()),
        Err(OpError::NotFound) => Err(StanzaError::item_not_found()),
        Err(error) => Err(error.into()),
    }
}

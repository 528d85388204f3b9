//! XEP-0280: a client says that it wants copies of what its user's other clients send and receive. What is copied, and to
//! whom: `delivery/carbons.rs`.
//!
//! Copies are told from others by their sender, the own bare JID, which no client can be. What a client puts into a message
//! to make it look like a copy is taken out all the same.

use crate::account::resource::Client;
use crate::core::Core;
use crate::delivery::carbons;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall};
use std::sync::Arc;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{Facts, IqType, Stanza};
use xep_support::xml::Element;

/// Carbon copies.
pub struct Carbons;

impl Extension for Carbons {
    fn about(&self) -> About {
        About::new("XEP-0280", "Message Carbons", "1.0.1")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        for feature in [ns::CARBONS, ns::CARBONS_RULES] {
            d.server_feature(feature).account_feature(feature);
        }
        for (name, on) in [("enable", true), ("disable", false)] {
            let set = move |call: IqCall<'_>| {
                switch(call.core, call.client, on);
                Answer::ok()
            };
            // §5: nobody else's.
            let refuse = |_: IqCall<'_>| Answer::error(StanzaError::new(Condition::NotAllowed));
            d.iq(Addressee::OwnAccount, IqType::Set, (name, ns::CARBONS), set);
            d.iq(Addressee::OtherAccount, IqType::Set, (name, ns::CARBONS), refuse);
        }
        let inline = |core: &Arc<Core>, client: &Client, element: &Element| {
            if element.name() == "enable" {
                switch(core, client, true);
            }
            None
        };
        d.inline(ns::CARBONS, Box::new(inline));
        d.submit(Box::new(strip)).sent(Box::new(|_, client, state, parcel| {
            carbons::copy_sent(&client.account, state, &client.resource, parcel);
            Ok(())
        }));
    }
}

fn switch(core: &Core, client: &Client, on: bool) {
    if let Some(bound) = client.account.lock().bound(&client.resource) {
        bound.carbons = on;
        bound.note(&core.journal);
    }
}

fn strip(_: &Core, _: &Client, stanza: &mut Stanza) -> Result<(), StanzaError> {
    if stanza.facts().contains(Facts::CARBON) {
        stanza.retain_children(|child| !(child.is("sent", ns::CARBONS) || child.is("received", ns::CARBONS)));
    }
    Ok(())
}

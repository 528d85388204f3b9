//! XEP-0352: a client says whether its user looks at it. What waits meanwhile, and until when: `outbox/inactive.rs`.
//!
//! The state belongs to the connection: a stream begins active, a resumed one, too (§5.2), and nobody else learns of it
//! (§6). A client that has lost its connection is treated as inactive: what is worth nothing later does not pile up.

use crate::account::resource::{Client, Resource};
use crate::core::Core;
use crate::extension::{About, Declare, Extension};
use crate::outbox::HeldLimits;
use crate::xep::push;
use std::sync::Arc;
use xep_support::ns;
use xep_support::xml::Element;

/// Client states.
pub struct ClientStates;

impl Extension for ClientStates {
    fn about(&self) -> About {
        About::new("XEP-0352", "Client State Indication", "1.0.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let inline = |core: &Arc<Core>, client: &Client, element: &Element| {
            indicate(core, client, element);
            None
        };
        d.inline(ns::CSI, Box::new(inline));
    }
}

/// §4.2: there is no answer. `false`: this is no such indication.
pub fn indicate(core: &Core, client: &Client, element: &Element) -> bool {
    match element.name() {
        "active" => {
            client.resource.outbox.activate();
            push::here_again(core, client);
        }
        "inactive" => deactivate(core, &client.resource),
        _ => return false,
    }
    true
}

/// What can wait for this client waits.
pub fn deactivate(core: &Core, resource: &Resource) {
    let limits = {
        let l = &core.config().limits;
        HeldLimits { stanzas_max: l.inactive_stanzas_max, bytes_max: l.inactive_bytes_max }
    };
    resource.outbox.deactivate(limits);
}

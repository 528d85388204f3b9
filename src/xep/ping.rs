//! XEP-0199: is anybody there? What a client asks, the server answers; its own pings are sent by the session.

use crate::extension::{About, Addressee, Answer, Declare, Extension};
use std::sync::Arc;
use xep_support::ns;
use xep_support::stanza::IqType;

/// Answers to pings (§4.2). One for somebody else's account is not answered (`service-unavailable`, §7): neither the
/// account nor its presence may be guessed from it.
pub struct Ping;

impl Extension for Ping {
    fn about(&self) -> About {
        About::new("XEP-0199", "XMPP Ping", "2.0.1")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let ping = ("ping", ns::PING);
        d.server_feature(ns::PING).account_feature(ns::PING);
        d.iq(Addressee::Server, IqType::Get, ping, |_| Answer::ok());
        d.iq(Addressee::OwnAccount, IqType::Get, ping, |_| Answer::ok());
    }
}

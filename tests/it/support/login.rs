//! SASL as a client does it (RFC 6120 §6).

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};

use super::client::Client;
use super::scram::{Hash, Scram};
use super::xml::El;

pub(crate) const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

/// The mechanisms in the features, in their order.
pub(crate) fn mechanisms(features: &El) -> Vec<String> {
    let list = features.find("mechanisms", SASL);
    list.map(|m| m.elements().filter(|el| el.is("mechanism", SASL)).map(El::text).collect()).unwrap_or_default()
}

impl Client {
    #[track_caller]
    pub(crate) fn auth(&mut self, mechanism: &str, initial: &str) {
        let initial = if initial.is_empty() { "=".to_owned() } else { BASE64.encode(initial) };
        self.send_bytes(format!("<auth xmlns='{SASL}' mechanism='{mechanism}'>{initial}</auth>").as_bytes());
    }

    #[track_caller]
    pub(crate) fn respond(&mut self, response: &str) {
        self.send_bytes(format!("<response xmlns='{SASL}'>{}</response>", BASE64.encode(response)).as_bytes());
    }

    /// The decoded content of the `<challenge/>` or `<success/>` that must come now.
    #[track_caller]
    pub(crate) fn expect_sasl(&mut self, name: &str) -> String {
        let el = self.expect(&format!("<{name} xmlns='{SASL}'><any/></{name}>"));
        match el.text().as_str() {
            "" | "=" => String::new(),
            text => String::from_utf8(BASE64.decode(text).expect("base64")).expect("UTF-8"),
        }
    }

    #[track_caller]
    pub(crate) fn expect_sasl_failure(&mut self, condition: &str) -> El {
        self.expect(&format!("<failure xmlns='{SASL}'><{condition}/><any/></failure>"))
    }

    /// Authenticates from features that offer the mechanism; the stream has to be restarted afterwards.
    #[track_caller]
    pub(crate) fn authenticate(&mut self, mechanism: &str, user: &str, password: &str) {
        match mechanism {
            "PLAIN" => {
                self.auth("PLAIN", &format!("\0{user}\0{password}"));
                self.expect_sasl("success");
            }
            "ANONYMOUS" => {
                self.auth("ANONYMOUS", "");
                self.expect_sasl("success");
            }
            scram => {
                let mut exchange = Scram::new(Hash::of(scram).expect("a mechanism we know"), user, password);
                if scram.ends_with("-PLUS") {
                    exchange.gs2 = "p=tls-exporter,,".into();
                    exchange.binding = self.transport.tls_exporter();
                }
                self.scram(scram, &mut exchange);
            }
        }
    }

    /// A whole exchange that must succeed.
    #[track_caller]
    pub(crate) fn scram(&mut self, mechanism: &str, exchange: &mut Scram) {
        self.auth(mechanism, &exchange.first());
        let server_first = self.expect_sasl("challenge");
        let last = exchange.last(&server_first);
        self.respond(&last);
        let proof = self.expect_sasl("success");
        if !exchange.verify(&proof) {
            self.fail("the server's signature is wrong");
        }
    }

    /// Plain TCP to a bound session: STARTTLS, the mechanism, bind.
    #[track_caller]
    pub(crate) fn log_in(&mut self, mechanism: &str, user: &str, password: &str, resource: &str) {
        self.secure();
        self.authenticate(mechanism, user, password);
        self.open_to_features();
        self.bind(resource);
    }
}

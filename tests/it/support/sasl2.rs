//! SASL2, Bind 2 and FAST as a client does them (XEP-0388, XEP-0386, XEP-0484).

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};

use super::client::Client;
use super::scram::{Hash, Scram};
use super::xml::El;

pub(crate) const SASL2: &str = "urn:xmpp:sasl:2";
pub(crate) const FAST: &str = "urn:xmpp:fast:0";

/// The installations of clients that the tests have.
pub(crate) const PHONE: &str = "d4565fa7-4d72-4749-b3d3-740edbf87770";
pub(crate) const LAPTOP: &str = "0f1e2d3c-4b5a-4978-8a9b-acbdcedfe0f1";

pub(crate) fn user_agent(id: &str) -> String {
    format!("<user-agent id='{id}'><software>Dino</software><device>Romeo's phone</device></user-agent>")
}

/// A stream header that says who is coming.
pub(crate) fn header_from(user: &str, domain: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
         from='{user}@{domain}' to='{domain}' version='1.0'>"
    )
}

impl Client {
    #[track_caller]
    pub(crate) fn authenticate2(&mut self, mechanism: &str, initial: Option<&[u8]>, inside: &str) {
        self.send_bytes(authenticate(mechanism, initial, inside).as_bytes());
    }

    #[track_caller]
    pub(crate) fn respond2(&mut self, response: &str) {
        self.send_bytes(format!("<response xmlns='{SASL2}'>{}</response>", BASE64.encode(response)).as_bytes());
    }

    #[track_caller]
    pub(crate) fn expect_challenge2(&mut self) -> String {
        let el = self.expect(&format!("<challenge xmlns='{SASL2}'>{{any}}</challenge>"));
        String::from_utf8(BASE64.decode(el.text()).expect("base64")).expect("UTF-8")
    }

    /// With whatever stands behind the condition.
    #[track_caller]
    pub(crate) fn expect_failure2(&mut self, condition: &str) -> El {
        self.expect(&format!(
            "<failure xmlns='{SASL2}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/><any/></failure>"
        ))
    }

    /// `<success/>` alone; the features come next.
    #[track_caller]
    pub(crate) fn expect_success2(&mut self) -> El {
        let success = self.expect(&format!("<success xmlns='{SASL2}'><any/></success>"));
        let jid = success.find("authorization-identifier", SASL2).expect("always there").text();
        if jid.contains('/') {
            self.note_bound(&jid);
        }
        success
    }

    /// SCRAM-SHA-256 up to `<success/>` or `<continue/>`, whatever comes.
    #[track_caller]
    pub(crate) fn scram2(&mut self, user: &str, password: &str, inside: &str) -> El {
        self.scram2_by("SCRAM-SHA-256", user, password, inside)
    }

    #[track_caller]
    pub(crate) fn scram2_by(&mut self, mechanism: &str, user: &str, password: &str, inside: &str) -> El {
        let mut exchange = Scram::new(Hash::of(mechanism).expect("SCRAM"), user, password);
        self.authenticate2(mechanism, Some(exchange.first().as_bytes()), inside);
        let server_first = self.expect_challenge2();
        let last = exchange.last(&server_first);
        self.respond2(&last);
        let answer = self.next();
        if answer.name != "failure" {
            let proof = answer.find("additional-data", SASL2).expect("what proves the server").text();
            let proof = String::from_utf8(BASE64.decode(proof).expect("base64")).expect("UTF-8");
            assert!(exchange.verify(&proof), "the server's signature is wrong");
        }
        if let Some(jid) = answer.find("authorization-identifier", SASL2).map(El::text)
            && jid.contains('/')
        {
            self.note_bound(&jid);
        }
        answer
    }

    /// The message that proves a token on this connection.
    pub(crate) fn token_proof(&self, mechanism: &str, user: &str, token: &str) -> Vec<u8> {
        let proof = Hash::Sha256.hmac(token.as_bytes(), &self.covered("Initiator", mechanism));
        [user.as_bytes(), b"\0", &proof].concat()
    }

    fn covered(&self, word: &str, mechanism: &str) -> Vec<u8> {
        let binding = match mechanism {
            "HT-SHA-256-EXPR" => self.transport.tls_exporter(),
            "HT-SHA-256-ENDP" => Hash::Sha256.digest(&self.transport.peer_certificate()),
            _ => Vec::new(),
        };
        [word.as_bytes(), &binding].concat()
    }

    /// Logs in with a token; the success must prove that the server has it, too.
    #[track_caller]
    pub(crate) fn fast(&mut self, mechanism: &str, user: &str, token: &str, inside: &str) -> El {
        let proof = self.token_proof(mechanism, user, token);
        self.authenticate2(mechanism, Some(&proof), inside);
        let success = self.expect_success2();
        let answer = success.find("additional-data", SASL2).expect("proof of the server").text();
        let expected = Hash::Sha256.hmac(token.as_bytes(), &self.covered("Responder", mechanism));
        assert_eq!(answer, BASE64.encode(expected), "the server does not have the token");
        self.features();
        success
    }
}

pub(crate) fn authenticate(mechanism: &str, initial: Option<&[u8]>, inside: &str) -> String {
    let initial = initial.map(|i| format!("<initial-response>{}</initial-response>", BASE64.encode(i)));
    let initial = initial.unwrap_or_default();
    format!("<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>{initial}{inside}</authenticate>")
}

/// The token in a `<success/>`.
pub(crate) fn token(success: &El) -> Option<String> {
    success.find("token", FAST)?.attr("token").map(str::to_owned)
}

//! The server side of SCRAM (RFC 5802, RFC 7677), bound to a TLS channel or not, with the downgrade protection of
//! XEP-0474 and XEP-0515, as a mechanism of rsasl.

pub(super) mod message;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use rsasl::{
    mechanism::{Authentication, EmptyProvider, MechanismData},
    prelude::{MessageSent, Property, SessionError, State},
};
use subtle::{Choice, ConstantTimeEq};

use self::message::{BindingFlag, ClientFinal, ClientFirst};
use super::{
    credentials::StoredKey,
    failure::Refusal,
    hash::Hash,
    mechanism::{BindingType, Mechanism, Offer},
};

/// Everything the mechanism cannot know by itself, fetched before its first step.
pub(super) struct Setup {
    pub(super) mechanism: Mechanism,
    pub(super) hash: Hash,
    pub(super) offer: Arc<Offer>,
    pub(super) key: StoredKey,
    /// Is this the key of an account? A decoy never proves anything, whatever comes out.
    pub(super) genuine: bool,
    pub(super) server_nonce: String,
}

/// How the mechanism asks for its [`Setup`].
pub(super) struct SetupProperty;

impl Property<'_> for SetupProperty {
    type Value = Arc<Setup>;
}

/// Which channel binding is used, or why the combination is refused (RFC 5802 §6).
pub(super) fn binding_in_use(
    mechanism: Mechanism,
    flag: &BindingFlag<'_>,
    offer: &Offer,
) -> Result<Option<BindingType>, Refusal> {
    match (flag, mechanism.binds_channel()) {
        (BindingFlag::Wanted(name), true) => match BindingType::from_name(name) {
            Some(binding) if offer.binding_data(binding).is_some() => Ok(Some(binding)),
            _ => Err(Refusal::UnsupportedBinding),
        },
        (BindingFlag::NotOffered, false) if offer.binds_channel() => Err(Refusal::Downgrade),
        (BindingFlag::Unable | BindingFlag::NotOffered, false) => Ok(None),
        (BindingFlag::Wanted(_), false) | (BindingFlag::Unable | BindingFlag::NotOffered, true) => {
            Err(Refusal::FlagContradictsMechanism)
        }
    }
}

/// One exchange. Every step consumes the state, so nothing can be proved twice.
pub(super) enum Scram {
    Start,
    Challenged(Box<Challenged>),
    Over,
}

/// What is kept between the two messages of the client.
pub(super) struct Challenged {
    setup: Arc<Setup>,
    binding: Option<BindingType>,
    gs2_header: String,
    client_first_bare: String,
    pub(super) server_first: String,
    nonce: String,
}

impl Authentication for Scram {
    fn step(
        &mut self,
        session: &mut MechanismData<'_, '_>,
        input: Option<&[u8]>,
        writer: &mut dyn std::io::Write,
    ) -> Result<State, SessionError> {
        let input = input.ok_or_else(SessionError::input_required)?;
        match std::mem::replace(self, Self::Over) {
            Self::Start => {
                let setup = session.need_with::<SetupProperty, _, _>(&EmptyProvider, |setup| Ok(Arc::clone(setup)))?;
                let challenged = Challenged::new(setup, input).map_err(boxed)?;
                writer.write_all(challenged.server_first.as_bytes())?;
                *self = Self::Challenged(Box::new(challenged));
                Ok(State::Running)
            }
            Self::Challenged(challenged) => {
                let bound_data = match challenged.binding {
                    Some(binding) => session.need_cb_data(binding.name(), EmptyProvider, |data| Ok(data.to_vec()))?,
                    None => Vec::new(),
                };
                let server_final = challenged.verify(input, &bound_data).map_err(boxed)?;
                session.validate(&EmptyProvider)?;
                writer.write_all(server_final.as_bytes())?;
                Ok(State::Finished(MessageSent::Yes))
            }
            Self::Over => Err(SessionError::MechanismDone),
        }
    }
}

impl Challenged {
    /// From client-first-message to server-first-message
    pub(super) fn new(setup: Arc<Setup>, input: &[u8]) -> Result<Self, Refusal> {
        let first = ClientFirst::parse(input)?;
        let binding = binding_in_use(setup.mechanism, &first.flag, &setup.offer)?;
        let nonce = format!("{}{}", first.nonce, setup.server_nonce);
        let mut server_first = format!("r={nonce},s={},i={}", STANDARD.encode(&setup.key.salt), setup.key.iterations);
        if let Some(hash) = setup.offer.downgrade_hash(setup.hash) {
            server_first.push_str(",h=");
            server_first.push_str(&hash);
        }
        if let Some(version) = setup.offer.tls_version() {
            // XEP-0515 §4.1.
            server_first.push_str(",t=");
            server_first.push_str(version);
        }
        Ok(Self {
            binding,
            gs2_header: first.gs2_header.to_owned(),
            client_first_bare: first.bare.to_owned(),
            server_first,
            nonce,
            setup,
        })
    }

    /// From client-final-message to server-final-message. All but the proof is compared with what the client itself sent
    /// or can see, so only the proof needs constant time.
    pub(super) fn verify(&self, input: &[u8], bound_data: &[u8]) -> Result<String, Refusal> {
        let last = ClientFinal::parse(input)?;
        if last.nonce != self.nonce {
            return Err(Refusal::Nonce);
        }
        if last.channel_binding != [self.gs2_header.as_bytes(), bound_data].concat() {
            return Err(Refusal::BindingMismatch);
        }
        let hash = self.setup.hash;
        if last.proof.len() != hash.output_bytes() {
            return Err(Refusal::Grammar("length of the proof"));
        }
        let auth_message: [&[u8]; 5] = [
            self.client_first_bare.as_bytes(),
            b",",
            self.server_first.as_bytes(),
            b",",
            last.without_proof.as_bytes(),
        ];
        let mut client_key = hash.hmac(&self.setup.key.stored_key, &auth_message);
        client_key.iter_mut().zip(&last.proof).for_each(|(byte, proof)| *byte ^= proof);
        let proven = hash.digest(&client_key).ct_eq(&self.setup.key.stored_key);
        if bool::from(proven & Choice::from(u8::from(self.setup.genuine))) {
            let signature = hash.hmac(&self.setup.key.server_key, &auth_message);
            Ok(format!("v={}", STANDARD.encode(signature)))
        } else {
            Err(Refusal::Proof)
        }
    }
}

/// The only way an error of our own comes through rsasl and can be recognised on the other side.
fn boxed(refusal: Refusal) -> SessionError {
    SessionError::Boxed(Box::new(refusal))
}

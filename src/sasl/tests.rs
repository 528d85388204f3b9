//! A client's side of the exchanges, for all tests below.
#![allow(clippy::unwrap_used)]

mod interop;
mod mutations;
mod offers;
mod passwords;
mod refusals;
mod vectors;

use std::sync::{Arc, LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{hash::Hash, *};

const PASSWORD: &str = "pencil";
const EXPORTER: [u8; 32] = [7; 32];
const END_POINT: &[u8] = b"hash of the certificate";

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap());

/// Deriving takes its time, so all tests share one account.
static JULIET: LazyLock<Credentials> = LazyLock::new(|| Credentials::derive(PASSWORD, ITERATIONS_MIN).unwrap());

fn context() -> OfferContext {
    OfferContext {
        tls: true,
        authentication_allowed: true,
        plain_allowed: true,
        tls_version: None,
        tokens: true,
        anonymous: true,
        channel_bindings: ChannelBindings {
            tls_exporter: Some(EXPORTER),
            tls_server_end_point: Some(END_POINT.to_vec()),
        },
        disabled: Vec::new(),
        without_downgrade_hash: false,
    }
}

fn without_bindings() -> OfferContext {
    OfferContext { channel_bindings: ChannelBindings::default(), ..context() }
}

fn start(mechanism: &str, context: OfferContext, initial: Option<&[u8]>) -> (Exchange, Step) {
    let decoy = Decoy::new(*b"a secret of the server", ITERATIONS_MIN);
    Exchange::start(mechanism, Arc::new(Offer::new(context)), Arc::new(decoy), initial)
}

fn look_up(exchange: &mut Exchange, stored: Option<Credentials>) -> Step {
    RUNTIME.block_on(exchange.credentials("juliet@capulet.lit", stored))
}

/// Runs SCRAM up to the challenge.
fn challenged(mechanism: &str, context: OfferContext, first: &str, stored: Option<Credentials>) -> (Exchange, String) {
    let (mut exchange, step) = start(mechanism, context, Some(first.as_bytes()));
    assert!(matches!(step, Step::NeedCredentials { .. }), "{step:?}");
    let challenge = challenge(look_up(&mut exchange, stored));
    (exchange, challenge)
}

fn challenge(step: Step) -> String {
    let Step::Challenge(challenge) = step else { panic!("{step:?}") };
    String::from_utf8(challenge).unwrap()
}

fn failure(step: Step) -> Failure {
    let Step::Failed(failure) = step else { panic!("{step:?}") };
    failure
}

fn success(step: Step) -> Success {
    let Step::Done(success) = step else { panic!("{step:?}") };
    success
}

fn attribute(message: &str, name: &str) -> String {
    message.split(',').find_map(|part| part.strip_prefix(name)).unwrap().to_owned()
}

/// client-final-message, and the server-final-message to expect. `channel` is what goes into `c=`, `extra` is put before
/// the proof.
fn client_final(
    hash: Hash,
    password: &str,
    bare: &str,
    challenge: &str,
    channel: &[u8],
    extra: &str,
) -> (String, String) {
    let salt = STANDARD.decode(attribute(challenge, "s=")).unwrap();
    let salted = hash.pbkdf2(password.as_bytes(), &salt, attribute(challenge, "i=").parse().unwrap());
    let client_key = hash.hmac(&salted, &[b"Client Key"]);
    let server_key = hash.hmac(&salted, &[b"Server Key"]);
    let without_proof = format!("c={},r={}{extra}", STANDARD.encode(channel), attribute(challenge, "r="));
    let auth_message = format!("{bare},{challenge},{without_proof}");
    let signature = hash.hmac(&hash.digest(&client_key), &[auth_message.as_bytes()]);
    let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, byte)| key ^ byte).collect();
    (
        format!("{without_proof},p={}", STANDARD.encode(proof)),
        format!("v={}", STANDARD.encode(hash.hmac(&server_key, &[auth_message.as_bytes()]))),
    )
}

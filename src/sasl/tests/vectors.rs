//! The examples in the standards, byte by byte.

use super::*;
use crate::sasl::{
    credentials::StoredKey,
    scram::{Challenged, Setup},
};

fn known_answer(
    mechanism: Mechanism,
    salt: &str,
    first: &str,
    server_nonce: &str,
    challenge: &str,
    last: &str,
    end: &str,
) {
    let hash = mechanism.hash().unwrap();
    let key = StoredKey::new(hash, PASSWORD, &STANDARD.decode(salt).unwrap(), 4096);
    let credentials = match hash {
        Hash::Sha1 => Credentials { sha1: Some(key), sha256: None },
        Hash::Sha256 => Credentials { sha1: None, sha256: Some(key) },
    };
    let context = OfferContext { without_downgrade_hash: true, ..without_bindings() };
    let (mut exchange, step) = start(mechanism.name(), context, Some(first.as_bytes()));
    assert!(matches!(step, Step::NeedCredentials { user, authzid: None } if user == "user"));
    exchange.fixed_nonce = Some(server_nonce.to_owned());
    assert_eq!(super::challenge(look_up(&mut exchange, Some(credentials))), challenge);
    let success = success(exchange.step(last.as_bytes()));
    assert_eq!(success.additional.as_deref(), Some(end.as_bytes()));
    assert_eq!((success.mechanism, success.user.as_deref(), success.bound), (mechanism, Some("user"), None));
}

/// RFC 5802 §5
#[test]
fn example_of_rfc_5802() {
    known_answer(
        Mechanism::ScramSha1,
        "QSXCR+Q6sek8bf92",
        "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        "3rfcNHYJY1ZVvWVs7j",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    );
}

/// RFC 7677 §3
#[test]
fn example_of_rfc_7677() {
    known_answer(
        Mechanism::ScramSha256,
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    );
}

/// XEP-0474 §6.3: the hash over both lists, channel binding data, and an extension in client-final-message
#[test]
fn example_of_xep_0474() {
    let offer = Offer::new(context()).restricted_to(&[Mechanism::ScramSha1, Mechanism::ScramSha1Plus]);
    let setup = Setup {
        mechanism: Mechanism::ScramSha1Plus,
        hash: Hash::Sha1,
        offer: Arc::new(offer),
        key: StoredKey::new(Hash::Sha1, PASSWORD, &STANDARD.decode("QSXCR+Q6sek8bf92").unwrap(), 4096),
        genuine: true,
        server_nonce: "a09117a6-ac50-4f2f-93f1-93799c2bddf6".to_owned(),
    };
    let first = b"p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6";
    let challenged = Challenged::new(Arc::new(setup), first).unwrap();
    assert_eq!(
        challenged.server_first,
        "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,s=QSXCR+Q6sek8bf92,i=4096,\
         h=G6k/rBLDqgOhRRaCuuatSDFkJ08="
    );
    let last = "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,\
                r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
                x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4=";
    let end = challenged.verify(last.as_bytes(), b"THIS IS FAKE CB DATA").unwrap();
    assert_eq!(end, "v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=");
}

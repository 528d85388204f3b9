//! What is offered when, and choosing what was not.

use super::*;

fn names(context: OfferContext) -> Vec<&'static str> {
    Offer::new(context).mechanisms().iter().map(|mechanism| mechanism.name()).collect()
}

#[test]
fn strongest_first() {
    let all = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "ANONYMOUS"];
    assert_eq!(names(context()), all);
    for name in all {
        assert_eq!(Mechanism::from_name(name).unwrap().name(), name);
    }
    assert_eq!(Mechanism::from_name("scram-sha-1"), None);
}

#[test]
fn nothing_where_nobody_may_authenticate() {
    let offer = Offer::new(OfferContext { authentication_allowed: false, ..context() });
    assert!(offer.mechanisms().is_empty());
    assert_eq!(offer.binding_types().count(), 0);
}

#[test]
fn no_binding_to_an_open_channel() {
    let offer = Offer::new(OfferContext { tls: false, plain_allowed: false, anonymous: false, ..context() });
    assert_eq!(offer.mechanisms(), [Mechanism::ScramSha256, Mechanism::ScramSha1]);
    assert_eq!(offer.binding_types().count(), 0);
}

/// XEP-0440 §2
#[test]
fn binding_types_are_those_with_data() {
    let types = |context| Offer::new(context).binding_types().map(BindingType::name).collect::<Vec<_>>();
    assert_eq!(types(context()), ["tls-exporter", "tls-server-end-point"]);
    let only_end_point = ChannelBindings { tls_exporter: None, tls_server_end_point: Some(END_POINT.to_vec()) };
    assert_eq!(types(OfferContext { channel_bindings: only_end_point, ..context() }), ["tls-server-end-point"]);
    assert!(types(without_bindings()).is_empty());
}

/// XEP-0474 §6.1: without XEP-0440 there is no second list, and no separator either.
#[test]
fn downgrade_hash_without_bindings() {
    let offer = Offer::new(OfferContext { anonymous: false, ..without_bindings() });
    let expected = STANDARD.encode(Hash::Sha256.digest(b"PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-256"));
    assert_eq!(offer.downgrade_hash(Hash::Sha256), Some(expected));
    let silent = Offer::new(OfferContext { without_downgrade_hash: true, ..context() });
    assert_eq!(silent.downgrade_hash(Hash::Sha256), None);
}

/// RFC 6120 §6.5.4, §6.5.7
#[test]
fn choosing_what_is_not_offered() {
    let chosen = |name, context| failure(start(name, context, Some(b"n,,n=a,r=b")).1);
    assert_eq!(chosen("CRAM-MD5", context()), Failure::InvalidMechanism);
    assert_eq!(chosen("plain", context()), Failure::InvalidMechanism);
    assert_eq!(chosen("SCRAM-SHA-1-PLUS", without_bindings()), Failure::InvalidMechanism);
    let open = || OfferContext { tls: false, plain_allowed: false, ..context() };
    assert_eq!(chosen("PLAIN", open()), Failure::EncryptionRequired);
    assert_eq!(chosen("SCRAM-SHA-256-PLUS", open()), Failure::EncryptionRequired);
    let too_early = OfferContext { authentication_allowed: false, ..open() };
    assert_eq!(chosen("SCRAM-SHA-256", too_early), Failure::EncryptionRequired);
}

#[test]
fn every_failure_has_a_condition_of_its_own() {
    let mut conditions = Failure::ALL.map(Failure::condition).to_vec();
    conditions.sort_unstable();
    conditions.dedup();
    assert_eq!(conditions.len(), Failure::ALL.len());
    assert_eq!(Failure::TemporaryAuthFailure.to_string(), "temporary-auth-failure");
}

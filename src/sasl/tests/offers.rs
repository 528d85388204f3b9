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

/// XEP-0388 §3, XEP-0484 §3.1, XEP-0480 §2.1: inside TLS, what the channel allows, and what is not switched off.
#[test]
fn what_comes_with_sasl2() {
    let fast = |context| Offer::new(context).fast().iter().map(|m| m.name()).collect::<Vec<_>>();
    assert_eq!(fast(context()), ["HT-SHA-256-EXPR", "HT-SHA-256-ENDP", "HT-SHA-256-NONE"]);
    assert_eq!(fast(without_bindings()), ["HT-SHA-256-NONE"]);
    assert!(fast(OfferContext { tokens: false, ..context() }).is_empty());
    let disabled = vec!["ht-sha-256-none".to_owned(), "SCRAM-SHA-256".to_owned()];
    let some = Offer::new(OfferContext { disabled, ..context() });
    assert_eq!(some.fast().len(), 2);
    assert_eq!(some.upgrades(), [UpgradeTask::ScramSha1]);
    assert_eq!(some.fast_binding(FastMechanism::Unbound), None);
    let open = Offer::new(OfferContext { tls: false, ..context() });
    assert!(!open.has_sasl2() && open.fast().is_empty() && open.upgrades().is_empty());
}

/// XEP-0515 §4.1: behind the hash, and only together with it (§5).
#[test]
fn the_version_of_tls_is_in_the_challenge() {
    let with = |context: OfferContext| {
        let (mut exchange, _) = start("SCRAM-SHA-256", context, Some(b"n,,n=juliet,r=abc"));
        let step = RUNTIME.block_on(exchange.credentials("juliet@x", None));
        challenge(step)
    };
    let tls13 = || OfferContext { tls_version: Some("0304"), ..context() };
    assert!(with(tls13()).ends_with(",t=0304"));
    assert!(!with(OfferContext { without_downgrade_hash: true, ..tls13() }).contains(",t="));
    assert!(!with(OfferContext { tls: false, ..tls13() }).contains(",t="));
}

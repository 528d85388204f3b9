//! Whatever a stranger sends: no panic, and nobody gets in.

use proptest::prelude::*;

use super::*;

/// One change to a message.
#[derive(Clone, Debug)]
enum Edit {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Repeat(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    // Letters with a meaning are worth more than noise.
    let byte = || prop_oneof![any::<u8>(), proptest::sample::select(b",,==npymrcaisv\0A".to_vec())];
    prop_oneof![
        (any::<usize>(), byte()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (any::<usize>(), proptest::collection::vec(byte(), 1..5)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (any::<usize>(), 1..6usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        (any::<usize>(), 1..40usize).prop_map(|(at, count)| Edit::Repeat(at, count)),
    ]
}

fn apply(message: &str, edits: &[Edit]) -> Vec<u8> {
    let mut bytes = message.as_bytes().to_vec();
    for edit in edits {
        let place = |at: usize| at % (bytes.len() + 1);
        match edit {
            Edit::Set(at, byte) => {
                let at = place(*at);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Edit::Insert(at, new) => {
                let at = place(*at);
                bytes.splice(at..at, new.iter().copied());
            }
            Edit::Remove(at, count) => {
                let at = place(*at);
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Edit::Repeat(at, count) => {
                let at = place(*at);
                let again = bytes[at..(at + count).min(bytes.len())].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The client proves the message it wanted to send, the server sees another one.
    #[test]
    fn mutated_scram_never_authenticates(
        plus in any::<bool>(),
        in_first in proptest::collection::vec(edit(), 0..4),
        in_last in proptest::collection::vec(edit(), 0..4),
        known in any::<bool>(),
    ) {
        let (mechanism, header) = if plus { ("SCRAM-SHA-1-PLUS", "p=tls-exporter,a=juliet,") } else { ("SCRAM-SHA-1", "n,a=juliet,") };
        let bare = "n=jul=2Ciet,r=nonce,x=y";
        let first = format!("{header}{bare}");
        let sent = apply(&first, &in_first);
        let changed = sent != first.as_bytes();
        let (mut exchange, step) = start(mechanism, context(), Some(&sent));
        if !matches!(step, Step::NeedCredentials { .. }) {
            failure(step);
            return Ok(());
        }
        let challenge = challenge(look_up(&mut exchange, known.then(|| FAST.clone())));
        let channel = if plus { [header.as_bytes(), &EXPORTER].concat() } else { header.as_bytes().to_vec() };
        let (last, _) = client_final(Hash::Sha1, PASSWORD, bare, &challenge, &channel, ",z=1");
        let sent = apply(&last, &in_last);
        let changed = changed || sent != last.as_bytes();
        match exchange.step(&sent) {
            Step::Done(_) => prop_assert!(known && !changed),
            Step::Failed(_) => prop_assert!(!known || changed),
            step => prop_assert!(false, "{step:?}"),
        }
        prop_assert_eq!(failure(exchange.step(last.as_bytes())), Failure::MalformedRequest);
    }

    #[test]
    fn noise_never_authenticates(
        mechanism in proptest::sample::select(&Mechanism::ALL[..5]),
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..4),
    ) {
        let (mut exchange, mut step) = start(mechanism.name(), context(), None);
        for message in messages {
            step = match step {
                Step::NeedCredentials { .. } => look_up(&mut exchange, Some(FAST.clone())),
                _ => exchange.step(&message),
            };
            prop_assert!(!matches!(step, Step::Done(_)));
        }
    }

    /// PLAIN is what it was, or not accepted.
    #[test]
    fn mutated_plain_never_authenticates(edits in proptest::collection::vec(edit(), 1..4)) {
        let message = apply("\0juliet\0pencil", &edits);
        let (mut exchange, step) = start("PLAIN", context(), Some(&message));
        if matches!(step, Step::NeedCredentials { .. })
            && let Step::Done(_) = look_up(&mut exchange, Some(FAST.clone()))
        {
            let password = String::from_utf8(message.rsplit(|byte| *byte == 0).next().unwrap().to_vec()).unwrap();
            prop_assert_eq!(&*stringprep::saslprep(&password).unwrap(), PASSWORD);
        }
    }
}

/// One iteration: what is tested here is not the hash.
static FAST: LazyLock<Credentials> = LazyLock::new(|| Credentials {
    sha1: Some(StoredKey::new(Hash::Sha1, PASSWORD, b"salt and pepper!", 1)),
    sha256: Some(StoredKey::new(Hash::Sha256, PASSWORD, b"salt and pepper!", 1)),
});

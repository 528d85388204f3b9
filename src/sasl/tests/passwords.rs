//! PLAIN, ANONYMOUS, and the making and checking of keys.

use super::*;

fn plain(message: &[u8], stored: Option<Credentials>) -> Step {
    let (mut exchange, step) = start("PLAIN", context(), Some(message));
    match step {
        Step::NeedCredentials { .. } => look_up(&mut exchange, stored),
        step => step,
    }
}

#[test]
fn plain_with_the_right_password() {
    let success = success(plain(b"\0juliet\0pencil", Some(JULIET.clone())));
    assert_eq!(success.user.as_deref(), Some("juliet"));
    assert_eq!((success.authzid, success.additional, success.bound), (None, None, None));
}

#[test]
fn plain_reports_the_authorization_identity() {
    let (mut exchange, step) = start("PLAIN", context(), Some(b"romeo@montague.lit\0juliet\0pencil"));
    let Step::NeedCredentials { user, authzid } = step else { panic!("{step:?}") };
    assert_eq!((user.as_str(), authzid.as_deref()), ("juliet", Some("romeo@montague.lit")));
    let success = success(look_up(&mut exchange, Some(JULIET.clone())));
    assert_eq!(success.authzid.as_deref(), Some("romeo@montague.lit"));
}

#[test]
fn plain_with_one_hash_only() {
    let sha1 = Credentials { sha256: None, ..JULIET.clone() };
    success(plain(b"\0juliet\0pencil", Some(sha1.clone())));
    assert_eq!(failure(plain(b"\0juliet\0pencils", Some(sha1))), Failure::NotAuthorized);
}

#[test]
fn plain_wrong_password_unknown_user_and_account_without_keys_look_the_same() {
    assert_eq!(failure(plain(b"\0juliet\0pencils", Some(JULIET.clone()))), Failure::NotAuthorized);
    assert_eq!(failure(plain(b"\0juliet\0pencil", None)), Failure::NotAuthorized);
    assert_eq!(failure(plain(b"\0juliet\0pencil", Some(Credentials::default()))), Failure::NotAuthorized);
}

/// RFC 4616 §2
#[test]
fn plain_refuses_broken_messages() {
    let long = format!("\0{}\0pencil", "j".repeat(USER_BYTES_MAX + 1));
    let long_authzid = format!("{}\0juliet\0pencil", "j".repeat(AUTHZID_BYTES_MAX + 1));
    let broken: [&[u8]; 12] = [
        b"",
        b"\0",
        b"\0\0",
        b"juliet",
        b"\0juliet",
        b"\0juliet\0",
        b"\0\0pencil",
        b"\0juliet\0pencil\0",
        b"\0juliet\0\xff\xfe\xfd",
        b"\0\xff\xfe\0pencil",
        long.as_bytes(),
        long_authzid.as_bytes(),
    ];
    for message in broken {
        assert_eq!(failure(plain(message, Some(JULIET.clone()))), Failure::MalformedRequest, "{message:?}");
    }
}

#[test]
fn plain_without_initial_response_is_asked_for_it() {
    let (mut exchange, step) = start("PLAIN", context(), None);
    assert_eq!(challenge(step), "");
    assert!(matches!(exchange.step(b"\0juliet\0pencil"), Step::NeedCredentials { .. }));
    success(look_up(&mut exchange, Some(JULIET.clone())));
}

/// RFC 4505: the trace information is of no consequence.
#[test]
fn anonymous_is_nobody() {
    for trace in [&b""[..], b"sirhc", "«küßî»".as_bytes()] {
        let success = success(start("ANONYMOUS", context(), Some(trace)).1);
        assert_eq!((success.user, success.authzid, success.additional), (None, None, None));
    }
    let (mut exchange, step) = start("ANONYMOUS", context(), None);
    assert_eq!(challenge(step), "");
    success(exchange.step(b""));
    assert_eq!(failure(start("ANONYMOUS", context(), Some(b"\xff")).1), Failure::MalformedRequest);
}

/// RFC 5802 §2.2, RFC 4013 §3
#[test]
fn passwords_are_prepared() {
    let credentials = Credentials::derive("I\u{ad}X", ITERATIONS_MIN).unwrap();
    assert!(credentials.verify_password("IX"));
    assert!(credentials.verify_password("\u{2168}"));
    assert!(!credentials.verify_password("ix"));
    let refused = |password: &str| Credentials::derive(password, ITERATIONS_MIN).unwrap_err();
    assert_eq!(refused(""), DeriveError::EmptyPassword);
    assert_eq!(refused("\u{ad}"), DeriveError::EmptyPassword);
    assert_eq!(refused("bell\u{7}"), DeriveError::ProhibitedCharacter);
    assert_eq!(refused("\u{627}1"), DeriveError::ProhibitedCharacter);
    assert_eq!(refused(&"x".repeat(PASSWORD_BYTES_MAX + 1)), DeriveError::PasswordTooLong);
    for unusable in ["", "bell\u{7}", &"x".repeat(PASSWORD_BYTES_MAX + 1)] {
        assert!(!credentials.verify_password(unusable));
    }
    for count in [0, ITERATIONS_MIN - 1, ITERATIONS_MAX + 1] {
        assert_eq!(Credentials::derive(PASSWORD, count).unwrap_err(), DeriveError::Iterations(count));
    }
}

#[test]
fn salts_are_new_each_time_and_differ_between_hashes() {
    let other = Credentials::derive(PASSWORD, ITERATIONS_MIN).unwrap();
    let (sha1, sha256) = (other.sha1.unwrap(), other.sha256.unwrap());
    assert_ne!(sha1.salt, sha256.salt);
    assert_ne!(sha1.salt, JULIET.sha1.as_ref().unwrap().salt);
    assert_eq!((sha1.salt.len(), sha1.stored_key.len(), sha256.server_key.len()), (SALT_BYTES, 20, 32));
}

#[test]
fn off_thread_does_the_same() {
    RUNTIME.block_on(async {
        let credentials = Credentials::derive_off_thread(PASSWORD.to_owned(), ITERATIONS_MIN).await.unwrap();
        let verified = credentials.clone().verify_and_complete(PASSWORD.to_owned(), ITERATIONS_MIN).await;
        assert!(matches!(verified, Ok(Some(missing)) if missing.is_empty()));
        let old = Credentials { sha256: None, ..credentials.clone() };
        let completed = old.verify_and_complete(PASSWORD.to_owned(), ITERATIONS_MIN).await.unwrap().unwrap();
        assert!(completed.sha1.is_none() && completed.verify_password(PASSWORD));
        assert_eq!(credentials.verify_and_complete("pen".to_owned(), ITERATIONS_MIN).await, Ok(None));
        let refused = Credentials::derive_off_thread(String::new(), ITERATIONS_MIN).await;
        assert_eq!(refused, Err(DeriveError::EmptyPassword));
    });
}

#[test]
fn fakes_are_stable_and_alike() {
    let fake = |secret: &[u8], name| Credentials::fake(secret, name, ITERATIONS_MIN);
    assert_eq!(fake(b"secret", "nurse"), fake(b"secret", "nurse"));
    let (one, other) = (fake(b"secret", "nurse"), fake(b"secret", "peter"));
    assert_ne!(one.sha256.as_ref().unwrap().salt, other.sha256.as_ref().unwrap().salt);
    assert_ne!(one.sha256.as_ref().unwrap().salt, fake(b"other", "nurse").sha256.unwrap().salt);
    assert_ne!(one.sha256.as_ref().unwrap().salt, one.sha1.as_ref().unwrap().salt);
    let (fake_key, key) = (one.sha1.unwrap(), JULIET.sha1.clone().unwrap());
    assert_eq!((fake_key.salt.len(), fake_key.iterations), (key.salt.len(), key.iterations));
    assert_eq!(fake_key.stored_key.len(), key.stored_key.len());
}

#[test]
fn keys_are_not_printed() {
    let printed = format!("{:?}", *JULIET);
    assert!(!printed.contains("salt") && !printed.contains("stored_key"), "{printed}");
}

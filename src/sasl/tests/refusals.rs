//! SCRAM: everything RFC 5802 says must fail, and what must not.

use super::*;

const FIRST: &str = "n,,n=juliet,r=nonce";
const BARE: &str = "n=juliet,r=nonce";

fn first_refused(mechanism: &str, context: OfferContext, message: &[u8]) -> Failure {
    failure(start(mechanism, context, Some(message)).1)
}

/// A whole exchange with SCRAM-SHA-256 and no channel binding; `edit` may change the last message.
fn exchange(first: &str, bare: &str, header: &str, extra: &str, edit: impl Fn(String) -> String) -> Step {
    let (mut exchange, challenge) = challenged("SCRAM-SHA-256", without_bindings(), first, Some(JULIET.clone()));
    let (last, end) = client_final(Hash::Sha256, PASSWORD, bare, &challenge, header.as_bytes(), extra);
    let step = exchange.step(edit(last).as_bytes());
    if let Step::Done(success) = &step {
        assert_eq!(success.additional.as_deref(), Some(end.as_bytes()));
    }
    assert_eq!(failure(exchange.step(b"more")), Failure::MalformedRequest, "an exchange that is over stays over");
    step
}

#[test]
fn plain_exchange() {
    success(exchange(FIRST, BARE, "n,,", "", |last| last));
    // "y" where nothing was offered is what an able client says.
    success(exchange("y,,n=juliet,r=nonce", BARE, "y,,", "", |last| last));
}

/// §5.1: optional extensions are ignored, but covered by the proof.
#[test]
fn extensions_are_tolerated() {
    success(exchange("n,,n=juliet,r=nonce,x=1,Y==a=", "n=juliet,r=nonce,x=1,Y==a=", "n,,", ",z=2", |last| last));
    let tampered = exchange(FIRST, BARE, "n,,", ",z=2", |last| last.replace("z=2", "z=3"));
    assert_eq!(failure(tampered), Failure::NotAuthorized);
}

#[test]
fn names_are_unescaped_and_prepared() {
    let (_, step) =
        start("SCRAM-SHA-256", without_bindings(), Some("n,a=a=3Db=2Cc,n==2C=3D\u{ad}\u{2168},r=x".as_bytes()));
    let Step::NeedCredentials { user, authzid } = step else { panic!("{step:?}") };
    assert_eq!((user.as_str(), authzid.as_deref()), (",=IX", Some("a=b,c")));
    let first = "n,a=romeo@montague.lit,n=juliet,r=nonce";
    let success = success(exchange(first, BARE, "n,a=romeo@montague.lit,", "", |last| last));
    assert_eq!(success.authzid.as_deref(), Some("romeo@montague.lit"));
}

#[test]
fn broken_first_messages() {
    let long_name = format!("n,,n={},r=x", "j".repeat(USER_BYTES_MAX + 1));
    let long_authzid = format!("n,a={},n=j,r=x", "j".repeat(AUTHZID_BYTES_MAX + 1));
    let long_nonce = format!("n,,n=j,r={}", "x".repeat(CLIENT_NONCE_BYTES_MAX + 1));
    let too_long = format!("n,,n=j,r=x,x={}", "x".repeat(MESSAGE_BYTES_MAX));
    let broken: [&[u8]; 40] = [
        b"",
        b"n",
        b",",
        b",,",
        b"n,",
        b"n,,",
        b"n,,x",
        b"n,,n=romeo",
        b"n,,n=romeo,r",
        b"n,a=n=x,r=y",
        b"n,,n=,r=x",
        b"n,,n=j,r=",
        b"n,a=,n=j,r=x",
        b"n,b=x,n=j,r=x",
        b"n,x,n=j,r=x",
        b"z,,n=j,r=x",
        b"N,,n=j,r=x",
        b"p=,,n=j,r=x",
        b"p=a/b,,n=j,r=x",
        b"F,n,,n=j,r=x",
        b"n,,r=x,n=j",
        b"n,,n=a=zz,r=x",
        b"n,,n=a=,r=x",
        b"n,,n=a=2c,r=x",
        b"n,,n=a=3d,r=x",
        b"n,a=a=2,n=j,r=x",
        b"n,,n=j,r=a b",
        b"n,,n=j,r=a\x7f",
        b"n,,n=j,r=\xc3\xa4",
        b"n,,n=\xff,r=x",
        b"n,,n=j\0,r=x",
        b"n,,n=j\x07,r=x",
        b"n,,n=\xc2\xad,r=x",
        b"n,,n=j,r=x,",
        b"n,,n=j,r=x,x",
        b"n,,n=j,r=x,x=",
        long_name.as_bytes(),
        long_authzid.as_bytes(),
        long_nonce.as_bytes(),
        too_long.as_bytes(),
    ];
    for message in broken {
        let failure = first_refused("SCRAM-SHA-256", without_bindings(), message);
        assert_eq!(failure, Failure::MalformedRequest, "{:?}", String::from_utf8_lossy(message));
    }
}

/// §5.1: "m" must fail the exchange wherever it is; attributes of the core protocol are no extensions.
#[test]
fn reserved_attributes() {
    for message in ["n,,m=x,n=j,r=x", "n,,n=j,m=x,r=x", "n,,n=j,r=x,m=x", "n,,n=j,r=x,r=y", "n,,n=j,r=x,n=k"] {
        let failure = first_refused("SCRAM-SHA-1", without_bindings(), message.as_bytes());
        assert_eq!(failure, Failure::MalformedRequest, "{message}");
    }
    for extra in [",m=x", ",r=x", ",c=biws", ",p=x"] {
        assert_eq!(failure(exchange(FIRST, BARE, "n,,", extra, |last| last)), Failure::MalformedRequest, "{extra}");
    }
}

/// §6
#[test]
fn flags_that_contradict_the_mechanism() {
    for flag in ["n", "y"] {
        let message = format!("{flag},,{BARE}");
        let failure = first_refused("SCRAM-SHA-256-PLUS", context(), message.as_bytes());
        assert_eq!(failure, Failure::MalformedRequest);
    }
    let bound = format!("p=tls-exporter,,{BARE}");
    assert_eq!(first_refused("SCRAM-SHA-256", context(), bound.as_bytes()), Failure::MalformedRequest);
    assert_eq!(first_refused("SCRAM-SHA-256", without_bindings(), bound.as_bytes()), Failure::MalformedRequest);
}

/// §6: a client that could bind and did not see the offer has been lied to. One that cannot may go on.
#[test]
fn downgrade_is_noticed() {
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-1"] {
        let downgraded = format!("y,,{BARE}");
        assert_eq!(first_refused(mechanism, context(), downgraded.as_bytes()), Failure::NotAuthorized);
        challenged(mechanism, context(), FIRST, Some(JULIET.clone()));
    }
}

#[test]
fn unsupported_binding_types() {
    for name in ["tls-unique", "TLS-EXPORTER", "tls-server-end-point"] {
        let mut context = context();
        context.channel_bindings.tls_server_end_point = None;
        let message = format!("p={name},,{BARE}");
        assert_eq!(first_refused("SCRAM-SHA-1-PLUS", context, message.as_bytes()), Failure::NotAuthorized, "{name}");
    }
}

fn bound(kind: &str, seen_by_client: &[u8], header: &str) -> Step {
    let first = format!("p={kind},,{BARE}");
    let (mut exchange, challenge) = challenged("SCRAM-SHA-1-PLUS", context(), &first, Some(JULIET.clone()));
    let channel = [header.as_bytes(), seen_by_client].concat();
    let (last, _) = client_final(Hash::Sha1, PASSWORD, BARE, &challenge, &channel, "");
    exchange.step(last.as_bytes())
}

#[test]
fn bound_to_the_channel() {
    let success = success(bound("tls-exporter", &EXPORTER, "p=tls-exporter,,"));
    assert_eq!((success.bound, success.mechanism), (Some(BindingType::TlsExporter), Mechanism::ScramSha1Plus));
    let step = bound("tls-server-end-point", END_POINT, "p=tls-server-end-point,,");
    assert_eq!(super::success(step).bound, Some(BindingType::TlsServerEndPoint));
}

#[test]
fn bound_to_another_channel() {
    let data_and_header: [(&[u8], &str); 6] = [
        (&[8; 32], "p=tls-exporter,,"),
        (&EXPORTER[1..], "p=tls-exporter,,"),
        (b"", "p=tls-exporter,,"),
        (END_POINT, "p=tls-exporter,,"),
        (&EXPORTER, "p=tls-server-end-point,,"),
        (&EXPORTER, "n,,"),
    ];
    for (data, header) in data_and_header {
        assert_eq!(failure(bound("tls-exporter", data, header)), Failure::NotAuthorized, "{header} {data:?}");
    }
}

/// The gs2-header comes back in `c=`; neither the flag nor the authorization identity can be changed on the way.
#[test]
fn another_header() {
    for header in ["y,,", "n,a=romeo,", "n,", "", "n,,x"] {
        let step =
            exchange(
                FIRST,
                BARE,
                header,
                "",
                |last| if header.is_empty() { last.replacen("c=", "c=AA==", 1) } else { last },
            );
        assert_eq!(failure(step), Failure::NotAuthorized, "{header}");
    }
}

#[test]
fn wrong_nonces() {
    let edits: [fn(String) -> String; 4] = [
        |last| last.replace("r=nonce", "r=nonc"),
        |last| last.replace("r=nonce", "r=Nonce"),
        |last| last.replace(",p=", "x,p="),
        |last| last.split_once(",r=").unwrap().0.to_owned() + ",r=nonce," + last.rsplit_once(',').unwrap().1,
    ];
    for edit in edits {
        assert_eq!(failure(exchange(FIRST, BARE, "n,,", "", edit)), Failure::NotAuthorized);
    }
    // A replay has a right proof, over a nonce that was never ours.
    assert_eq!(failure(exchange(FIRST, BARE, "n,,", "x", |last| last)), Failure::NotAuthorized);
}

#[test]
fn broken_last_messages() {
    let edits: [fn(String) -> String; 14] = [
        |_| String::new(),
        |_| "x".to_owned(),
        |_| "c=biws,r=abc,p".to_owned(),
        |_| "c=biws,r=abc,p=".to_owned(),
        |last| last.rsplit_once(",p=").unwrap().0.to_owned(),
        |last| last.replace(",p=", ",q="),
        |last| last.replace("c=biws", "c=biw"),
        |last| last.replace("c=biws", "c="),
        |last| last.replace("c=biws", "c=b!ws"),
        |last| last.replace("c=biws,", ""),
        |last| last + "A",
        |last| last + ",x=y",
        |last| last.rsplit_once(",p=").unwrap().0.to_owned() + ",p=AAAA",
        |last| format!("{last}{}", " ".repeat(MESSAGE_BYTES_MAX)),
    ];
    for (index, edit) in edits.into_iter().enumerate() {
        assert_eq!(failure(exchange(FIRST, BARE, "n,,", "", edit)), Failure::MalformedRequest, "edit {index}");
    }
}

/// Nothing tells an unknown user, a wrong password, and an account without keys for this hash apart.
#[test]
fn unknown_user_and_wrong_password_look_the_same() {
    let no_sha1 = Credentials { sha1: None, ..JULIET.clone() };
    let mut salts = Vec::new();
    for stored in [Some(JULIET.clone()), None, None, Some(no_sha1)] {
        let (mut exchange, challenge) = challenged("SCRAM-SHA-1", without_bindings(), FIRST, stored);
        assert_eq!(attribute(&challenge, "i="), ITERATIONS_MIN.to_string());
        salts.push(attribute(&challenge, "s="));
        let (last, _) = client_final(Hash::Sha1, "guess", BARE, &challenge, b"n,,", "");
        assert_eq!(failure(exchange.step(last.as_bytes())), Failure::NotAuthorized);
    }
    assert_eq!(salts[0].len(), salts[1].len());
    assert_eq!(salts[1], salts[2]);
    assert_eq!(salts[1], salts[3]);
}

#[test]
fn server_nonces_are_new_each_time() {
    let nonce = || attribute(&challenged("SCRAM-SHA-256", context(), FIRST, Some(JULIET.clone())).1, "r=nonce");
    let (one, other) = (nonce(), nonce());
    assert_ne!(one, other);
    assert_eq!(one.len(), SERVER_NONCE_BYTES / 3 * 4);
}

#[test]
fn calls_out_of_order() {
    let (mut exchange, _) = start("SCRAM-SHA-256", context(), Some(FIRST.as_bytes()));
    assert_eq!(failure(exchange.step(b"too early")), Failure::MalformedRequest);
    assert_eq!(failure(look_up(&mut exchange, Some(JULIET.clone()))), Failure::MalformedRequest);
    let (mut exchange, _) = start("SCRAM-SHA-256", context(), None);
    assert_eq!(failure(look_up(&mut exchange, Some(JULIET.clone()))), Failure::MalformedRequest);
}

/// Exchanges travel with the tasks of connections, and there are many of them.
#[test]
fn exchanges_can_move_between_threads_and_are_small() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let (mut exchange, _) = is_send(start("SCRAM-SHA-256", context(), Some(FIRST.as_bytes())));
    let future = is_send(exchange.credentials("juliet@capulet.lit", None));
    assert!(size_of_val(&future) <= 1536, "{}", size_of_val(&future));
    assert!(size_of::<Exchange>() <= 256, "{}", size_of::<Exchange>());
}

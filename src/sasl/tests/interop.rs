//! Against the client of rsasl, which has never seen our server.

use rsasl::{
    callback::{Context, Request, SessionCallback, SessionData},
    prelude::{ChannelBindingCallback, Mechname, Registry, SASLClient, SASLConfig, SessionError},
    property::{AuthId, AuthzId, Password},
};

use super::*;

struct Person {
    password: &'static str,
    authzid: Option<&'static str>,
    binds: bool,
}

impl SessionCallback for Person {
    fn callback(&self, _: &SessionData, _: &Context<'_>, request: &mut Request<'_>) -> Result<(), SessionError> {
        request.satisfy::<AuthId>("ju,li=et")?.satisfy::<Password>(self.password.as_bytes())?;
        if let Some(authzid) = self.authzid {
            request.satisfy::<AuthzId>(authzid)?;
        }
        Ok(())
    }

    fn enable_channel_binding(&self) -> bool {
        self.binds
    }
}

struct Exporter;

impl ChannelBindingCallback for Exporter {
    fn get_cb_data(&self, name: &str) -> Option<&[u8]> {
        (name == "tls-exporter").then_some(&EXPORTER)
    }
}

static CLIENTS: &[rsasl::prelude::Mechanism] = &[
    rsasl::mechanisms::scram::SCRAM_SHA256_PLUS,
    rsasl::mechanisms::scram::SCRAM_SHA256,
    rsasl::mechanisms::scram::SCRAM_SHA1_PLUS,
    rsasl::mechanisms::scram::SCRAM_SHA1,
    rsasl::mechanisms::plain::PLAIN,
];

/// The client builds AuthMessage from parts and so cannot stand an extension: no XEP-0474 here.
fn authenticate(mechanism: Mechanism, person: Person, context: OfferContext) -> Step {
    let context = OfferContext { without_downgrade_hash: true, ..context };
    let config = SASLConfig::builder().with_registry(Registry::with_mechanisms(CLIENTS)).with_callback(person).unwrap();
    let name = Mechname::parse(mechanism.name().as_bytes()).unwrap();
    let mut client = SASLClient::with_cb(config, Exporter).start_suggested(&[name]).unwrap();
    let mut output = Vec::new();
    client.step(None, &mut output).unwrap();
    let (mut exchange, mut step) = start(mechanism.name(), context, Some(&output));
    loop {
        step = match step {
            Step::NeedCredentials { user, .. } => {
                assert_eq!(user, "ju,li=et");
                look_up(&mut exchange, Some(JULIET.clone()))
            }
            Step::Challenge(challenge) => {
                output.clear();
                client.step(Some(&challenge), &mut output).unwrap();
                exchange.step(&output)
            }
            Step::Done(success) => {
                if let Some(additional) = &success.additional {
                    // The client's check of the server's signature
                    assert!(client.step(Some(additional), &mut output).unwrap().is_finished());
                }
                return Step::Done(success);
            }
            failed @ Step::Failed(_) => return failed,
        };
    }
}

#[test]
fn rsasl_authenticates() {
    let person = || Person { password: PASSWORD, authzid: None, binds: false };
    for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::Plain] {
        let success = success(authenticate(mechanism, person(), without_bindings()));
        assert_eq!((success.mechanism, success.bound), (mechanism, None));
    }
    for mechanism in [Mechanism::ScramSha256Plus, Mechanism::ScramSha1Plus] {
        let success = success(authenticate(mechanism, Person { binds: true, ..person() }, context()));
        assert_eq!((success.mechanism, success.bound), (mechanism, Some(BindingType::TlsExporter)));
    }
}

#[test]
fn rsasl_names_an_authorization_identity() {
    let person = Person { password: PASSWORD, authzid: Some("a=b,c@montague.lit"), binds: false };
    let success = success(authenticate(Mechanism::ScramSha256, person, without_bindings()));
    assert_eq!(success.authzid.as_deref(), Some("a=b,c@montague.lit"));
}

#[test]
fn rsasl_with_a_wrong_password_or_another_channel() {
    let person = |password| Person { password, authzid: None, binds: true };
    for mechanism in [Mechanism::ScramSha256Plus, Mechanism::ScramSha1Plus] {
        assert_eq!(failure(authenticate(mechanism, person("guess"), context())), Failure::NotAuthorized);
        let mut elsewhere = context();
        elsewhere.channel_bindings.tls_exporter = Some([9; 32]);
        assert_eq!(failure(authenticate(mechanism, person(PASSWORD), elsewhere)), Failure::NotAuthorized);
    }
}

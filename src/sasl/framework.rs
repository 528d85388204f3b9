//! Our side of rsasl: the registry, the callbacks that answer it, its errors in our words.

use std::sync::Arc;

use rsasl::{
    callback::{Context, Request, SessionCallback, SessionData},
    mechanism::Authentication,
    mechanisms::{anonymous::ANONYMOUS, plain::PLAIN},
    prelude::{
        ChannelBindingCallback, Mechname, Registry, SASLConfig, SASLError, SASLServer, SessionError, Validation,
    },
    property::{AuthId, AuthzId, Password},
    registry::Side,
    validate::{Validate, ValidationError},
};

use super::{
    failure::Refusal,
    mechanism::{BindingType, Mechanism, Offer},
    scram::{Scram, Setup, SetupProperty},
};

static REGISTRY: &[rsasl::prelude::Mechanism] = &[
    scram(Mechanism::ScramSha256Plus),
    scram(Mechanism::ScramSha1Plus),
    scram(Mechanism::ScramSha256),
    scram(Mechanism::ScramSha1),
    PLAIN,
    ANONYMOUS,
];

const fn scram(mechanism: Mechanism) -> rsasl::prelude::Mechanism {
    fn start(_: &SASLConfig) -> Result<Box<dyn Authentication>, SASLError> {
        Ok(Box::new(Scram::Start))
    }
    rsasl::prelude::Mechanism::build(
        Mechname::const_new_unchecked(mechanism.name().as_bytes()),
        // What to offer and what to prefer is decided by `Offer`; rsasl is not asked.
        0,
        None,
        Some(start),
        Side::Client,
        |_| None,
        |_| true,
    )
}

/// What a mechanism that came to its end has established.
pub(super) enum Verdict {
    /// ANONYMOUS: nothing
    Guest,
    /// PLAIN: a claim, still to be checked
    Claim { user: String, authzid: Option<String>, password: String },
    /// SCRAM: the client knows the password
    Proven,
}

struct Verdicts;

impl Validation for Verdicts {
    type Value = Verdict;
}

struct Callback {
    mechanism: Mechanism,
    setup: Option<Arc<Setup>>,
}

impl SessionCallback for Callback {
    fn callback(
        &self,
        _session: &SessionData,
        _context: &Context<'_>,
        request: &mut Request<'_>,
    ) -> Result<(), SessionError> {
        if let Some(setup) = &self.setup {
            request.satisfy::<SetupProperty>(setup)?;
        }
        Ok(())
    }

    fn validate(
        &self,
        _session: &SessionData,
        context: &Context<'_>,
        validate: &mut Validate<'_>,
    ) -> Result<(), ValidationError> {
        let verdict = match self.mechanism {
            Mechanism::Anonymous => Verdict::Guest,
            Mechanism::Plain => claim(context).ok_or(ValidationError::MissingRequiredProperty)?,
            _ => Verdict::Proven,
        };
        validate.finalize::<Verdicts>(verdict);
        Ok(())
    }
}

/// None: the password is not UTF-8, as RFC 4616 §2 wants it.
fn claim(context: &Context<'_>) -> Option<Verdict> {
    Some(Verdict::Claim {
        user: context.get_ref::<AuthId>()?.to_owned(),
        authzid: context.get_ref::<AuthzId>().filter(|authzid| !authzid.is_empty()).map(str::to_owned),
        password: std::str::from_utf8(context.get_ref::<Password>()?).ok()?.to_owned(),
    })
}

struct Bindings(Arc<Offer>);

impl ChannelBindingCallback for Bindings {
    fn get_cb_data(&self, name: &str) -> Option<&[u8]> {
        BindingType::from_name(name).and_then(|binding| self.0.binding_data(binding))
    }
}

/// An rsasl session. After an error it must not be stepped again, so a step that failed takes it away.
pub(super) struct Session(Box<rsasl::prelude::Session<Verdicts, Bindings>>);

/// What came of a step.
pub(super) enum Progress {
    /// Send this and wait
    Running(Session, Vec<u8>),
    /// The mechanism has seen enough; the bytes are for `<success/>`.
    Finished(Verdict, Vec<u8>),
}

impl Session {
    pub(super) fn start(mechanism: Mechanism, offer: Arc<Offer>, setup: Option<Arc<Setup>>) -> Result<Self, Refusal> {
        let internal = |error: SASLError| Refusal::Internal(error.to_string());
        let config = SASLConfig::builder()
            .with_registry(Registry::with_mechanisms(REGISTRY))
            .with_callback(Callback { mechanism, setup })
            .map_err(internal)?;
        let session = SASLServer::<Verdicts, _>::with_cb(config, Bindings(offer))
            .start_suggested(Mechname::const_new_unchecked(mechanism.name().as_bytes()))
            .map_err(internal)?;
        Ok(Self(Box::new(session)))
    }

    /// That a mechanism finished does not mean that it was convinced: only a verdict counts.
    pub(super) fn step(mut self, input: &[u8]) -> Result<Progress, Refusal> {
        let mut output = Vec::new();
        let state = self.0.step(Some(input), &mut output).map_err(refusal)?;
        if state.is_running() {
            return Ok(Progress::Running(self, output));
        }
        let verdict = self.0.validation().ok_or(Refusal::Proof)?;
        Ok(Progress::Finished(verdict, output))
    }
}

fn refusal(error: SessionError) -> Refusal {
    match error {
        SessionError::Boxed(error) => match error.downcast::<Refusal>() {
            Ok(refusal) => *refusal,
            Err(error) => Refusal::Internal(error.to_string()),
        },
        SessionError::MechanismError(_) => Refusal::Mechanism,
        SessionError::InputDataRequired => Refusal::Grammar("empty"),
        SessionError::ValidationError(_) => Refusal::Grammar("password not in UTF-8"),
        error => Refusal::Internal(error.to_string()),
    }
}

//! The server side of one SASL exchange, the same for the profile of RFC 6120 and for SASL2 (XEP-0388).
//!
//! Accounts are looked up asynchronously, mechanisms are not: the exchange stops with [`Step::NeedCredentials`] once it
//! knows who is coming, and goes on with [`Exchange::credentials`].

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tracing::debug;

use super::{
    AUTHZID_BYTES_MAX, MESSAGE_BYTES_MAX, SERVER_NONCE_BYTES, USER_BYTES_MAX,
    credentials::{Credentials, Decoy},
    failure::{Failure, Refusal},
    framework::{Progress, Session, Verdict},
    mechanism::{BindingType, Mechanism, Offer},
    scram::{self, Setup, message::ClientFirst},
};

/// What the caller has to do next.
#[derive(Debug)]
pub enum Step {
    /// Send this, and come back with the answer.
    Challenge(Vec<u8>),
    /// Look this account up, then call [`Exchange::credentials`].
    NeedCredentials {
        /// Unescaped and SASLprepped; not yet a localpart
        user: String,
        /// As in [`Success::authzid`]
        authzid: Option<String>,
    },
    /// Authenticated. Whether `authzid` may be assumed is the caller's to say.
    Done(Success),
    /// Not authenticated, and the exchange is over.
    Failed(Failure),
}

/// A successful exchange.
#[derive(Debug, Clone, Eq, PartialEq)]
pub struct Success {
    /// The mechanism used
    pub mechanism: Mechanism,
    /// Who proved a password; `None` is a guest (ANONYMOUS).
    pub user: Option<String>,
    /// Whom the client wants to act as, if it said so: verbatim, to be compared after preparation as a JID. Anybody else's
    /// is [`Failure::InvalidAuthzid`].
    pub authzid: Option<String>,
    /// Goes along with the success
    pub additional: Option<Vec<u8>>,
    /// The channel binding in force
    pub bound: Option<BindingType>,
    /// Keys the account lacks, where the password itself was sent and they could be made of it
    pub missing: Option<Box<Credentials>>,
}

/// One exchange. Dropping it forgets it.
pub struct Exchange {
    offer: Arc<Offer>,
    decoy: Arc<Decoy>,
    phase: Phase,
    compared: bool,
    #[cfg(test)]
    pub(super) fixed_nonce: Option<String>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

enum Phase {
    /// The client has chosen a mechanism and said nothing yet.
    Chosen(Mechanism),
    /// SCRAM: the caller looks up the keys. The success is what it will be if the proof is right.
    ClientFirst {
        message: Vec<u8>,
        success: Success,
    },
    /// SCRAM: the client has its challenge.
    Challenged {
        session: Session,
        success: Success,
    },
    /// PLAIN: the caller looks up the keys.
    Claimed {
        password: String,
        success: Success,
    },
    Over,
}

impl Exchange {
    /// Begins with the mechanism the client named. `initial` is its initial response: `None` if there was none,
    /// `Some(b"")` if it was empty (`=` on the wire, RFC 6120 §6.4.2).
    pub fn start(mechanism: &str, offer: Arc<Offer>, decoy: Arc<Decoy>, initial: Option<&[u8]>) -> (Self, Step) {
        let mut exchange = Self {
            offer,
            decoy,
            phase: Phase::Over,
            compared: false,
            #[cfg(test)]
            fixed_nonce: None,
        };
        let step = match exchange.choose(mechanism) {
            Err(refusal) => exchange.outcome(Err(refusal)),
            Ok(mechanism) => {
                exchange.phase = Phase::Chosen(mechanism);
                // All our mechanisms begin with the client: an empty challenge asks it to (RFC 4422 §5.1).
                initial.map_or_else(|| Step::Challenge(Vec::new()), |initial| exchange.step(initial))
            }
        };
        (exchange, step)
    }

    /// Takes the client's answer to a challenge.
    pub fn step(&mut self, response: &[u8]) -> Step {
        let step = if response.len() > MESSAGE_BYTES_MAX {
            Err(Refusal::TooLong)
        } else {
            let phase = mem::replace(&mut self.phase, Phase::Over);
            guarded(|| match phase {
                Phase::Chosen(mechanism) => self.first_message(mechanism, response),
                Phase::Challenged { session, success } => finish_proof(session, success, response),
                Phase::ClientFirst { .. } | Phase::Claimed { .. } | Phase::Over => Err(Refusal::OutOfOrder),
            })
        };
        self.outcome(step)
    }

    /// Goes on after [`Step::NeedCredentials`].
    ///
    /// `account` is the prepared bare JID that was looked up, or the name as it came if it cannot be prepared: what
    /// unknown accounts are answered with depends on it, and must not differ where the look-up would not have differed.
    /// `stored` is `None` if there is no such account; the exchange then fails where a wrong password would.
    ///
    /// For PLAIN this waits for the hashing of the password, which happens on another thread.
    pub async fn credentials(&mut self, account: &str, stored: Option<Credentials>) -> Step {
        let step = match mem::replace(&mut self.phase, Phase::Over) {
            Phase::ClientFirst { message, success } => guarded(|| self.challenge(&message, success, account, stored)),
            Phase::Claimed { password, success } => {
                let (credentials, genuine) = match stored {
                    Some(credentials) if !credentials.is_empty() => (credentials, true),
                    _ => (self.decoy.credentials(account), false),
                };
                match credentials.verify_and_complete(password, self.decoy.iterations()).await {
                    Ok(Some(missing)) if genuine => {
                        let missing = Some(missing).filter(|m| !m.is_empty()).map(Box::new);
                        Ok(Step::Done(Success { missing, ..success }))
                    }
                    Ok(_) => Err(Refusal::Proof),
                    Err(error) => Err(Refusal::Internal(error.to_string())),
                }
            }
            Phase::Chosen(_) | Phase::Challenged { .. } | Phase::Over => Err(Refusal::OutOfOrder),
        };
        self.outcome(step)
    }

    /// PLAIN: the password that is to be checked.
    pub fn claimed_password(&self) -> Option<&str> {
        match &self.phase {
            Phase::Claimed { password, .. } => Some(password),
            _ => None,
        }
    }

    /// In place of [`Step::NeedCredentials`]' answer: the caller knows that the claimed password is right.
    pub fn vouched(&mut self) -> Step {
        let step = match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Claimed { success, .. } => Ok(Step::Done(success)),
            _ => Err(Refusal::OutOfOrder),
        };
        self.outcome(step)
    }

    /// Was a password compared, and found wrong? Only that is a guess; other failures tell the client nothing.
    pub fn was_guess(&self) -> bool {
        self.compared
    }

    fn choose(&self, name: &str) -> Result<Mechanism, Refusal> {
        match Mechanism::from_name(name) {
            Some(mechanism) if self.offer.mechanisms().contains(&mechanism) => Ok(mechanism),
            Some(_) if !self.offer.is_encrypted() => Err(Refusal::NotEncrypted),
            _ => Err(Refusal::NotOffered),
        }
    }

    fn first_message(&mut self, mechanism: Mechanism, message: &[u8]) -> Result<Step, Refusal> {
        if mechanism.hash().is_some() {
            return self.client_first(mechanism, message);
        }
        let session = Session::start(mechanism, Arc::clone(&self.offer), None)?;
        let mut success =
            Success { mechanism, user: None, authzid: None, additional: None, bound: None, missing: None };
        match session.step(message)? {
            Progress::Finished(Verdict::Guest, _) if mechanism == Mechanism::Anonymous => Ok(Step::Done(success)),
            Progress::Finished(Verdict::Claim { user, authzid, password }, _) => {
                let authzid_bytes = authzid.as_ref().map_or(0, String::len);
                if user.len() > USER_BYTES_MAX || authzid_bytes > AUTHZID_BYTES_MAX {
                    return Err(Refusal::Grammar("length of a name"));
                }
                success.user = Some(user.clone());
                success.authzid.clone_from(&authzid);
                self.phase = Phase::Claimed { password, success };
                Ok(Step::NeedCredentials { user, authzid })
            }
            _ => Err(Refusal::Internal("unexpected verdict".to_owned())),
        }
    }

    /// The mechanism reads this message again once its keys are there; here we only learn whose, and refuse early.
    fn client_first(&mut self, mechanism: Mechanism, message: &[u8]) -> Result<Step, Refusal> {
        let first = ClientFirst::parse(message)?;
        let bound = scram::binding_in_use(mechanism, &first.flag, &self.offer)?;
        let success = Success {
            mechanism,
            user: Some(first.user.clone()),
            authzid: first.authzid.clone(),
            additional: None,
            bound,
            missing: None,
        };
        let step = Step::NeedCredentials { user: first.user, authzid: first.authzid };
        self.phase = Phase::ClientFirst { message: message.to_vec(), success };
        Ok(step)
    }

    fn challenge(
        &mut self,
        message: &[u8],
        success: Success,
        account: &str,
        stored: Option<Credentials>,
    ) -> Result<Step, Refusal> {
        let mechanism = success.mechanism;
        let internal = |what: &str| Refusal::Internal(what.to_owned());
        let hash = mechanism.hash().ok_or_else(|| internal("not SCRAM"))?;
        // The decoy is made in any case, to take the same time; and an account without keys for this hash must not stand
        // out either.
        let decoy = self.decoy.credentials(account).into_key(hash);
        let stored = stored.and_then(|credentials| credentials.into_key(hash));
        let genuine = stored.is_some();
        let key = stored.or(decoy).ok_or_else(|| internal("no key"))?;
        let server_nonce = self.server_nonce()?;
        let offer = Arc::clone(&self.offer);
        let setup = Arc::new(Setup { mechanism, hash, offer, key, genuine, server_nonce });
        match Session::start(mechanism, Arc::clone(&self.offer), Some(setup))?.step(message)? {
            Progress::Running(session, challenge) => {
                self.phase = Phase::Challenged { session, success };
                Ok(Step::Challenge(challenge))
            }
            Progress::Finished(..) => Err(internal("finished without a proof")),
        }
    }

    fn server_nonce(&self) -> Result<String, Refusal> {
        #[cfg(test)]
        if let Some(nonce) = &self.fixed_nonce {
            return Ok(nonce.clone());
        }
        let mut random = [0; SERVER_NONCE_BYTES];
        getrandom::fill(&mut random).map_err(|error| Refusal::Internal(error.to_string()))?;
        Ok(STANDARD.encode(random))
    }

    /// Whatever fails has also ended the exchange, since each phase is consumed.
    fn outcome(&mut self, step: Result<Step, Refusal>) -> Step {
        step.unwrap_or_else(|refusal| {
            self.phase = Phase::Over;
            self.compared = matches!(refusal, Refusal::Proof);
            debug!(reason = %refusal, "SASL exchange refused");
            Step::Failed(refusal.failure())
        })
    }
}

fn finish_proof(session: Session, mut success: Success, response: &[u8]) -> Result<Step, Refusal> {
    match session.step(response)? {
        Progress::Finished(Verdict::Proven, additional) => {
            success.additional = Some(additional);
            Ok(Step::Done(success))
        }
        _ => Err(Refusal::Internal("unexpected verdict".to_owned())),
    }
}

/// A panic over a stranger's message ends the exchange, nothing else. The phase was taken before, so no half-changed
/// state is left to be seen.
fn guarded(work: impl FnOnce() -> Result<Step, Refusal>) -> Result<Step, Refusal> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Refusal::Internal("panic".to_owned())))
}

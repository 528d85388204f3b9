//! XEP-0077: making an account before logging in (if the operator allows it), changing the password and removing the
//! account afterwards. XEP-0445: an invitation opens a server that is closed to others.

mod form;
mod limited;

use crate::account::resource::Client;
use crate::attempts::{Allowance, Purpose};
use crate::config::RegistrationMode;
use crate::core::Core;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall, IqResult};
use crate::ops::invitations::{self, Invitation};
use crate::ops::{self, OpError};
use crate::router::bounce::refused;
use crate::{clock, close::CloseReason};
use form::Wish;
pub use limited::Limited;
use limited::{HOUR_MS, PASSWORDS_PER_HOUR_MAX, too_often};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::{ErrorType, StanzaError};
use xep_support::stanza::{IqType, Stanza};
use xep_support::xml::Element;

/// What somebody who is logged in can do with the own account.
pub struct Registration;

impl Extension for Registration {
    fn about(&self) -> About {
        About::new("XEP-0077", "In-Band Registration", "2.4")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let query = ("query", ns::REGISTER);
        d.server_feature(ns::REGISTER)
            .iq(Addressee::Server, IqType::Get, query, get)
            .iq(Addressee::Server, IqType::Set, query, set)
            .iq(Addressee::OwnAccount, IqType::Get, query, get)
            .iq(Addressee::OwnAccount, IqType::Set, query, set);
    }
}

/// Invitations, as a name in lists: what they do happens before login.
pub struct InvitedRegistration;

impl Extension for InvitedRegistration {
    fn about(&self) -> About {
        About::new("XEP-0445", "Pre-Authenticated In-Band Registration", "0.2.0")
    }
}

// Before login.

/// What a connection that is not logged in has shown.
#[derive(Default)]
pub struct RegistrationState {
    invitation: Option<Invitation>,
    requests: usize,
}

/// Requests of one connection before it has to come again; exempt addresses may go on.
const REQUESTS_MAX: usize = 20;

impl RegistrationState {
    /// May this connection ask once more?
    pub fn take_request(&mut self, core: &Core, peer: IpAddr) -> bool {
        self.requests += 1;
        self.requests <= REQUESTS_MAX || core.config().limits.is_exempt(peer)
    }
}

/// Is somebody filling in a form, who may take more time than a program?
pub fn takes_time(core: &Core, state: &RegistrationState) -> bool {
    match core.config().registration.mode {
        RegistrationMode::Open => true,
        RegistrationMode::Invite => state.invitation.is_some(),
        RegistrationMode::Closed => false,
    }
}

/// Can accounts be made by clients? Then the stream features name it (XEP-0077 §8, XEP-0445 §3).
pub fn offered(core: &Core) -> bool {
    core.config().registration.mode != RegistrationMode::Closed
}

/// Answers a request with `<query xmlns='jabber:iq:register'/>` or `<preauth xmlns='urn:xmpp:pars:0'/>` on a stream to
/// `host` that is encrypted and not yet authenticated. There may be several, for several accounts. The caller lets no
/// stanza in that must not be answered.
pub async fn before_login(
    core: &Arc<Core>,
    host: &Jid,
    peer: IpAddr,
    state: &mut RegistrationState,
    request: &Stanza,
) -> Stanza {
    let result = match check(host, request) {
        Ok((kind, payload)) => answer(core, host, peer, state, kind, &payload).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(payload) => Stanza::iq_result(request, payload),
        Err(error) => {
            tracing::debug!(reason = error.condition.as_str(), "registration refused");
            core.counters.stanza_error(error.condition);
            request.error_reply(&error).unwrap_or_else(|| Stanza::iq_result(request, None))
        }
    }
}

/// RFC 6120 §8.2.3, and that it is for the domain of the stream.
fn check(host: &Jid, request: &Stanza) -> Result<(IqType, Element), StanzaError> {
    let kind = request.iq_type().filter(|kind| matches!(kind, IqType::Get | IqType::Set));
    let payload = request.payload().filter(|_| request.children().len() == 1 && request.id().is_some());
    let (Some(kind), Some(payload)) = (kind, payload) else { return Err(StanzaError::bad_request()) };
    match request.to() {
        Some(to) if to != host => Err(StanzaError::not_allowed()),
        _ => Ok((kind, payload)),
    }
}

async fn answer(
    core: &Arc<Core>,
    host: &Jid,
    peer: IpAddr,
    state: &mut RegistrationState,
    kind: IqType,
    payload: &Element,
) -> IqResult {
    let mode = core.config().registration.mode;
    if mode == RegistrationMode::Closed {
        // XEP-0077 §3.1.
        return Err(StanzaError::service_unavailable());
    }
    if payload.is("preauth", ns::PREAUTH) {
        return match kind {
            IqType::Set => preauth(core, host, peer, state, payload).await,
            _ => Err(StanzaError::not_allowed()),
        };
    }
    if !payload.is("query", ns::REGISTER) {
        return Err(StanzaError::service_unavailable());
    }
    if mode == RegistrationMode::Invite && state.invitation.is_none() {
        return Err(StanzaError::not_allowed().with_text("an invitation is needed"));
    }
    match kind {
        IqType::Set => register(core, host, peer, state, payload).await,
        _ => Ok(Some(form::empty())),
    }
}

/// XEP-0445 §4: is the token good? It is not used up by that.
async fn preauth(core: &Core, host: &Jid, peer: IpAddr, state: &mut RegistrationState, payload: &Element) -> IqResult {
    let token = payload.get_attr("token").filter(|token| !token.is_empty()).ok_or_else(StanzaError::bad_request)?;
    let guesses = Limited::guesses(core, peer);
    guesses.check(core)?;
    let found = invitations::find_for_account(core, token, host.domain()).await.map_err(refused("invitation"))?;
    if found.is_none() {
        guesses.take(core)?;
        return Err(StanzaError::item_not_found().with_text("The provided token is invalid or expired"));
    }
    state.invitation = found;
    Ok(None)
}

/// XEP-0077 §3.1.
async fn register(
    core: &Arc<Core>,
    host: &Jid,
    peer: IpAddr,
    state: &mut RegistrationState,
    query: &Element,
) -> IqResult {
    let (username, password) = match Wish::read(query)? {
        Wish::Keys { username: Some(username), password: Some(password) } => (username, password),
        Wish::Keys { .. } => {
            return Err(StanzaError::not_acceptable().with_text("a username and a password are needed"));
        }
        // §3.2: nobody is registered on this stream.
        Wish::Remove => return Err(StanzaError::unexpected_request()),
    };
    let jid = BareJid::new(Some(&username), host.domain())
        .map_err(|_| StanzaError::not_acceptable().with_text("no account can have this name"))?;
    if let Some(invitation) = &state.invitation {
        let made = register_invited(core, &jid, peer, password, invitation).await;
        if matches!(made, Err(Refused::Op(OpError::InviteGone))) {
            state.invitation = None;
        }
        made?;
    } else {
        register_openly(core, &jid, peer, password).await?;
        core.counters.registrations.fetch_add(1, Ordering::Relaxed);
    }
    Ok(None)
}

/// Why an invited person got no account.
#[derive(Debug)]
pub enum Refused {
    /// The address has tried too often.
    TooOften,
    /// The account cannot be made.
    Op(OpError),
}

impl From<Refused> for StanzaError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooOften => too_often(),
            Refused::Op(error) => error.into(),
        }
    }
}

/// Makes the account of somebody who is invited. What fails for the name's sake counts: an invitation is no list of who is
/// here. `false`: there is no contact of the inviter's.
pub async fn register_invited(
    core: &Arc<Core>,
    jid: &BareJid,
    peer: IpAddr,
    password: String,
    invitation: &Invitation,
) -> Result<bool, Refused> {
    let asked = Limited::names(core, peer).begin(core).map_err(|_| Refused::TooOften)?;
    let made = invitations::create_account(core, jid, password, invitation).await;
    asked.settle(matches!(made, Err(OpError::Exists | OpError::Reserved)));
    if made.is_ok() {
        core.counters.registrations.fetch_add(1, Ordering::Relaxed);
    }
    made.map_err(Refused::Op)
}

/// Without an invitation each address has its limits: on accounts, and on asking which names are taken.
async fn register_openly(core: &Arc<Core>, jid: &BareJid, peer: IpAddr, password: String) -> Result<(), StanzaError> {
    if core.config().limits.is_exempt(peer) {
        return Ok(ops::create_account(core, jid, password).await?);
    }
    let (accounts, names) = (Limited::accounts(core, peer), Limited::names(core, peer));
    accounts.check(core)?;
    let asked = names.begin(core)?;
    let exists = ops::exists(core, jid).await;
    asked.settle(matches!(exists, Ok(true)));
    if exists? {
        return Err(OpError::Exists.into());
    }
    // Counted before the slow part: many connections of one address must not get through together.
    accounts.take(core)?;
    Ok(ops::create_account(core, jid, password).await?)
}

// After login.

/// Is the request for the server that has the account, and is there an account to speak of?
fn home(call: &IqCall<'_>) -> Result<(), StanzaError> {
    let account = &call.client.account;
    if call.to.domain() != account.jid.domain() {
        return Err(StanzaError::service_unavailable());
    }
    if account.id.is_none() { Err(StanzaError::registration_required()) } else { Ok(()) }
}

/// §3.1: somebody who is registered learns that.
fn get(call: IqCall<'_>) -> Answer {
    let username = call.client.account.jid.local().unwrap_or_default();
    Answer::Now(home(&call).map(|()| Some(form::registered(username))))
}

fn set(call: IqCall<'_>) -> Answer {
    let (username, password) = match home(&call).and_then(|()| Wish::read(&call.payload)) {
        Err(error) => return Answer::error(error),
        Ok(Wish::Remove) => return remove(call),
        Ok(Wish::Keys { username, password }) => (username, password),
    };
    let (core, client) = (call.core.clone(), call.client.clone());
    match check_change(&client, username.as_deref(), password) {
        Err(error) => Answer::error(error),
        Ok(password) => Answer::later(async move {
            let changes = Allowance { attempts_max: PASSWORDS_PER_HOUR_MAX, window_ms: HOUR_MS, tracked_max: 10_000 };
            let own = client.account.jid.as_str();
            // Each change costs a processor milliseconds.
            if !core.attempts.take(Purpose::Password, own, changes, clock::monotonic_ms()) {
                return Err(too_often());
            }
            ops::set_password(&core, &client.account.jid, password, Some(&client.resource)).await?;
            Ok(None)
        }),
    }
}

/// §3.3: may the password be changed like that? Gives it back.
fn check_change(client: &Client, username: Option<&str>, password: Option<String>) -> Result<String, StanzaError> {
    let (Some(username), Some(password)) = (username, password) else {
        return Err(StanzaError::bad_request().with_text("a username and a password are needed"));
    };
    if !names(&client.account.jid, username) {
        return Err(StanzaError::not_allowed().with_text("this is not your own account"));
    }
    if !client.resource.encrypted && !client.resource.peer.is_loopback() {
        return Err(StanzaError::not_authorized().with_type(ErrorType::Modify).with_text("TLS is needed"));
    }
    Ok(password)
}

/// COMPAT: the username may be given as the whole address, as in the forms of §3.3.
fn names(own: &BareJid, username: &str) -> bool {
    let name = BareJid::new(Some(username), own.domain()).ok();
    name.as_ref() == Some(own) || BareJid::parse(username).is_ok_and(|jid| jid == *own)
}

/// §3.2: the answer goes out first, then the stream ends.
fn remove(call: IqCall<'_>) -> Answer {
    let (core, client, request) = (call.core.clone(), call.client.clone(), call.request.clone());
    Answer::SentLater(Box::pin(async move {
        match ops::delete_account(&core, &client.account.jid, Some(client.resource.clone())).await {
            Ok(()) => {
                client.send(Stanza::iq_result(&request, None));
                client.resource.outbox.close(CloseReason::AccountGone);
            }
            Err(error) => core.refuse(&client, &request, &error.into()),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xep_support::stanza::error::Condition;
    use xep_support::xml::check::StreamContext;

    fn checked(xml: &str) -> Result<IqType, Condition> {
        let host = Jid::parse("im.example").expect("a JID");
        let request = Stanza::parse(xml.as_bytes(), &StreamContext::client()).expect("an iq");
        check(&host, &request).map(|(kind, _)| kind).map_err(|error| error.condition)
    }

    #[test]
    fn what_is_a_request_before_login() {
        let query = "<query xmlns='jabber:iq:register'/>";
        let rows = [
            (format!("<iq type='get' id='1'>{query}</iq>"), Ok(IqType::Get)),
            (format!("<iq type='set' id='1' to='im.example'>{query}</iq>"), Ok(IqType::Set)),
            (format!("<iq type='get' id='1' to='other.example'>{query}</iq>"), Err(Condition::NotAllowed)),
            (format!("<iq type='get' id='1' to='juliet@im.example'>{query}</iq>"), Err(Condition::NotAllowed)),
            (format!("<iq type='get'>{query}</iq>"), Err(Condition::BadRequest)),
            (format!("<iq type='get' id='1'>{query}{query}</iq>"), Err(Condition::BadRequest)),
            (format!("<iq type='result' id='1'>{query}</iq>"), Err(Condition::BadRequest)),
            (format!("<iq id='1'>{query}</iq>"), Err(Condition::BadRequest)),
        ];
        for (xml, expected) in rows {
            assert_eq!(checked(&xml), expected, "{xml}");
        }
    }

    #[test]
    fn who_is_meant_by_a_username() {
        let own = BareJid::parse("bill@im.example").expect("a JID");
        for (username, meant) in [("bill", true), ("Bill", true), ("bill@im.example", true), ("will", false)] {
            assert_eq!(names(&own, username), meant, "{username}");
        }
        for stranger in ["", "bill@", "bill@other.example", "bill@im.example/globe", "im.example"] {
            assert!(!names(&own, stranger), "{stranger}");
        }
    }
}

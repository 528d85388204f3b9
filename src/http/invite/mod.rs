//! The landing page of an invitation (XEP-0401 §5.2, XEP-0379 §3.3), and the form by which somebody without a client makes
//! the account. Its path has the token, so that nothing but links and forms is needed; a page with a token is kept nowhere.

pub(super) mod apps;
mod page;
mod register;

use super::layout::Page;
use super::reply::Reply;
use super::routes::Call;
use crate::clock;
use crate::config::RegistrationMode;
use crate::core::Core;
use crate::extension::BoxFuture;
use crate::ops::invitations;
use crate::storage::Invite;
use crate::xep::register::Limited;
use hyper::{Method, StatusCode};
use std::net::IpAddr;

/// Below it: a token, and perhaps [`FORM`].
pub const PATH: &str = "/invite/";
/// Behind the token: the form.
const FORM: &str = "/register";
/// More than any token of ours, and those of before.
const TOKEN_BYTES_MAX: usize = 64;

/// Why there is nothing to be had with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// There is no such invitation; perhaps it was withdrawn.
    Unknown,
    /// Its time is over.
    Expired,
    /// Others have used it.
    UsedUp,
    /// The server makes no accounts any more.
    Closed,
    /// The address has tried too many that are none.
    TooOften,
    /// The database cannot be read.
    Failed,
}

/// An invitation that can be used, as a page shows it.
struct Shown {
    invite: Invite,
    links: invitations::Links,
    /// Can an account be made with it now?
    has_account: bool,
    /// May a password be typed into a form? Not if it would go over the wire in the clear.
    is_safe: bool,
}

/// Answers everything below [`PATH`].
pub fn serve(call: Call) -> BoxFuture<Reply> {
    Box::pin(async move {
        let (token, is_form) = match call.rest.strip_suffix(FORM) {
            Some(token) => (token, true),
            None => (call.rest.as_str(), false),
        };
        let found = find(&call.web.core, call.client.address, token).await;
        let invite = match found {
            Ok(invite) => invite,
            Err(ended) => return page::ended(ended).private().reply(),
        };
        let shown = Shown::new(&call, invite);
        let is_post = *call.request.method() == Method::POST;
        let page = match (is_form, is_post) {
            (false, false) => page::landing(&shown, &call),
            (false, true) => not_a_form(),
            (true, _) if !shown.has_account => page::ended(Ended::Closed),
            (true, _) if !shown.is_safe => page::unsafe_way(&shown),
            (true, false) => page::form(&shown, "", None),
            (true, true) => register::submitted(call, shown).await,
        };
        page.private().reply()
    })
}

fn not_a_form() -> Page {
    page::short("This cannot be done here", "Please go back to the invitation.").status(StatusCode::METHOD_NOT_ALLOWED)
}

/// Guessing tokens is like guessing passwords.
async fn find(core: &Core, peer: IpAddr, token: &str) -> Result<Invite, Ended> {
    let guesses = Limited::guesses(core, peer);
    guesses.check(core).map_err(|_| Ended::TooOften)?;
    let is_token = !token.is_empty()
        && token.len() <= TOKEN_BYTES_MAX
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let found = match is_token {
        true => core.storage.invite_get(token).await.map_err(|error| {
            tracing::error!(%error, "invitation not read");
            Ended::Failed
        })?,
        false => None,
    };
    let Some(invite) = found else {
        guesses.take(core).map_err(|_| Ended::TooOften)?;
        return Err(Ended::Unknown);
    };
    if invite.uses_left == 0 {
        return Err(Ended::UsedUp);
    }
    if !invite.is_good(clock::now_micros()) {
        return Err(Ended::Expired);
    }
    let is_closed = core.config().registration.mode == RegistrationMode::Closed;
    if is_closed && !invite.kind.is_for_contact() { Err(Ended::Closed) } else { Ok(invite) }
}

impl Shown {
    fn new(call: &Call, invite: Invite) -> Self {
        let core = &call.web.core;
        let is_open = core.config().registration.mode != RegistrationMode::Closed;
        let links = invitations::links(core, &invite);
        let has_account = is_open && invite.kind.is_for_account();
        Self { has_account, is_safe: call.may_take_password(), links, invite }
    }
}

//! What comes back from the form. The token in its path is what makes it good: no cookie is involved, so no other page can
//! have it sent in somebody's name.

use super::{Ended, Shown, page};
use crate::clock;
use crate::http::layout::Page;
use crate::http::routes::Call;
use crate::ops::OpError;
use crate::ops::invitations::Invitation;
use crate::xep::register::{self, Refused};
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap};
use hyper::{Request, StatusCode};
use percent_encoding::percent_decode_str;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use xep_support::jid::BareJid;

/// Three fields of generous length, each byte written as three.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// A form is sent in one go.
const BODY_SECONDS_MAX: Duration = Duration::from_secs(20);
/// Fewer are guessed.
const PASSWORD_CHARS_MIN: usize = 8;

/// Makes the account, or says in the form why not.
pub(super) async fn submitted(call: Call, shown: Shown) -> Page {
    let Call { web, request, client, .. } = call;
    let user_agent = text(request.headers(), header::USER_AGENT.as_str()).unwrap_or_default().to_owned();
    let fields = match read(request).await {
        Ok(fields) => fields,
        Err(status) => {
            return page::short("This form cannot be read", "Please go back and fill it in again.").status(status);
        }
    };
    let typed = fields.username.as_str();
    let again = |status: StatusCode, text: &str| page::form(&shown, typed, Some(text)).status(status);
    let jid = match check(&shown, &fields) {
        Ok(jid) => jid,
        Err(text) => return again(StatusCode::UNPROCESSABLE_ENTITY, text),
    };
    let invitation = Invitation { invite: shown.invite.clone(), accepted_us: clock::now_micros() };
    let made = register::register_invited(&web.core, &jid, client.address, fields.password.clone(), &invitation);
    match made.await {
        Ok(has_contact) => {
            let has_chat = web.core.site.client.load().is_some();
            page::welcome(&shown, jid.local().unwrap_or_default(), &user_agent, has_contact, has_chat)
        }
        Err(Refused::TooOften) => {
            again(StatusCode::TOO_MANY_REQUESTS, "Too many attempts from your network. Please try again in an hour.")
        }
        Err(Refused::Op(error)) => match refusal(&error) {
            Some((status, text)) => again(status, &text),
            None => page::ended(Ended::UsedUp),
        },
    }
}

/// `None`: the invitation is over.
fn refusal(error: &OpError) -> Option<(StatusCode, String)> {
    let unacceptable = |text: &str| Some((StatusCode::UNPROCESSABLE_ENTITY, text.to_owned()));
    match error {
        OpError::InviteGone => None,
        OpError::Exists | OpError::Reserved => {
            Some((StatusCode::CONFLICT, "This name is taken. Please choose another one.".to_owned()))
        }
        OpError::BadName(_) | OpError::NotServed | OpError::NotFound => unacceptable(BAD_NAME),
        OpError::OtherName(name) => unacceptable(&format!("This invitation is for the name {name}.")),
        OpError::BadPassword(_) => unacceptable("This password cannot be used. Please choose another one."),
        OpError::Storage(error) => {
            tracing::error!(%error, "account not made");
            let text = "The account cannot be made at the moment. Please try again in some minutes.";
            Some((StatusCode::SERVICE_UNAVAILABLE, text.to_owned()))
        }
    }
}

const BAD_NAME: &str = "No account can have this name. Letters, digits, dots, dashes and underscores are fine.";

/// What can be said without asking anybody.
fn check(shown: &Shown, fields: &Fields) -> Result<BareJid, &'static str> {
    let domain = &shown.invite.domain;
    let name = fields.username.trim();
    // Somebody typed the whole address.
    let name = name.strip_suffix(domain.as_str()).and_then(|rest| rest.strip_suffix('@')).unwrap_or(name);
    if name.is_empty() {
        return Err("Please choose a name.");
    }
    let jid = BareJid::new(Some(name), domain).map_err(|_| BAD_NAME)?;
    if fields.password != fields.again {
        return Err("These were two different passwords.");
    }
    if fields.password.chars().count() < PASSWORD_CHARS_MIN {
        return Err("The password is too short: please take at least 8 characters.");
    }
    Ok(jid)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Fields {
    username: String,
    password: String,
    again: String,
}

async fn read(request: Request<Incoming>) -> Result<Fields, StatusCode> {
    let headers = request.headers();
    let kind = text(headers, "content-type").map(|kind| kind.split(';').next().unwrap_or_default().trim());
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    // Browsers say whose page a form was on; only this server's own are expected.
    if text(headers, "sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(StatusCode::FORBIDDEN);
    }
    let body = tokio::time::timeout(BODY_SECONDS_MAX, collect(request.into_body()));
    let body = body.await.map_err(|_| StatusCode::REQUEST_TIMEOUT)??;
    Fields::parse(&body).ok_or(StatusCode::BAD_REQUEST)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

async fn collect(mut body: Incoming) -> Result<Vec<u8>, StatusCode> {
    let mut all = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let Ok(data) = frame.into_data() else { continue };
        if all.len() + data.len() > BODY_BYTES_MAX {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        all.extend_from_slice(&data);
    }
    Ok(all)
}

impl Fields {
    /// `application/x-www-form-urlencoded` (URL standard §5.1); `None`: not UTF-8, or a field twice.
    fn parse(body: &[u8]) -> Option<Self> {
        let body = std::str::from_utf8(body).ok()?;
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8().ok().map(|text| text.into_owned())
        };
        let (mut username, mut password, mut again) = (None, None, None);
        for pair in body.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let field = match decoded(name)?.as_str() {
                "username" => &mut username,
                "password" => &mut password,
                "again" => &mut again,
                _ => continue,
            };
            if field.replace(decoded(value)?).is_some() {
                return None;
            }
        }
        let (username, password, again): (Option<String>, Option<String>, Option<String>) = (username, password, again);
        Some(Self {
            username: username.unwrap_or_default(),
            password: password.unwrap_or_default(),
            again: again.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_as_browsers_send_it() {
        let parsed = Fields::parse(b"username=d%27artagnan&password=a+b%2Bc%26&again=%C3%BC&other=1").expect("a form");
        let expected = Fields { username: "d'artagnan".into(), password: "a b+c&".into(), again: "\u{fc}".into() };
        assert_eq!(parsed, expected);
        assert_eq!(Fields::parse(b""), Some(Fields::default()));
        for bad in [&b"username=%ff"[..], b"\xff", b"password=a&password=b"] {
            assert_eq!(Fields::parse(bad), None);
        }
    }
}

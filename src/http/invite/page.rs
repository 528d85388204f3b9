//! The pages of an invitation. What is put into the HTML is escaped where it is put.

use super::{Ended, FORM, Shown, apps};
use crate::http::chat;
use crate::http::layout::{self, Page, escape};
use crate::http::routes::Call;
use crate::ops::invitations;
use crate::qr::Picture;
use hyper::StatusCode;
use hyper::header;
use std::fmt::Write as _;
use xep_support::formats::date::{self, Precision};

/// A page with nothing but a heading and a paragraph.
pub(super) fn short(heading: &str, text: &str) -> Page {
    let (h1, p) = (escape(heading), escape(text));
    Page::new(heading, format!("<h1>{h1}</h1>\n<section>\n<p>{p}</p>\n</section>\n"))
}

/// Nothing is to be had with the link.
pub(super) fn ended(why: Ended) -> Page {
    let (status, heading, text) = match why {
        Ended::Unknown => (
            StatusCode::NOT_FOUND,
            "This invitation does not exist",
            "Perhaps the link was cut off on its way, or the invitation was withdrawn. Please ask whoever sent it to you \
             for another one.",
        ),
        Ended::Expired => (
            StatusCode::GONE,
            "This invitation has expired",
            "It was good for a limited time, which is over. Please ask whoever sent it to you for another one.",
        ),
        Ended::UsedUp => (
            StatusCode::GONE,
            "This invitation has been used",
            "Each invitation can be used so many times and no more. If it was you who used it, everything is fine: log in \
             with your chat app. If not, please ask whoever sent it to you for another one.",
        ),
        Ended::Closed => (
            StatusCode::FORBIDDEN,
            "No new accounts at the moment",
            "Whoever runs this server does not let new accounts be made now. Please ask whoever sent you the link.",
        ),
        Ended::TooOften => (
            StatusCode::TOO_MANY_REQUESTS,
            "Please wait a while",
            "Too many invitations that do not exist were asked for from your network. Please try again in some minutes.",
        ),
        Ended::Failed => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Something went wrong",
            "The invitation cannot be looked up at the moment. Please try again in some minutes.",
        ),
    };
    short(heading, text).status(status)
}

/// The page the link leads to.
pub(super) fn landing(shown: &Shown, call: &Call) -> Page {
    let user_agent = call.request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let (title, introduction) = introduction(shown);
    let mut main = introduction;
    let uri = escape(&shown.links.uri);
    let _ = write!(
        main,
        "<section>\n<h2>Do you have a chat app for XMPP?</h2>\n<p><a class=\"button\" href=\"{uri}\">Open the invitation</a></p>\n\
         <p class=\"soft\">If nothing happens, there is no such app on this device yet: get one first.</p>\n</section>\n\
         <section>\n<h2>Get an app</h2>\n<p>Install one, come back to this page, and open the invitation with the button \
         above.</p>\n{}</section>\n",
        apps::list(user_agent.unwrap_or_default())
    );
    if shown.has_account && shown.is_safe {
        let form = escape(&format!("{}{FORM}", shown.invite.token));
        let _ = write!(
            main,
            "<section>\n<h2>No app yet?</h2>\n<p>You can make your account here, and choose an app later.</p>\n\
             <p><a class=\"button quiet\" href=\"{form}\">Make an account in the browser</a></p>\n</section>\n"
        );
    }
    if let Some(picture) = shown.links.landing.as_deref().and_then(Picture::new) {
        let _ = write!(
            main,
            "<section class=\"wide\">\n<h2>Continue on your phone</h2>\n<p>Point its camera at this code: it leads to \
             this page.</p>\n{}\n</section>\n",
            picture.svg("QR code of this page")
        );
    }
    main.push_str(&small_print(shown));
    Page::new(title, main)
}

/// Who invites, and where to.
fn introduction(shown: &Shown) -> (String, String) {
    let domain = escape(&shown.invite.domain);
    let Some(inviter) = &shown.invite.inviter else {
        let name = shown.invite.username.as_ref();
        let address = name.map(|name| format!(" Your address will be <b>{}@{domain}</b>.", escape(name)));
        let html = format!(
            "<h1>You are invited to {domain}</h1>\n<p class=\"lead\">{domain} is a server for chat, and with this \
             invitation you can make an account there.{}</p>\n",
            address.unwrap_or_default()
        );
        return (format!("Invitation to {}", shown.invite.domain), html);
    };
    let jid = escape(&inviter.jid);
    let name = inviter.jid.split_once('@').map_or(inviter.jid.as_str(), |(local, _)| local);
    let what = match (shown.has_account, shown.invite.kind.is_for_contact()) {
        (true, true) => format!(
            "With this invitation you become contacts. If you have no account for chat yet, it lets you make one at \
             <b>{domain}</b>."
        ),
        (true, false) => format!("With this invitation you make an account at <b>{domain}</b> and become contacts."),
        (false, _) => "With this invitation you become contacts.".to_owned(),
    };
    let html = format!(
        "<h1>{} invites you to chat</h1>\n<p class=\"lead\"><b>{jid}</b> would like to chat with you. {what}</p>\n",
        escape(name)
    );
    (format!("{name} invites you to chat"), html)
}

fn small_print(shown: &Shown) -> String {
    let invite = &shown.invite;
    let uses = match invite.uses_left {
        1 => "once".to_owned(),
        uses => format!("{uses} times"),
    };
    let stranger = if invite.inviter.is_some() { " If you do not know who invites you, close this page." } else { "" };
    format!(
        "<p class=\"soft\">The invitation can be used {uses}, until {}.{stranger} XMPP is chat the way e-mail is mail: \
         there are many servers and many apps, and they understand each other.</p>\n",
        moment(invite.expires_us)
    )
}

/// `2026-11-27 16:22 UTC`
fn moment(micros: i64) -> String {
    let text = date::format(micros, Precision::Seconds);
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", time.get(..5).unwrap_or_default())
}

/// A password must not go over the wire in the clear.
pub(super) fn unsafe_way(shown: &Shown) -> Page {
    let link = shown.links.landing.as_deref().filter(|link| link.starts_with("https://"));
    let link = link.map(|link| format!("{link}{FORM}"));
    layout::unsafe_way(link.as_deref(), "Please use an app.")
}

/// The form; with what was typed and what was wrong with it.
pub(super) fn form(shown: &Shown, typed: &str, wrong: Option<&str>) -> Page {
    let domain = escape(&shown.invite.domain);
    let wrong_html = wrong.map(|text| format!("<p class=\"bad\" role=\"alert\" id=\"wrong\">{}</p>\n", escape(text)));
    let described = if wrong.is_some() { " aria-describedby=\"wrong\"" } else { "" };
    let name = match &shown.invite.username {
        Some(name) => format!(
            "<p>Your address will be <b>{0}@{domain}</b>.</p>\n\
             <input type=\"hidden\" name=\"username\" value=\"{0}\" autocomplete=\"username\">\n",
            escape(name)
        ),
        None => format!(
            "<label for=\"username\">Name</label>\n<div class=\"suffix\"><input id=\"username\" name=\"username\" \
             value=\"{}\" required maxlength=\"255\" autocomplete=\"username\" autocapitalize=\"none\" autocorrect=\"off\" \
             spellcheck=\"false\"{described}><span>@{domain}</span></div>\n",
            escape(typed)
        ),
    };
    let main = format!(
        "<h1>Make your account at {domain}</h1>\n<section>\n{}<form method=\"post\" action=\"register\">\n{name}\
         <label for=\"password\">Password</label>\n<input id=\"password\" name=\"password\" type=\"password\" required \
         minlength=\"8\" autocomplete=\"new-password\">\n<label for=\"again\">The same password again</label>\n\
         <input id=\"again\" name=\"again\" type=\"password\" required minlength=\"8\" autocomplete=\"new-password\">\n\
         <p class=\"soft\">At least 8 characters. Nobody can tell you your password if you forget it: keep it somewhere \
         safe.</p>\n<button type=\"submit\">Make the account</button>\n</form>\n</section>\n\
         <p class=\"soft\"><a href=\"../{}\">Back to the invitation</a></p>\n",
        wrong_html.unwrap_or_default(),
        escape(&shown.invite.token)
    );
    let heading = if wrong.is_some() { "Not yet: make your account at" } else { "Make your account at" };
    Page::new(format!("{heading} {}", shown.invite.domain), main).with_form()
}

/// The account is there. `has_contact`: so is the inviter in its roster; `has_chat`: so is a web client.
pub(super) fn welcome(shown: &Shown, local: &str, user_agent: &str, has_contact: bool, has_chat: bool) -> Page {
    let jid = format!("{local}@{}", shown.invite.domain);
    let contact = shown.invite.inviter.as_ref().filter(|_| has_contact).map(|inviter| {
        let uri = format!(
            "xmpp:{}",
            inviter.jid.split_once('@').map_or_else(
                || invitations::encoded(None, &inviter.jid),
                |(local, domain)| invitations::encoded(Some(local), domain),
            )
        );
        format!("<p><a href=\"{}\">{}</a> is in your contacts.</p>\n", escape(&uri), escape(&inviter.jid))
    });
    // Relative to the form: in front of the server there may be a path of a proxy's.
    let chat = format!("<p><a class=\"button\" href=\"../..{}\">Chat in the browser</a></p>\n", chat::PATH);
    let main = format!(
        "<h1>Welcome!</h1>\n<section>\n<p class=\"good\" role=\"status\">Your account is made.</p>\n\
         <p>Your address is <b>{}</b>. Tell it your friends as you would an e-mail address.</p>\n{}{}</section>\n\
         <section>\n<h2>Get an app</h2>\n<p>Give it your address and your password. There is nothing else to set.</p>\n{}\
         </section>\n",
        escape(&jid),
        contact.unwrap_or_default(),
        if has_chat { chat.as_str() } else { "" },
        apps::list(user_agent)
    );
    Page::new(format!("Welcome to {}", shown.invite.domain), main).status(StatusCode::CREATED)
}

//! Pages for people.

use super::reply::{self, Reply};
use super::routes::Call;
use crate::core::Core;
use crate::extension::BoxFuture;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use sha2::{Digest, Sha256};
use xep_support::xml::writer::escape_attr;

const STYLE: &str = "body{font:1.1em/1.5 system-ui,sans-serif;max-width:36em;margin:3em auto;padding:0 1em;\
    color:#222;background:#fff}code{background:#eee;padding:.1em .3em}\
    @media(prefers-color-scheme:dark){body{color:#ddd;background:#111}code{background:#333}a{color:#8cf}}";

/// `/` says what this server is.
pub fn front(call: Call) -> BoxFuture<Reply> {
    Box::pin(async move {
        let mut reply = reply::text(StatusCode::OK, "text/html; charset=utf-8", front_page(&call.web.core));
        // The page's own style and nothing else, named by its hash (CSP §2.3.1).
        let style = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        );
        if let Ok(policy) = HeaderValue::try_from(policy) {
            reply.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        reply
    })
}

fn front_page(core: &Core) -> String {
    let escaped = |text: &str| {
        let mut out = String::new();
        escape_attr(&mut out, text);
        out
    };
    let domains: Vec<String> = core.hosts.iter().map(|host| format!("<b>{}</b>", escaped(host.jid.as_str()))).collect();
    let first = escaped(core.hosts.first().jid.as_str());
    let config = core.config();
    let contact = config.contact.support.iter().chain(&config.contact.admin).chain(&config.contact.abuse).next();
    let contact = contact.map_or(String::new(), |uri| {
        let uri = escaped(uri);
        format!("<p>Questions go to <a href=\"{uri}\">{uri}</a>.</p>\n")
    });
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Chat at {first}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>Chat at {first}</h1>\n\
         <p>This is an XMPP server for {}. XMPP, also called Jabber, is chat the way e-mail is mail: there are many servers, \
         many programs, and an address such as <code>you@{first}</code>.</p>\n\
         <p>If you have an account here, take any program of <a href=\"https://xmpp.org/software/\">this list</a>, for \
         your phone or your computer, and give it your address and your password. There is nothing else to set.</p>\n\
         {contact}</body>\n</html>\n",
        domains.join(", ")
    )
}

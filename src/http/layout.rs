//! What all pages for people have in common: the frame around them, the style, and the headers that keep a page to itself.
//! A page loads nothing from anywhere: its style stands in it, named by its hash (CSP §2.3.1).

use super::reply::{self, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use xep_support::xml::writer::escape_attr;

const STYLE: &str = include_str!("style.css");
/// How the policy names the style.
static STYLE_SOURCE: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(STYLE))));
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// Text as it stands in HTML, between tags or in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_attr(&mut out, text);
    out
}

/// A page for people.
pub struct Page {
    status: StatusCode,
    title: String,
    main: String,
    head: String,
    policy: Vec<String>,
    has_form: bool,
    is_private: bool,
}

impl Page {
    /// A page with this title, which is text, and this content, which is HTML: what is put into it went through [`escape`].
    pub fn new(title: impl Into<String>, main: impl Into<String>) -> Self {
        Self {
            status: StatusCode::OK,
            title: title.into(),
            main: main.into(),
            head: String::new(),
            policy: Vec::new(),
            has_form: false,
            is_private: false,
        }
    }

    /// Answered with this status.
    #[must_use]
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// More HTML for the head: a style sheet or a script of ours, say.
    #[must_use]
    pub fn head(mut self, html: &str) -> Self {
        self.head.push_str(html);
        self
    }

    /// One more directive of the Content-Security-Policy: `"script-src 'self'"`. Nothing is allowed but what is named.
    #[must_use]
    pub fn allow(mut self, directive: impl Into<String>) -> Self {
        self.policy.push(directive.into());
        self
    }

    /// A form on it comes back to this server.
    #[must_use]
    pub fn with_form(self) -> Self {
        Self { has_form: true, ..self }
    }

    /// Its address is a secret, or what it says is for one person: nobody keeps a copy of it or lists it.
    #[must_use]
    pub fn private(self) -> Self {
        Self { is_private: true, ..self }
    }

    /// The answer.
    pub fn reply(self) -> Reply {
        let robots = if self.is_private { "<meta name=\"robots\" content=\"noindex, nofollow\">\n" } else { "" };
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             {robots}<title>{}</title>\n<style>{STYLE}</style>\n{}</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
            escape(&self.title),
            self.head,
            self.main
        );
        let mut reply = reply::text(self.status, "text/html; charset=utf-8", html);
        let form = if self.has_form { "'self'" } else { "'none'" };
        let mut policy = format!(
            "default-src 'none'; style-src {}; frame-ancestors 'none'; base-uri 'none'; form-action {form}",
            *STYLE_SOURCE
        );
        for directive in &self.policy {
            policy.push_str("; ");
            policy.push_str(directive);
        }
        if let Ok(policy) = HeaderValue::try_from(policy) {
            reply.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        if self.is_private {
            reply::set(&mut reply, header::CACHE_CONTROL, "no-store");
            reply::set(&mut reply, ROBOTS, "noindex, nofollow");
        }
        reply
    }
}

/// Instead of a page into which a password would be typed, when it would go over the wire in the clear: where to go instead.
pub fn unsafe_way(link: Option<&str>, otherwise: &str) -> Page {
    let main = match link {
        Some(link) => format!("<p>It has to be encrypted: <a href=\"{0}\">{0}</a>.</p>", escape(link)),
        None => format!("<p>It is not encrypted. {}</p>", escape(otherwise)),
    };
    let heading = "This way no password should go";
    Page::new(heading, format!("<h1>{heading}</h1>\n<section>\n{main}\n</section>\n")).status(StatusCode::FORBIDDEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(escape("<b> & \"x\" 'y'"), "&lt;b&gt; &amp; &quot;x&quot; &apos;y&apos;");
    }

    #[test]
    fn a_page_allows_what_it_names_and_nothing_else() {
        let policy = |page: Page| {
            let reply = page.reply();
            let value = reply.headers().get(header::CONTENT_SECURITY_POLICY).expect("a policy");
            value.to_str().expect("text").to_owned()
        };
        let plain = policy(Page::new("a", ""));
        assert!(plain.starts_with("default-src 'none'; style-src 'sha256-") && plain.ends_with("form-action 'none'"));
        let more = policy(Page::new("a", "").with_form().allow("script-src 'self'"));
        assert!(more.ends_with("form-action 'self'; script-src 'self'"), "{more}");
    }

    #[test]
    fn a_private_page_is_kept_nowhere() {
        let reply = Page::new("a", "").private().status(StatusCode::GONE).reply();
        assert_eq!(reply.status(), StatusCode::GONE);
        assert_eq!(reply.headers().get(header::CACHE_CONTROL).map(HeaderValue::as_bytes), Some(&b"no-store"[..]));
        assert!(Page::new("a", "").reply().headers().get(header::CACHE_CONTROL).is_none());
    }
}

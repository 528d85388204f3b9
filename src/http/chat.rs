//! `/chat`: the page of the web client, and the files it loads. The page knows this server and nobody else, and its policy
//! lets it reach nobody else: what strangers send may name what it likes.

use super::layout::{self, Page, escape};
use super::reply::{self, Reply};
use super::routes::Call;
use super::{host_meta, reply::Body, upload};
use crate::config::RegistrationMode;
use crate::extension::BoxFuture;
use crate::web_client::{self, Content};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Response, StatusCode};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Where the page is.
pub const PATH: &str = "/chat";
/// Where its files are.
pub const FILES: &str = "/chat/";
/// Those of Converse.js.
const DIST: &str = "dist/";

/// Our own script: what Converse.js is to do here.
const START: &str = include_str!("chat/start.js");
static START_TAG: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(START);
    format!("\"{}\"", digest[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
});

/// Domains whose uploads the policy names; a header has an end.
const ORIGINS_MAX: usize = 20;

/// The page.
pub fn page(call: Call) -> BoxFuture<Reply> {
    Box::pin(async move {
        if call.web.core.site.client.load().is_none() {
            return absent();
        }
        // Who can read a password on its way can put another script into the page as well.
        if !call.may_take_password() {
            return elsewhere(&call);
        }
        client(&call)
    })
}

/// The same page by HTTPS, as far as anybody knows where that is.
fn elsewhere(call: &Call) -> Reply {
    let core = &call.web.core;
    let base = core.site.base_url(&core.config().http, &host_meta::domain(call));
    let link = base.filter(|base| base.starts_with("https://")).map(|base| format!("{base}{PATH}"));
    layout::unsafe_way(link.as_deref(), "Please use another program.").reply()
}

/// Nobody has installed it. Who asks may be the operator.
fn absent() -> Reply {
    let main = "<h1>No web client here</h1>\n\
        <p>This server has none. With an account here, use <a href=\"./\">any other program</a>.</p>\n\
        <section>\n<h2>Is this your server?</h2>\n\
        <p>Two commands put Converse.js here, which is fetched from npm once:</p>\n\
        <p><code>magpie chat install</code></p>\n<p><code>magpie reload</code></p>\n\
        <p class=\"soft\">If it is installed, the log says what is wrong with it.</p>\n</section>\n";
    Page::new("No web client here", main).status(StatusCode::NOT_FOUND).reply()
}

fn client(call: &Call) -> Reply {
    let core = &call.web.core;
    let config = core.config();
    let domain = host_meta::domain(call);
    let is_asked = call.host().is_some_and(|host| host_meta::is_same(&domain, host));
    let is_only = core.hosts.iter().nth(1).is_none();
    // With several domains behind one name anybody may log in who gives the whole address.
    let is_locked = is_only || is_asked;
    let served: Vec<String> = match is_locked {
        true => vec![domain.clone()],
        false => core.hosts.iter().take(ORIGINS_MAX).map(|host| host.jid.to_string()).collect(),
    };
    let mut origins: Vec<String> =
        served.iter().filter_map(|domain| core.site.base_url(&config.http, domain)).map(|url| origin(&url)).collect();
    origins.dedup();
    let media: Vec<&str> = origins.iter().map(|origin| hostname(origin)).chain(call.host()).collect();
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>Chat at {domain}</title>\n\
         <link rel=\"icon\" href=\"chat/dist/images/favicon.ico\">\n\
         <link rel=\"stylesheet\" href=\"chat/dist/{style}\">\n\
         <script type=\"module\" src=\"chat/dist/{script}\"></script>\n\
         <script type=\"module\" src=\"chat/start.js\"></script>\n</head>\n\
         <body class=\"converse-fullscreen\" data-domain=\"{domain}\" data-locked=\"{locked}\" \
         data-registration=\"{registration}\" data-media=\"{media}\">\n\
         <noscript><p>This page is a program in JavaScript, which is turned off here.</p></noscript>\n</body>\n</html>\n",
        domain = escape(&domain),
        style = web_client::STYLE,
        script = web_client::SCRIPT,
        locked = if is_locked { "yes" } else { "" },
        registration = if config.registration.mode == RegistrationMode::Open { "open" } else { "closed" },
        media = escape(&media.join(" ")),
    );
    let mut reply = reply::text(StatusCode::OK, "text/html; charset=utf-8", html);
    reply::set(&mut reply, header::CACHE_CONTROL, "no-cache");
    if let Ok(policy) = HeaderValue::try_from(policy(&origins)) {
        reply.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    reply
}

/// What the page may do. Scripts are ours alone, and none stands in the page; the arithmetic of OMEMO is WebAssembly. Styles:
/// Converse.js writes `style` attributes. Pictures: `blob:` for what was decrypted, `data:` for avatars. Connections go
/// here, and to where this server's uploads are.
fn policy(origins: &[String]) -> String {
    let uploads = origins.join(" ");
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; font-src 'self'; \
         img-src 'self' data: blob: {uploads}; media-src 'self' data: blob: {uploads}; connect-src 'self' {uploads}; \
         worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    format!("{scheme}://{}", rest.split('/').next().unwrap_or_default())
}

fn hostname(origin: &str) -> &str {
    super::routes::without_port(origin.split_once("://").map_or(origin, |(_, host)| host))
}

/// A file below it.
pub fn file(call: Call) -> BoxFuture<Reply> {
    Box::pin(async move {
        if call.rest.is_empty() {
            let mut reply = reply::empty(StatusCode::PERMANENT_REDIRECT);
            reply::set(&mut reply, header::LOCATION, "../chat");
            return reply;
        }
        let client = call.web.core.site.client.load_full();
        let nothing = || reply::refusal(StatusCode::NOT_FOUND, "there is nothing here");
        let Some(client) = client else { return nothing() };
        if call.rest == "start.js" {
            return answer(&call, "text/javascript; charset=utf-8", START.into(), &START_TAG);
        }
        let Some(asset) = call.rest.strip_prefix(DIST).and_then(|name| client.get(name)) else { return nothing() };
        let zipped = asset.gzip.as_ref().filter(|_| takes_gzip(call.request.headers()));
        let content: &Content = zipped.unwrap_or(&asset.plain);
        match content.read().await {
            Ok((bytes, tag)) => {
                let mut reply = answer(&call, asset.media_type, bytes.clone(), tag);
                if zipped.is_some() && reply.status() == StatusCode::OK {
                    reply::set(&mut reply, header::CONTENT_ENCODING, "gzip");
                }
                if asset.gzip.is_some() {
                    reply::set(&mut reply, header::VARY, "Accept-Encoding");
                }
                reply
            }
            Err(error) => {
                tracing::warn!(file = call.rest, %error, "file of the web client not served");
                nothing()
            }
        }
    })
}

/// For how long a browser need not ask whether a file is the same: not long, so that a new version is not mixed with an old
/// one; but libomemo fetches its arithmetic once for each of a hundred keys.
const FRESH: &str = "max-age=300";

/// A file, or the word that it is still the same.
fn answer(call: &Call, media_type: &'static str, bytes: bytes::Bytes, tag: &str) -> Reply {
    let known = call.request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_same = known.is_some_and(|known| upload::names(known, tag));
    let length = bytes.len();
    let mut reply = match is_same {
        true => reply::empty(StatusCode::NOT_MODIFIED),
        false if call.request.method() == Method::HEAD => {
            let mut reply = reply::empty(StatusCode::OK);
            reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            reply
        }
        false => Response::new(Body::full(bytes)),
    };
    if !is_same {
        reply::set(&mut reply, header::CONTENT_TYPE, media_type);
    }
    if let Ok(tag) = HeaderValue::try_from(tag) {
        reply.headers_mut().insert(header::ETAG, tag);
    }
    reply::set(&mut reply, header::CACHE_CONTROL, FRESH);
    reply
}

/// RFC 9110 §12.5.3: named, and not with a quality of nothing.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let is_nothing = |part: &str| {
            let quality = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            quality.is_some_and(|quality| quality.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0))
        };
        is_gzip && !parts.any(is_nothing)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_ask_for_it() {
        let rows = [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("deflate, br", false),
            ("gzip;q=0", false),
            ("gzip; q=0.000, br", false),
            ("*", false),
            ("gzippo", false),
        ];
        for (value, expected) in rows {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(takes_gzip(&headers), expected, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(origin("https://im.example:5443/x/y"), "https://im.example:5443");
        assert_eq!(hostname("https://im.example:5443"), "im.example");
        assert_eq!(hostname("https://im.example"), "im.example");
    }
}

//! What is served where: one table. An entry says who may ask and how; everything that is the same for all (methods that are
//! not allowed, `OPTIONS`, CORS, security headers) happens here.

use super::connection::Origin;
use super::forwarded::{self, Client};
use super::in_flight::{Asker, Forwarded, InFlight, Refused};
use super::reply::{self, Reply};
use super::watched::Watch;
use super::{Door, Web, bosh, chat, health, host_meta, invite, metrics, pages, upload, websocket};
use crate::c2s::negotiate::Way;
use crate::extension::BoxFuture;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode, Version};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use xep_support::ns;

/// Everything there is.
pub fn table() -> Vec<Route> {
    vec![
        Route::at("/", pages::front),
        Route::at(chat::PATH, chat::page),
        Route::below(chat::FILES, chat::file),
        Route::at("/.well-known/host-meta", host_meta::xrd).cors(&Cors::READ),
        Route::at("/.well-known/host-meta.json", host_meta::jrd).cors(&Cors::READ),
        Route::below(invite::PATH, invite::serve).methods(&["GET", "HEAD", "POST"]),
        Route::below(upload::PATH, upload::serve).methods(&["GET", "HEAD", "PUT"]).cors(&upload::CORS),
        Route::at(websocket::PATH, websocket::serve)
            .methods(&["GET", "CONNECT"])
            .alternative(ns::ALT_CONNECTIONS_WEBSOCKET, "wss"),
        Route::at(bosh::PATH, bosh::serve)
            .methods(&["POST"])
            .cors(&bosh::CORS)
            .alternative(ns::ALT_CONNECTIONS_BOSH, "https"),
        Route::at("/healthz", health::alive).for_operators(),
        Route::at("/readyz", health::ready).for_operators(),
        Route::at("/metrics", metrics::serve).for_operators(),
    ]
}

/// A request, and everything an answer may need. The body is still to be read.
pub struct Call {
    /// The server.
    pub web: Arc<Web>,
    /// The request.
    pub request: Request<Incoming>,
    /// Who asks.
    pub client: Client,
    /// Did it come encrypted, at least to a proxy of ours?
    pub is_secure: bool,
    /// What the path has behind that of the route.
    pub rest: String,
    /// Where it came in.
    pub origin: Origin,
    /// Its connection.
    pub watch: Arc<Watch>,
}

impl Call {
    /// The host the client thinks it asks, without port.
    pub fn host(&self) -> Option<&str> {
        let uri = self.request.uri().host();
        let header = || self.request.headers().get(header::HOST)?.to_str().ok().map(without_port);
        uri.or_else(header)
    }

    /// The host and port the client thinks it asks, as it wrote them.
    fn authority(&self) -> Option<&str> {
        let uri = self.request.uri().authority().map(|authority| authority.as_str());
        uri.or_else(|| self.request.headers().get(header::HOST)?.to_str().ok())
    }

    /// May a page be shown into which a password is typed? A proxy that does not tell how it was asked is the operator's
    /// business; nobody else's word is taken.
    pub fn may_take_password(&self) -> bool {
        let is_near = self.client.is_forwarded || self.client.address.is_loopback();
        self.is_secure || self.client.https.is_none() && is_near
    }

    /// May browsers be told to come by HTTPS from now on (RFC 6797)? They will do so on all ports of this host, so only if
    /// it is the host we are at in public, on the usual port.
    fn is_strict(&self) -> bool {
        let core = &self.web.core;
        let without_usual = |authority: &str| authority.strip_suffix(":443").unwrap_or(authority).to_ascii_lowercase();
        let base = || core.site.base_url(&core.config().http, &host_meta::domain(self));
        let is_base = |asked: &str| {
            let base = base().and_then(|base| base.strip_prefix("https://").map(str::to_owned));
            base.is_some_and(|base| {
                let authority = without_usual(base.split('/').next().unwrap_or_default());
                without_port(&authority) == authority && without_usual(asked) == authority
            })
        };
        self.is_secure && self.authority().is_some_and(is_base)
    }

    /// What protects the connection, up to the client.
    pub fn way(&self) -> Way {
        // The TLS of a proxy is not the client's: there is nothing that a login could be bound to.
        let is_direct = !self.client.is_forwarded && !self.client.is_hidden && self.client.https.is_none();
        Way {
            tls: self.origin.tls.as_deref().filter(|_| is_direct).cloned(),
            encrypted: self.is_secure,
            plaintext_auth: self.web.core.config().plaintext_auth_at(self.origin.address),
        }
    }
}

/// `[::1]:5280` and `im.example:5280` have a port, `[::1]` has none.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

/// Answers a request.
pub type Handler = fn(Call) -> BoxFuture<Reply>;

/// What pages of other sites may do with a route (Fetch §3.2). No credentials, so that everybody may be let in.
pub struct Cors {
    /// Methods.
    pub methods: &'static str,
    /// Headers of requests.
    pub headers: &'static str,
    /// Headers of answers that scripts may see.
    pub exposed: &'static str,
}

impl Cors {
    /// Everybody may read.
    pub const READ: Self = Self { methods: "GET, HEAD, OPTIONS", headers: "Content-Type", exposed: "" };

    /// Lets pages of other sites have this answer.
    pub(super) fn apply(&self, reply: &mut Reply) {
        reply::set(reply, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        if !self.exposed.is_empty() {
            reply::set(reply, header::ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed);
        }
        reply::embeddable(reply);
    }
}

/// One entry of the table.
#[derive(Clone, Copy)]
pub struct Route {
    path: &'static str,
    /// With everything below it.
    is_prefix: bool,
    methods: &'static [&'static str],
    handler: Handler,
    cors: Option<&'static Cors>,
    for_operators: bool,
    alternative: Option<Alternative>,
}

/// A way to an XMPP stream (XEP-0156 §2.1).
#[derive(Clone, Copy, Debug)]
pub struct Alternative {
    /// The relation in host-meta.
    pub relation: &'static str,
    /// The scheme of the URL: `https` or `wss`.
    pub scheme: &'static str,
}

impl Route {
    /// Serves GET (and HEAD) at this path.
    pub fn at(path: &'static str, handler: Handler) -> Self {
        let methods = &["GET", "HEAD"];
        Self { path, is_prefix: false, methods, handler, cors: None, for_operators: false, alternative: None }
    }

    /// The same for everything below a path that ends in a slash.
    pub fn below(path: &'static str, handler: Handler) -> Self {
        Self { is_prefix: true, ..Self::at(path, handler) }
    }

    /// With these methods.
    #[must_use]
    pub fn methods(self, methods: &'static [&'static str]) -> Self {
        Self { methods, ..self }
    }

    /// Open to pages of other sites.
    #[must_use]
    pub fn cors(self, cors: &'static Cors) -> Self {
        Self { cors: Some(cors), ..self }
    }

    /// Only on listeners for figures, and for the addresses in `metrics.allow_from`.
    #[must_use]
    pub fn for_operators(self) -> Self {
        Self { for_operators: true, ..self }
    }

    /// It leads to an XMPP stream, and is told in host-meta.
    #[must_use]
    pub fn alternative(self, relation: &'static str, scheme: &'static str) -> Self {
        Self { alternative: Some(Alternative { relation, scheme }), ..self }
    }

    /// The path, and the way to an XMPP stream it is.
    pub fn as_alternative(&self) -> Option<(&'static str, Alternative)> {
        Some((self.path, self.alternative?))
    }

    fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.path)?;
        (self.is_prefix || rest.is_empty()).then_some(rest)
    }
}

/// Answers a request. Never fails: what goes wrong is an answer, too.
pub async fn answer(
    web: Arc<Web>,
    origin: Origin,
    watch: Arc<Watch>,
    request: Request<Incoming>,
) -> Result<Reply, Infallible> {
    watch.request(request.version() == Version::HTTP_2);
    let core = web.core.clone();
    let mut held = None;
    // RFC 9112 §6.1: there may have been a length as well, and a proxy that believes it sees other requests behind this one.
    let is_last = request.version() <= Version::HTTP_11 && request.headers().contains_key(header::TRANSFER_ENCODING);
    let client = forwarded::client(request.headers(), origin.peer, &core.config().http.trusted_proxies);
    let found = find(&web, &origin, &client, request.uri().path());
    let asker = asker(&web, &client, found.as_ref().is_some_and(|(route, _)| route.for_operators));
    let mut reply = match InFlight::begin(&watch, &web, asker) {
        Err(Refused::Busy) => reply::busy(),
        Err(Refused::TooMany) => too_many(),
        Ok(_) if !names_one_host(&request) => reply::refusal(StatusCode::BAD_REQUEST, "no host, or several"),
        Ok(in_flight) => {
            // Behind a proxy the connection is the proxy's: there each request counts for the address it is for.
            let counts = asker != Asker::Operator && (client.is_forwarded || client.is_hidden);
            match counts.then(|| client.slot(&web.budget)).transpose() {
                Err(_) => too_many(),
                Ok(slot) => {
                    held = Some((in_flight, slot.map(|slot| Forwarded::new(slot, core.clone()))));
                    match found {
                        Some((route, rest)) => dispatch(web, origin, client, &watch, request, route, rest).await,
                        None => reply::refusal(StatusCode::NOT_FOUND, "there is nothing here"),
                    }
                }
            }
        }
    };
    reply::secure(&mut reply);
    if is_last {
        reply::set(&mut reply, header::CONNECTION, "close");
    }
    let class = usize::from(reply.status().as_u16() / 100).clamp(1, 5) - 1;
    core.site.counters.answers[class].fetch_add(1, Relaxed);
    Ok(match held {
        Some((in_flight, forwarded)) => reply.map(|body| body.holding(in_flight, forwarded)),
        None => reply,
    })
}

fn too_many() -> Reply {
    reply::refusal(StatusCode::TOO_MANY_REQUESTS, "too many requests from your address")
}

/// The entry for a path, as far as this client may know of it, and the rest of the path.
fn find(web: &Web, origin: &Origin, client: &Client, path: &str) -> Option<(Route, String)> {
    let at_metrics = origin.door == Door::Metrics;
    let is_let_in = || {
        let allow_from = &web.core.config().metrics.allow_from;
        !client.is_hidden && allow_from.iter().any(|network| network.contains(client.address))
    };
    let is_operator = at_metrics || is_let_in();
    let here = |route: &&Route| if at_metrics { route.for_operators } else { !route.for_operators || is_operator };
    web.routes.iter().filter(here).find_map(|route| Some((*route, route.rest(path)?.to_owned())))
}

/// For whom the request counts. Everybody who hides behind a proxy is one address, whatever that proxy may itself.
fn asker(web: &Web, client: &Client, for_operators: bool) -> Asker {
    if for_operators {
        Asker::Operator
    } else if !client.is_hidden && web.core.config().limits.is_exempt(client.address) {
        Asker::Exempt
    } else {
        Asker::At(client.address)
    }
}

/// RFC 9112 §3.2. HTTP/2 has a pseudo-header for it, which the library checks, and HTTP/1.0 need not say it.
fn names_one_host(request: &Request<Incoming>) -> bool {
    if request.version() != Version::HTTP_11 {
        return true;
    }
    let mut hosts = request.headers().get_all(header::HOST).into_iter();
    let is_host = |host: &HeaderValue| {
        host.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(byte))
    };
    hosts.next().is_some_and(is_host) && hosts.next().is_none()
}

async fn dispatch(
    web: Arc<Web>,
    origin: Origin,
    client: Client,
    watch: &Arc<Watch>,
    request: Request<Incoming>,
    route: Route,
    rest: String,
) -> Reply {
    let Route { handler, methods, cors, .. } = route;
    let mut reply = if methods.contains(&request.method().as_str()) {
        // What a proxy of ours says of the client counts more than how the proxy came to us.
        let is_secure = client.https.unwrap_or(origin.door == Door::Tls);
        let days = web.core.config().http.strict_transport_days;
        let call = Call { web, request, client, is_secure, rest, origin, watch: watch.clone() };
        let is_page = cors.is_none() && !route.for_operators;
        let is_strict = days > 0 && is_page && call.is_strict();
        let mut reply = handler(call).await;
        if is_strict && let Ok(value) = HeaderValue::try_from(format!("max-age={}", u64::from(days) * 86_400)) {
            reply.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
        }
        reply
    } else {
        let known = request.method() == Method::OPTIONS;
        let mut reply = match known {
            true => reply::empty(StatusCode::NO_CONTENT),
            false => reply::refusal(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done here"),
        };
        let allow = methods.join(", ") + ", OPTIONS";
        if let Ok(allow) = HeaderValue::from_str(&allow) {
            reply.headers_mut().insert(header::ALLOW, allow);
        }
        if let Some(cors) = cors.filter(|_| known) {
            reply::set(&mut reply, header::ACCESS_CONTROL_ALLOW_METHODS, cors.methods);
            reply::set(&mut reply, header::ACCESS_CONTROL_ALLOW_HEADERS, cors.headers);
            reply::set(&mut reply, header::ACCESS_CONTROL_MAX_AGE, "7200");
        }
        reply
    };
    if let Some(cors) = cors {
        cors.apply(&mut reply);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_loses_its_port_and_nothing_else() {
        let rows =
            [("im.example", "im.example"), ("im.example:80", "im.example"), ("[::1]", "[::1]"), ("[::1]:80", "[::1]")];
        for (host, name) in rows {
            assert_eq!(without_port(host), name);
        }
    }

    #[test]
    fn only_a_route_for_a_folder_takes_what_is_below() {
        let (file, folder) = (Route::at("/a", pages::front), Route::below("/a/", pages::front));
        assert_eq!((file.rest("/a"), file.rest("/a/"), file.rest("/ab")), (Some(""), None, None));
        assert_eq!((folder.rest("/a"), folder.rest("/a/"), folder.rest("/a/b/c")), (None, Some(""), Some("b/c")));
    }

    #[test]
    fn the_table_has_no_path_twice() {
        let table = table();
        for (at, route) in table.iter().enumerate() {
            assert!(route.path.starts_with('/') && route.path.ends_with('/') >= route.is_prefix, "{}", route.path);
            assert!(table[..at].iter().all(|other| other.path != route.path), "{}", route.path);
        }
    }
}

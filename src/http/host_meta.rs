//! Discovery: `/.well-known/host-meta` (XEP-0156, RFC 6415) tells clients that speak HTTP where XMPP streams are to be had,
//! and as JSON also where those are that begin with TLS (XEP-0487). What is told follows from what there is.

use super::reply::{self, Reply};
use super::routes::{Alternative, Call};
use crate::extension::BoxFuture;
use crate::net::dns::ascii_domain;
use hyper::{StatusCode, header};
use serde_json::{Value, json};
use xep_support::xml::Element;

const XRD: &str = "http://docs.oasis-open.org/ns/xri/xrd-1.0";
/// XEP-0487 §2.1: seconds the document is good for.
const TTL_SECONDS: u32 = 3_600;

/// The document in XML. With no way to an XMPP stream over HTTP it is empty, but there: it says that.
pub fn xrd(call: Call) -> BoxFuture<Reply> {
    Box::pin(async move {
        let links =
            links(&call).into_iter().map(|(rel, href)| Element::new("Link", XRD).attr("rel", rel).attr("href", href));
        let document = Element::new("XRD", XRD).children(links).to_xml("");
        cached(reply::text(
            StatusCode::OK,
            "application/xrd+xml; charset=utf-8",
            format!("<?xml version='1.0' encoding='utf-8'?>\n{document}\n"),
        ))
    })
}

/// The same in JSON.
pub fn jrd(call: Call) -> BoxFuture<Reply> {
    Box::pin(async move {
        let mut links: Vec<Value> =
            links(&call).into_iter().map(|(rel, href)| json!({ "rel": rel, "href": href })).collect();
        let mut document = json!({});
        let ports = call.web.core.site.direct_tls(&call.web.core.config().http);
        let domain = domain(&call);
        let sni = ascii_domain(&domain).unwrap_or(domain);
        for (at, (port, addresses)) in ports.into_iter().enumerate() {
            links.push(json!({
                "rel": "urn:xmpp:alt-connections:tls",
                "port": port,
                "ips": addresses,
                "priority": 10 * (at + 1),
                "weight": 50,
                "sni": sni,
            }));
            document["xmpp"] = json!({ "ttl": TTL_SECONDS });
        }
        document["links"] = links.into();
        cached(reply::text(StatusCode::OK, "application/json; charset=utf-8", format!("{document:#}\n")))
    })
}

fn cached(mut reply: Reply) -> Reply {
    reply::set(&mut reply, header::CACHE_CONTROL, "public, max-age=3600");
    reply
}

/// The domain that was asked: a served one, or the first if the server has another name on the web.
pub(super) fn domain(call: &Call) -> String {
    let hosts = &call.web.core.hosts;
    let asked = call.host().and_then(|host| hosts.iter().find(|served| is_same(served.jid.domain(), host)));
    asked.unwrap_or_else(|| hosts.first()).jid.to_string()
}

pub(super) fn is_same(served: &str, host: &str) -> bool {
    served.eq_ignore_ascii_case(host) || ascii_domain(served).is_some_and(|ascii| ascii.eq_ignore_ascii_case(host))
}

/// Relations and URLs; only encrypted ones may be told (XEP-0156 §2.2).
pub(super) fn links(call: &Call) -> Vec<(&'static str, String)> {
    let core = &call.web.core;
    let Some(base) = core.site.base_url(&core.config().http, &domain(call)) else { return Vec::new() };
    let Some(rest) = base.strip_prefix("https://") else { return Vec::new() };
    let link = |(path, Alternative { relation, scheme }): (&'static str, Alternative)| {
        (relation, format!("{scheme}://{rest}{path}"))
    };
    call.web.routes.iter().filter_map(|route| route.as_alternative()).map(link).collect()
}

//! The capabilities of this server: what stands in the stream features after login (XEP-0115 §6.3, XEP-0390 §5.2), and the
//! answer to who asks what the hash means. Made once for each domain and settings.

use crate::account::capabilities::Own;
use crate::core::Core;
use crate::xep::disco;
use aws_lc_rs::digest::{self, Algorithm};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use xep_support::formats::caps::{self, Caps};
use xep_support::jid::Jid;
use xep_support::xml::Element;

/// Which software this is (XEP-0115 §4).
const NODE: &str = "urn:x-magpie:server";

/// Functions of XEP-0300 we have, the one to be used first.
pub(super) const FUNCTIONS_PREFERRED: [&str; 4] = ["sha-256", "sha3-256", "sha-512", "sha3-512"];

/// A hash function by its name (XEP-0300 §3); SHA-1 is good enough for XEP-0115 alone.
pub(super) fn function(name: &str) -> Option<&'static Algorithm> {
    match name {
        "sha-1" => Some(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        "sha-256" => Some(&digest::SHA256),
        "sha-512" => Some(&digest::SHA512),
        "sha3-256" => Some(&digest::SHA3_256),
        "sha3-512" => Some(&digest::SHA3_512),
        _ => None,
    }
}

/// What goes into the features of a stream after login.
pub fn stream_features(core: &Core, host: &Jid) -> Arc<str> {
    current(core, host).features.clone()
}

/// Information about a node that stands in our features, or stood there a short while ago.
pub fn own_info(core: &Core, host: &Jid, node: &str) -> Option<Element> {
    // Who asks may be the first one.
    current(core, host);
    let own = core.capabilities.own(|own| own.host == *host && own.nodes.iter().any(|n| n == node))?;
    Some(own.info.clone().attr("node", node))
}

fn current(core: &Core, host: &Jid) -> Arc<Own> {
    let config = core.config.load_full();
    if let Some(own) = core.capabilities.own(|own| own.host == *host && Arc::ptr_eq(&own.config, &config)) {
        return own;
    }
    let info = disco::server(core, host);
    let hash =
        |name: &str, input: &[u8]| STANDARD.encode(digest::digest(function(name).expect("a function we have"), input));
    let mut features = String::new();
    let mut nodes = Vec::new();
    // What we say of ourselves is well-formed, or says nothing.
    if let Ok(text) = caps::verification_string(&info) {
        let ver = hash("sha-1", text.as_bytes());
        nodes.push(format!("{NODE}#{ver}"));
        caps::write_legacy(&mut features, &Caps { node: NODE.to_owned(), hash: Some("sha-1".to_owned()), ver });
    }
    if let Ok(input) = caps::hash_input(&info, None) {
        let hashes = ["sha-256", "sha3-256"].map(|name| (name, hash(name, &input)));
        nodes.extend(hashes.iter().map(|(name, hash)| caps::hash_node(name, hash)));
        caps::write_hashes(&mut features, hashes.iter().map(|(name, hash)| (*name, &**hash)));
    }
    let own = Arc::new(Own { host: host.clone(), config, info, nodes, features: features.into() });
    core.capabilities.keep_own(own.clone());
    own
}

//! For whom a reverse proxy asks: `X-Forwarded-For`, or `Forwarded` (RFC 7239).

use crate::net::addr::IpNet;
use crate::net::budget::{AddressBudget, Refused, Slot};
use hyper::header::{FORWARDED, HeaderMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The client behind a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address, or that of a proxy that does not tell it.
    pub address: IpAddr,
    /// Was it a proxy that told the address?
    pub is_forwarded: bool,
    /// A proxy asks for somebody else, and who that is cannot be told: what the address may do he may not.
    pub is_hidden: bool,
    /// Does it speak HTTPS with the proxy, as far as that tells?
    pub https: Option<bool>,
}

impl Client {
    /// A place for a request or a transfer of this client. All who hide behind a proxy are one address, whatever that proxy
    /// may itself.
    pub fn slot(&self, budget: &Arc<AddressBudget>) -> Result<Slot, Refused> {
        if self.is_hidden { budget.acquire_unexempt(self.address) } else { budget.acquire(self.address) }
    }
}

/// The nearest address that is not a trusted proxy. Each proxy adds the address it was asked from at the end, so the list is
/// read from there, and what stands before the first stranger is that stranger's word and no more.
///
/// A proxy sets one of the two headers and may pass on the other one as the client wrote it: if there are both they must
/// agree.
pub fn client(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> Client {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let direct = Client { address: peer, is_forwarded: false, is_hidden: false, https: None };
    if !is_trusted(peer) {
        return direct;
    }
    let walk = |mut chain: Vec<Option<IpAddr>>| {
        let mut client = direct;
        while is_trusted(client.address)
            && let Some(next) = chain.pop()
        {
            let Some(next) = next else { return Client { is_hidden: true, ..client } };
            client.address = next.to_canonical();
            client.is_forwarded = true;
        }
        client
    };
    let x_for = list(headers, "x-forwarded-for").iter().map(|text| address(text)).collect::<Vec<_>>();
    let x_https = list(headers, "x-forwarded-proto").last().map(|scheme| scheme.eq_ignore_ascii_case("https"));
    let (named, https) = forwarded(headers);
    match (x_for.is_empty(), named.is_empty()) {
        (true, true) => Client { https: x_https.or(https), ..direct },
        (false, true) => Client { https: x_https.or(https), ..walk(x_for) },
        (true, false) => Client { https: https.or(x_https), ..walk(named) },
        (false, false) => match (walk(x_for), walk(named)) {
            (one, other) if one.address == other.address && !one.is_hidden && !other.is_hidden => {
                Client { https: x_https.or(https), ..one }
            }
            _ => Client { is_hidden: true, ..direct },
        },
    }
}

/// `Forwarded`: addresses from the farthest to the nearest (`None`: not to be read), and whether the last hop was HTTPS.
fn forwarded(headers: &HeaderMap) -> (Vec<Option<IpAddr>>, Option<bool>) {
    let elements = list(headers, FORWARDED.as_str());
    let parameter = |element: &str, name: &str| {
        let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| unquoted(value).to_owned())
    };
    let named = elements.iter().map(|element| parameter(element, "for").and_then(|text| address(&text))).collect();
    let proto = elements.last().and_then(|element| parameter(element, "proto"));
    (named, proto.map(|scheme| scheme.eq_ignore_ascii_case("https")))
}

/// The members of a header that is a list, however many lines it has. What is no text spoils its own member, and not what a
/// proxy wrote behind it. Addresses in quotes have no commas.
fn list(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = headers.get_all(name).into_iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let members = lines.flat_map(|line| line.split(',').map(|text| text.trim().to_owned()).collect::<Vec<_>>());
    members.filter(|text| !text.is_empty()).collect()
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('"')
}

/// An address, perhaps with a port, IPv6 then in brackets (RFC 7239 §6).
fn address(text: &str) -> Option<IpAddr> {
    let text = unquoted(text);
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    fn asked(peer: &str, headers: &[(&'static str, &'static str)]) -> (String, bool, Option<bool>) {
        let trusted: Vec<IpNet> = ["127.0.0.0/8", "10.0.0.1"].iter().map(|text| text.parse().expect("a net")).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let client = client(&map, peer.parse().expect("an address"), &trusted);
        (client.address.to_string(), client.is_forwarded, client.https)
    }

    proptest! {
        /// Whatever stands there, the answer is the peer or an address of the header, and a stranger is never passed over.
        #[test]
        fn nobody_is_believed_behind_a_stranger(before in ".{0,40}", stranger in any::<[u8; 4]>()) {
            let stranger = IpAddr::from(stranger);
            prop_assume!(!stranger.is_loopback() && stranger.to_string() != "10.0.0.1");
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_str(&format!("{before}, {stranger}, 10.0.0.1")) {
                headers.insert("x-forwarded-for", value);
            }
            let trusted: Vec<IpNet> = ["127.0.0.1", "10.0.0.1"].iter().map(|text| text.parse().expect("a net")).collect();
            let found = client(&headers, IpAddr::from([127, 0, 0, 1]), &trusted);
            // Some headers cannot be read at all; then it is the proxy's own address.
            prop_assert!(found.address == stranger || !found.is_forwarded, "{found:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let forged = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https")];
        assert_eq!(asked("198.51.100.7", &forged), ("198.51.100.7".into(), false, None));
        assert_eq!(asked("127.0.0.1", &forged), ("192.0.2.1".into(), true, Some(true)));
        assert_eq!(asked("127.0.0.1", &[]), ("127.0.0.1".into(), false, None));
    }

    #[test]
    fn what_stands_before_a_stranger_is_his_own_word() {
        let rows = [
            ("203.0.113.5, 192.0.2.1", "192.0.2.1"),
            ("203.0.113.5, 192.0.2.1, 10.0.0.1", "192.0.2.1"),
            ("127.0.0.1, 10.0.0.1", "127.0.0.1"),
            ("203.0.113.5, unknown", "127.0.0.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:80", "192.0.2.1"),
        ];
        for (header, address) in rows {
            assert_eq!(asked("127.0.0.1", &[("x-forwarded-for", header)]).0, address, "{header}");
        }
        let lines = [("x-forwarded-for", "203.0.113.5"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(asked("127.0.0.1", &lines).0, "192.0.2.1");
    }

    /// RFC 7239 §4.
    #[test]
    fn forwarded_is_read_too() {
        let rows = [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", ("192.0.2.60", Some(false))),
            ("For=\"[2001:db8:cafe::17]:4711\";PROTO=https", ("2001:db8:cafe::17", Some(true))),
            ("for=203.0.113.5, for=192.0.2.43", ("192.0.2.43", None)),
            ("for=_hidden", ("127.0.0.1", None)),
            ("for=\"unknown\"", ("127.0.0.1", None)),
        ];
        for (header, (address, https)) in rows {
            let got = asked("127.0.0.1", &[("forwarded", header)]);
            assert_eq!((got.0.as_str(), got.2), (address, https), "{header}");
        }
    }

    #[test]
    fn a_header_the_proxy_passed_on_cannot_lie() {
        let both = |other| asked("127.0.0.1", &[("x-forwarded-for", "192.0.2.1, 10.0.0.1"), ("forwarded", other)]).0;
        assert_eq!(both("for=192.0.2.1"), "192.0.2.1");
        assert_eq!(both("for=203.0.113.5"), "127.0.0.1");
    }

    #[test]
    fn whoever_cannot_be_told_is_not_the_proxy() {
        let trusted: Vec<IpNet> = vec!["127.0.0.0/8".parse().expect("a net")];
        let asked = |headers: &[(&'static str, &[u8])]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).expect("a value"));
            }
            let client = client(&map, "127.0.0.1".parse().expect("an address"), &trusted);
            (client.address.to_string(), client.is_hidden)
        };
        let proxy = "127.0.0.1".to_owned();
        assert_eq!(asked(&[]), (proxy.clone(), false));
        assert_eq!(asked(&[("x-forwarded-for", b"127.0.0.2")]), ("127.0.0.2".into(), false));
        assert_eq!(asked(&[("x-forwarded-for", b"192.0.2.1, unknown")]), (proxy.clone(), true));
        assert_eq!(asked(&[("forwarded", b"for=unknown")]), (proxy.clone(), true));
        assert_eq!(asked(&[("forwarded", b"for=127.0.0.1"), ("x-forwarded-for", b"192.0.2.1")]), (proxy, true));
        assert_eq!(asked(&[("x-forwarded-for", b"\xff, 192.0.2.1")]), ("192.0.2.1".into(), false));
    }
}

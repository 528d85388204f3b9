//! Networks in CIDR notation (RFC 4632, RFC 4291 §2.3) and the one form in which we compare addresses.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

/// A network such as `10.0.0.0/8` or `2001:db8::/32`. An address without a prefix length is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpNet {
    base: IpAddr,
    prefix: u8,
}

/// Why a text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IpNetError {
    /// The part before the slash is not an IP address.
    #[error("\"{0}\" is not an IP address")]
    Address(String),
    /// The part behind the slash is not a number in the range of the address family.
    #[error("\"{0}\" is not a prefix length from 0 to {1}")]
    Prefix(String, u8),
    /// The address has bits set behind the prefix: probably a slip, and a dangerous one in an access list.
    #[error("\"{given}\" has host bits set, did you mean {meant}?")]
    HostBits {
        /// What was written.
        given: String,
        /// The network that contains it.
        meant: IpNet,
    },
}

impl IpNet {
    /// `127.0.0.0/8` and `::1/128`.
    pub fn loopback() -> [Self; 2] {
        [
            Self { base: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 },
            Self { base: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 },
        ]
    }

    /// Whether the address lies in this network. An IPv4-mapped IPv6 address counts as the IPv4 address it carries.
    pub fn contains(&self, addr: IpAddr) -> bool {
        masked(addr.to_canonical(), self.prefix) == Some(self.base)
            && addr.to_canonical().is_ipv4() == self.base.is_ipv4()
    }
}

/// The address with everything behind the prefix zeroed; `None` if the prefix is too long for its family.
pub(crate) fn masked(addr: IpAddr, prefix: u8) -> Option<IpAddr> {
    let prefix = u32::from(prefix);
    match addr {
        IpAddr::V4(v4) if prefix <= 32 => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            Some(IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask)))
        }
        IpAddr::V6(v6) if prefix <= 128 => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            Some(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask)))
        }
        _ => None,
    }
}

/// The socket address with an IPv4-mapped IPv6 address (what a dual-stack socket reports for IPv4 peers) made IPv4.
pub fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

impl FromStr for IpNet {
    type Err = IpNetError;

    fn from_str(text: &str) -> Result<Self, IpNetError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| IpNetError::Address(address.to_owned()))?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|length| *length <= bits && digits.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(|| IpNetError::Prefix(digits.to_owned(), bits))?,
        };
        // `::ffff:10.0.0.0/104` is `10.0.0.0/8`: peers are compared in their IPv4 form.
        let (base, prefix) = match base.to_canonical() {
            v4 @ IpAddr::V4(_) if base.is_ipv6() && prefix >= 96 => (v4, prefix - 96),
            _ => (base, prefix),
        };
        let network = Self { base: masked(base, prefix).unwrap_or(base), prefix };
        if network.base == base {
            Ok(network)
        } else {
            Err(IpNetError::HostBits { given: text.to_owned(), meant: network })
        }
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_contain_their_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("::/0", "2001:db8::1", "203.0.113.9"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
            ("fe80::/10", "febf::1", "fec0::1"),
            ("::1", "::1", "::"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
        ] {
            assert!(net(network).contains(ip(inside)), "{network} {inside}");
            assert!(!net(network).contains(ip(outside)), "{network} {outside}");
        }
    }

    #[test]
    fn texts_that_are_no_network_are_refused() {
        for text in
            ["", "/8", "10.0.0/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "::/129", "example.org", "10.0.0.0/8/8"]
        {
            assert!(text.parse::<IpNet>().is_err(), "{text}");
        }
    }

    #[test]
    fn host_bits_are_refused_with_a_suggestion() {
        let error = "10.1.2.3/8".parse::<IpNet>().unwrap_err();
        assert_eq!(error.to_string(), "\"10.1.2.3/8\" has host bits set, did you mean 10.0.0.0/8?");
    }

    #[test]
    fn printing_and_parsing_agree() {
        for text in ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"] {
            assert_eq!(net(text).to_string(), text);
        }
        assert!(IpNet::loopback().iter().all(|network| net(&network.to_string()) == *network));
    }

    #[test]
    fn mapped_socket_addresses_become_ipv4() {
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:5222".parse().unwrap();
        assert_eq!(canonical(mapped), "192.0.2.1:5222".parse().unwrap());
    }
}

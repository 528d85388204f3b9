//! XMPP addresses (RFC 7622): `localpart@domainpart/resourcepart`, always in canonical form.
//!
//! A [`Jid`] is one shared string and two offsets; cloning it is cheap and comparing it compares text. What must have no
//! resource is a [`BareJid`], what must have one is a [`FullJid`]. The rules for the parts are in [`prep`].

pub mod prep;

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

/// The parts of a JID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What stands before the first `@`.
    Local,
    /// What must be there.
    Domain,
    /// What stands after the first `/`.
    Resource,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "localpart",
            Self::Domain => "domainpart",
            Self::Resource => "resourcepart",
        })
    }
}

/// What is wrong with a part of a JID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has no character, or none is left.
    Empty,
    /// It has more than [`prep::PART_BYTES_MAX`] bytes.
    TooLong,
    /// It holds a character that must not stand there, or breaks a rule about their order.
    Forbidden,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::TooLong => "is longer than 1023 bytes",
            Self::Forbidden => "is not allowed by RFC 7622",
        })
    }
}

/// Why a text is not the JID that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JidError {
    /// One part breaks the rules.
    #[error("the {0} {1}")]
    Part(Part, Fault),
    /// A bare JID was wanted.
    #[error("there is a resourcepart")]
    NotBare,
    /// A full JID was wanted.
    #[error("there is no resourcepart")]
    NotFull,
}

/// An address of any kind: a domain, an account or room, a resource or occupant.
#[derive(Clone)]
pub struct Jid {
    text: Arc<str>,
    /// Bytes of the localpart; zero if there is none, as an empty one is not allowed.
    local_len: u16,
    /// Where the bare JID ends: at the slash or at the end of the text.
    bare_len: u16,
}

impl Jid {
    /// Reads and canonicalises an address. A canonical one costs a pass over its bytes and one allocation.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        // RFC 7622 §3.1: cut before anything is mapped, at the first slash, then at the first commercial at.
        let (bare, resource) = match text.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (text, None),
        };
        let (local, domain) = match bare.split_once('@') {
            Some((local, domain)) => (Some(local), domain),
            None => (None, bare),
        };
        Self::assemble(local, domain, resource, Some(text))
    }

    /// Makes an address of its parts, each of which is canonicalised.
    pub fn from_parts(local: Option<&str>, domain: &str, resource: Option<&str>) -> Result<Self, JidError> {
        Self::assemble(local, domain, resource, None)
    }

    /// Puts the parts together; reuses `whole`, the text they were cut from, if preparation changed nothing.
    fn assemble(
        local: Option<&str>,
        domain: &str,
        resource: Option<&str>,
        whole: Option<&str>,
    ) -> Result<Self, JidError> {
        let local = local.map(prep::local).transpose()?;
        let domain = prep::domain(domain)?;
        let resource = resource.map(prep::resource).transpose()?;
        let local_len = local.as_ref().map_or(0, |local| local.len());
        let bare_len = domain.len() + local.as_ref().map_or(0, |local| local.len() + 1);
        let len = bare_len + resource.as_ref().map_or(0, |resource| resource.len() + 1);
        let unchanged = |part: &Cow<'_, str>| matches!(part, Cow::Borrowed(_));
        let as_written = whole.filter(|whole| {
            // A final dot of the domain is cut off without a copy: the length tells.
            whole.len() == len
                && local.as_ref().is_none_or(unchanged)
                && unchanged(&domain)
                && resource.as_ref().is_none_or(unchanged)
        });
        let text = match as_written {
            Some(whole) => Arc::from(whole),
            None => {
                let mut text = String::with_capacity(len);
                if let Some(local) = &local {
                    text.push_str(local);
                    text.push('@');
                }
                text.push_str(&domain);
                if let Some(resource) = &resource {
                    text.push('/');
                    text.push_str(resource);
                }
                Arc::from(text)
            }
        };
        Ok(Self { text, local_len: offset(local_len), bare_len: offset(bare_len) })
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The localpart.
    pub fn local(&self) -> Option<&str> {
        (self.local_len > 0).then(|| &self.text[..usize::from(self.local_len)])
    }

    /// The domainpart.
    pub fn domain(&self) -> &str {
        let start = if self.local_len > 0 { usize::from(self.local_len) + 1 } else { 0 };
        &self.text[start..usize::from(self.bare_len)]
    }

    /// The resourcepart.
    pub fn resource(&self) -> Option<&str> {
        self.text.get(usize::from(self.bare_len) + 1..)
    }

    /// The address without its resourcepart, as text.
    pub fn bare_str(&self) -> &str {
        &self.text[..usize::from(self.bare_len)]
    }

    /// The address without its resourcepart. Costs an allocation only if there is one.
    pub fn bare(&self) -> BareJid {
        if self.is_bare() {
            return BareJid(self.clone());
        }
        BareJid(Self { text: Arc::from(self.bare_str()), local_len: self.local_len, bare_len: self.bare_len })
    }

    /// The bare address with this resourcepart, which is canonicalised.
    pub fn with_resource(&self, resource: &str) -> Result<FullJid, JidError> {
        let resource = prep::resource(resource)?;
        let text = [self.bare_str(), "/", &resource].concat();
        Ok(FullJid(Self { text: Arc::from(text), local_len: self.local_len, bare_len: self.bare_len }))
    }

    /// Whether there is no resourcepart.
    pub fn is_bare(&self) -> bool {
        usize::from(self.bare_len) == self.text.len()
    }

    /// Whether there is nothing but a domainpart.
    pub fn is_domain(&self) -> bool {
        self.local_len == 0 && self.is_bare()
    }

    /// This address as a full JID, if it has a resourcepart.
    pub fn try_into_full(self) -> Option<FullJid> {
        (!self.is_bare()).then_some(FullJid(self))
    }

    /// This address as a bare JID, if it has no resourcepart.
    pub fn try_into_bare(self) -> Option<BareJid> {
        self.is_bare().then_some(BareJid(self))
    }
}

/// Offsets fit: two parts and their separators are at most 2 × [`prep::PART_BYTES_MAX`] + 1 bytes.
fn offset(bytes: usize) -> u16 {
    u16::try_from(bytes).expect("a prepared part has at most 1023 bytes")
}

/// The part of a JID's text before the first slash. For text that is known to be a JID; nothing is checked.
pub fn bare_str(jid: &str) -> &str {
    jid.split_once('/').map_or(jid, |(bare, _)| bare)
}

/// The domainpart of a JID's text. For text that is known to be a JID; nothing is checked.
pub fn domain_str(jid: &str) -> &str {
    let bare = bare_str(jid);
    bare.split_once('@').map_or(bare, |(_, domain)| domain)
}

/// The resourcepart of a JID's text. For text that is known to be a JID; nothing is checked.
pub fn resource_str(jid: &str) -> Option<&str> {
    jid.split_once('/').map(|(_, resource)| resource)
}

/// The address of a domain, an account or a room: a [`Jid`] without resourcepart.
///
/// It hashes and compares as its text does, so a map of bare JIDs can be asked for a `&str`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BareJid(Jid);

impl BareJid {
    /// Makes a bare JID of its parts, each of which is canonicalised.
    pub fn new(local: Option<&str>, domain: &str) -> Result<Self, JidError> {
        Jid::from_parts(local, domain, None).map(Self)
    }

    /// Reads and canonicalises an address; one with a resourcepart is refused.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        Jid::parse(text)?.try_into_bare().ok_or(JidError::NotBare)
    }

    /// The same address as the general type.
    pub fn into_jid(self) -> Jid {
        self.0
    }
}

/// The address of a connected resource or of an occupant: a [`Jid`] with resourcepart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FullJid(Jid);

impl FullJid {
    /// Makes a full JID of its parts, each of which is canonicalised.
    pub fn new(local: Option<&str>, domain: &str, resource: &str) -> Result<Self, JidError> {
        Jid::from_parts(local, domain, Some(resource)).map(Self)
    }

    /// Reads and canonicalises an address; one without resourcepart is refused.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        Jid::parse(text)?.try_into_full().ok_or(JidError::NotFull)
    }

    /// The resourcepart, which a full JID always has.
    pub fn resource(&self) -> &str {
        self.0.resource().expect("a full JID is made of a JID with resourcepart only")
    }

    /// The same address as the general type.
    pub fn into_jid(self) -> Jid {
        self.0
    }
}

impl PartialEq for Jid {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Jid {}

impl PartialOrd for Jid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Jid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Jid {
    // As str does: `Borrow<str>` promises that.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// What the three types share: they print, hash and compare as their text, and are read from text.
macro_rules! textual {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl FromStr for $name {
            type Err = JidError;

            fn from_str(text: &str) -> Result<Self, JidError> {
                Self::parse(text)
            }
        }
    )*};
}

textual!(Jid, BareJid, FullJid);

/// What the two checked types share: every one is a `Jid` too.
macro_rules! checked {
    ($($name:ident),*) => {$(
        impl $name {
            /// The same address as a [`Jid`].
            pub fn as_jid(&self) -> &Jid {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = Jid;

            fn deref(&self) -> &Jid {
                &self.0
            }
        }

        impl AsRef<Jid> for $name {
            fn as_ref(&self) -> &Jid {
                &self.0
            }
        }

        impl From<$name> for Jid {
            fn from(checked: $name) -> Self {
                checked.0
            }
        }
    )*};
}

checked!(BareJid, FullJid);

#[cfg(test)]
mod tests;

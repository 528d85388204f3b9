//! What a stream offers: mechanisms, channel binding types (XEP-0440), and the hash over both (XEP-0474).

use base64::{Engine, engine::general_purpose::STANDARD};
use smallvec::SmallVec;

use super::fast::FastMechanism;
use super::hash::Hash;
use super::upgrade::UpgradeTask;

/// A mechanism we speak, strongest first: that is also the order in which they are offered.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum Mechanism {
    /// RFC 7677, bound to the TLS channel
    ScramSha256Plus,
    /// RFC 5802, bound to the TLS channel
    ScramSha1Plus,
    /// RFC 7677
    ScramSha256,
    /// RFC 5802
    ScramSha1,
    /// RFC 4616
    Plain,
    /// RFC 4505
    Anonymous,
}

/// Mechanisms in order of preference.
pub type MechanismList = SmallVec<[Mechanism; Mechanism::ALL.len()]>;

impl Mechanism {
    /// All of them, best first.
    pub const ALL: [Self; 6] =
        [Self::ScramSha256Plus, Self::ScramSha1Plus, Self::ScramSha256, Self::ScramSha1, Self::Plain, Self::Anonymous];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
            Self::Anonymous => "ANONYMOUS",
        }
    }

    /// The mechanism of this name. Names are upper case on the wire (RFC 4422 §3.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// Is this a `-PLUS` mechanism?
    pub const fn binds_channel(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha1Plus)
    }

    /// The hash of a SCRAM mechanism.
    pub(super) const fn hash(self) -> Option<Hash> {
        match self {
            Self::ScramSha256Plus | Self::ScramSha256 => Some(Hash::Sha256),
            Self::ScramSha1Plus | Self::ScramSha1 => Some(Hash::Sha1),
            Self::Plain | Self::Anonymous => None,
        }
    }
}

/// A channel binding type, best first.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub enum BindingType {
    /// RFC 9266
    TlsExporter,
    /// RFC 5929 §4
    TlsServerEndPoint,
}

impl BindingType {
    const ALL: [Self; 2] = [Self::TlsExporter, Self::TlsServerEndPoint];

    /// The "channel binding unique prefix" registered with IANA.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsServerEndPoint => "tls-server-end-point",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|binding| binding.name() == name)
    }
}

/// The data of a TLS channel that both ends can compute. What is absent is not offered.
#[derive(Clone, Default)]
pub struct ChannelBindings {
    /// Exported keying material, label `EXPORTER-Channel-Binding` (RFC 9266). Under TLS 1.2 only with extended master
    /// secret.
    pub tls_exporter: Option<[u8; 32]>,
    /// Hash of the server certificate (RFC 5929 §4.1).
    pub tls_server_end_point: Option<Vec<u8>>,
}

impl ChannelBindings {
    fn data(&self, binding: BindingType) -> Option<&[u8]> {
        match binding {
            BindingType::TlsExporter => self.tls_exporter.as_ref().map(<[u8; 32]>::as_slice),
            BindingType::TlsServerEndPoint => self.tls_server_end_point.as_deref(),
        }
    }
}

/// What decides about an [`Offer`].
#[derive(Clone, Default)]
pub struct OfferContext {
    /// The stream is encrypted.
    pub tls: bool,
    /// May anybody authenticate on this stream as it is? If not, nothing is offered.
    pub authentication_allowed: bool,
    /// May a password be sent readable for us: inside TLS, or where a test asked for it?
    pub plain_allowed: bool,
    /// The version of TLS as XEP-0515 §4.1 writes it.
    pub tls_version: Option<&'static str>,
    /// Does this host take guests (XEP-0175)?
    pub anonymous: bool,
    /// What the TLS channel gives; ignored without TLS.
    pub channel_bindings: ChannelBindings,
    /// Names of mechanisms the operator switched off.
    pub disabled: Vec<String>,
    /// Are tokens taken in place of passwords (XEP-0484)?
    pub tokens: bool,
    /// Leave the XEP-0474 hash and the version of TLS (XEP-0515) out of SCRAM, for clients that do not tolerate an extension in server-first-message
    /// (RFC 5802 §5.1 says they must).
    pub without_downgrade_hash: bool,
}

/// What one stream offers. Advertise exactly this: the exchange takes an offer for what the client should have seen.
pub struct Offer {
    mechanisms: MechanismList,
    channel_bindings: ChannelBindings,
    tls: bool,
    fast: SmallVec<[FastMechanism; 3]>,
    upgrades: SmallVec<[UpgradeTask; 2]>,
    tls_version: Option<&'static str>,
    /// The string that XEP-0474 §6.1 hashes.
    advertised: Option<String>,
}

impl Offer {
    /// Decides what to offer.
    pub fn new(context: OfferContext) -> Self {
        let mut channel_bindings = context.channel_bindings;
        if !context.tls {
            channel_bindings = ChannelBindings::default();
        }
        let is_off = |name: &str| context.disabled.iter().any(|d| d.eq_ignore_ascii_case(name));
        let can_bind = BindingType::ALL.iter().any(|binding| channel_bindings.data(*binding).is_some());
        let mechanisms = Mechanism::ALL
            .into_iter()
            .filter(|mechanism| match mechanism {
                _ if !context.authentication_allowed => false,
                m if is_off(m.name()) => false,
                Mechanism::ScramSha256Plus | Mechanism::ScramSha1Plus => can_bind,
                Mechanism::ScramSha256 | Mechanism::ScramSha1 => true,
                Mechanism::Plain => context.plain_allowed,
                Mechanism::Anonymous => context.anonymous,
            })
            .collect();
        // XEP-0388 §3: only after TLS.
        let sasl2 = context.tls && context.authentication_allowed;
        let fast = FastMechanism::ALL
            .into_iter()
            .filter(|m| sasl2 && context.tokens && !is_off(m.name()) && m.binding_data(&channel_bindings).is_some())
            .collect();
        let is_on = |task: &UpgradeTask| !is_off(task.mechanism().name());
        let upgrades = UpgradeTask::ALL.into_iter().filter(|task| sasl2 && is_on(task)).collect();
        let mut offer = Self {
            mechanisms,
            channel_bindings,
            tls: context.tls,
            fast,
            upgrades,
            tls_version: context.tls_version.filter(|_| context.tls && !context.without_downgrade_hash),
            advertised: None,
        };
        if !context.without_downgrade_hash {
            offer.advertised = Some(offer.advertised_lists());
        }
        offer
    }

    /// The mechanisms to advertise, best first.
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// The channel binding types to advertise (XEP-0440); if there is none, there is no element either.
    pub fn binding_types(&self) -> impl Iterator<Item = BindingType> {
        BindingType::ALL.into_iter().filter(|binding| self.binds_channel() && self.binding_data(*binding).is_some())
    }

    /// May SASL2 be used (XEP-0388 §2.1, §3): inside TLS, and with at least one mechanism?
    pub fn has_sasl2(&self) -> bool {
        self.tls && !self.mechanisms.is_empty()
    }

    /// Mechanisms for tokens, best first (XEP-0484 §3.1). They are no part of the list that XEP-0474 protects.
    pub fn fast(&self) -> &[FastMechanism] {
        &self.fast
    }

    /// What a token's proof has to cover, if this mechanism is offered.
    pub fn fast_binding(&self, mechanism: FastMechanism) -> Option<&[u8]> {
        self.fast.contains(&mechanism).then(|| mechanism.binding_data(&self.channel_bindings)).flatten()
    }

    /// Keys that clients may add (XEP-0480 §2.1).
    pub fn upgrades(&self) -> &[UpgradeTask] {
        &self.upgrades
    }

    /// The value of the SCRAM attribute `t` (XEP-0515 §4.1).
    pub(super) fn tls_version(&self) -> Option<&'static str> {
        self.tls_version
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.tls
    }

    /// Is any `-PLUS` mechanism offered?
    pub(super) fn binds_channel(&self) -> bool {
        self.mechanisms.iter().any(|mechanism| mechanism.binds_channel())
    }

    pub(super) fn binding_data(&self, binding: BindingType) -> Option<&[u8]> {
        self.channel_bindings.data(binding)
    }

    /// The value of the SCRAM attribute `h` (XEP-0474 §6.1).
    pub(super) fn downgrade_hash(&self, hash: Hash) -> Option<String> {
        self.advertised.as_ref().map(|lists| STANDARD.encode(hash.digest(lists.as_bytes())))
    }

    /// The offer of a server that has fewer mechanisms than we.
    #[cfg(test)]
    pub(super) fn restricted_to(mut self, mechanisms: &[Mechanism]) -> Self {
        self.mechanisms.retain(|mechanism| mechanisms.contains(mechanism));
        self.advertised = Some(self.advertised_lists());
        self
    }

    /// XEP-0474 §6.1, steps 1 to 4. Comparing `str` is the collation "i;octet".
    fn advertised_lists(&self) -> String {
        let mut mechanisms: Vec<_> = self.mechanisms.iter().map(|mechanism| mechanism.name()).collect();
        mechanisms.sort_unstable();
        let mut lists = mechanisms.join("\x1e");
        let mut bindings: Vec<_> = self.binding_types().map(BindingType::name).collect();
        bindings.sort_unstable();
        if !bindings.is_empty() {
            lists.push('\x1f');
            lists.push_str(&bindings.join("\x1e"));
        }
        lists
    }
}

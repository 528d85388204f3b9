//! The sections of the file, one struct each. The doc comment of a field is its entry in the manual.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use toml::{Spanned, Value as Toml, de::DeValue};

use super::{
    external::ExternalService,
    section::section,
    value::{Certificate, Choice, Reading, Value, read_choice, show_choice},
};
use crate::net::addr::IpNet;

section! {
    /// Connections of clients.
    pub struct C2s in "c2s" {
        /// Addresses for clients that begin in the clear and then ask for TLS (STARTTLS); [] turns them off.
        /// Default: while every domain is `localhost`, this machine only (127.0.0.1 and ::1); else all addresses
        /// ("0.0.0.0:5222" and "[::]:5222"). An address stands for its own family: "[::]" does not include IPv4.
        restart listen: Vec<SocketAddr> = super::loopback_listeners(5222),
        /// Addresses for clients that begin with TLS (XEP-0368) and nothing else; [] turns them off. `http.tls_listen` takes
        /// such clients as well. Default: as `listen`, port 5223.
        restart tls_listen: Vec<SocketAddr> = super::loopback_listeners(5223),
        /// Load balancers that put the PROXY protocol (version 1 or 2) before each connection to these addresses. From them
        /// it is required, from all others it is not understood. For `http.tls_listen` that of `[http]` counts.
        live proxy_protocol_from: Vec<IpNet> = Vec::new(),
        /// Where a client that has lost its connection should resume its session (XEP-0198), as "host:port" or
        /// "[2001:db8::1]:5222": this very machine, if several stand behind one name. "": not said, it connects as ever.
        live resume_location: String = String::new(),
        /// For tests only: log in and chat without TLS. Holds on loopback listeners alone; any other listener still
        /// requires TLS, and a warning says so.
        live allow_plaintext_auth: bool = false,
    }
}

section! {
    /// Certificates. They are read again at `reload` and nobody is disconnected.
    pub struct Tls in "tls" {
        /// Certificates with their keys (PEM), chosen by the name the client asks for:
        /// [{ cert = "chain.pem", key = "key.pem" }], optionally with `domains = [...]` where the names inside the
        /// certificate are not enough. Empty: a development CA and a certificate for each domain are made in
        /// `certs_dir` at first start.
        live certificates: Vec<Certificate> = Vec::new(),
        /// Where the development CA and its certificates are made and kept.
        live certs_dir: PathBuf = PathBuf::from("certs"),
    }
}

section! {
    /// Logging in.
    pub struct Auth in "auth" {
        /// PBKDF2 rounds for passwords set from now on (RFC 7677 asks for 4096 or more). A client does them at each
        /// login, so an old phone notices 100000.
        live (4_096, 10_000_000) scram_iterations: u32 = 10_000,
        /// Tell clients in SCRAM what was offered, so that they notice if somebody in between has removed something
        /// (XEP-0474). Turn it off for clients that stumble over it.
        live downgrade_protection: bool = true,
        /// Domains where anybody may log in without an account (SASL ANONYMOUS, RFC 4505).
        live anonymous_domains: Vec<String> = Vec::new(),
        /// Mechanisms not offered, of SCRAM-SHA-1, SCRAM-SHA-256, SCRAM-SHA-1-PLUS, SCRAM-SHA-256-PLUS, PLAIN, and those for
        /// tokens: HT-SHA-256-EXPR, HT-SHA-256-ENDP, HT-SHA-256-NONE.
        live mechanisms_disabled: Vec<String> = Vec::new(),
        /// Days a client may log in with a token in place of the password (XEP-0484), counted from when it got the token;
        /// one that is in use is replaced every day. 0: no tokens.
        live (0, 3_650) fast_token_days: u32 = 21,
        /// Keep what a device calls itself and its software, for its owner to see (XEP-0494). Connected ones are shown with
        /// it in any case.
        live device_details: bool = true,
        /// Days after which a device without a token that was not seen is forgotten.
        live (1, 3_650) device_days: u32 = 90,
    }
}

section! {
    /// Making accounts from a client (XEP-0077). `magpie user add` works whatever stands here.
    pub struct Registration in "registration" {
        /// "closed": nobody; "invite": who has an invitation, such as `magpie invite create` makes; "open": everybody, within
        /// `limits.registrations_per_address_per_hour_max`.
        live mode: RegistrationMode = RegistrationMode::Invite,
        /// Days an invitation is good for that does not say so itself.
        live (1, 3_650) invite_days: u32 = 7,
        /// Who may, from a client, make invitations with which somebody can make an account (XEP-0401): "nobody"; "admins":
        /// those in `admins`; "everybody": every account of this server. `magpie invite create` works whatever stands here.
        live invite_accounts: Inviters = Inviters::Admins,
        /// Who may make invitations to become the own contact: the subscription to each other is settled with them
        /// (XEP-0379).
        live invite_contacts: Inviters = Inviters::Everybody,
    }
}

section! {
    /// Messages for people who are not there (XEP-0160). A sender whose message does not fit any more is told
    /// (service-unavailable).
    pub struct Offline in "offline" {
        /// Messages kept for one account; 0 keeps none.
        live (0, i64::MAX as u64) messages_max: usize = 1_000,
        /// Bytes kept for one account.
        live bytes_max: usize = 16 * 1024 * 1024,
        /// Days after which an undelivered message is deleted; 0: never.
        live (0, 36_500) expire_days: u32 = 0,
        /// Seconds for which what is said about a call (XEP-0353) is kept: no phone rings for a call that is over. 0: not at
        /// all.
        live call_seconds: Duration = Duration::from_secs(120),
    }
}

section! {
    /// The archive of messages that clients read on all their devices (XEP-0313).
    pub struct Archive in "archive" {
        /// Archive messages, and let clients read their archives. Turned off, what was archived stays where it is.
        live enabled: bool = true,
        /// Whose messages are archived for a user who has not said anything else (XEP-0441): "always": everybody's;
        /// "roster": those of contacts; "never": nobody's.
        live default_preference: ArchivePolicy = ArchivePolicy::Always,
        /// Days after which an archived message is deleted; 0: never.
        live (0, 36_500) retention_days: u32 = 0,
        /// Messages on a page for a client that does not say how many it wants.
        live (1, 10_000) page_messages: usize = 50,
    }
}

section! {
    /// Notifications by which the push services of mobile clients wake them (XEP-0357).
    pub struct Push in "push" {
        /// Let clients register with push services. Turned off, no notifications are sent.
        live enabled: bool = true,
        /// Take a client that says its user does not look at it (XEP-0352) for one that is away: the system of many a phone
        /// stops it soon after. Turned off, it is told when its connection is gone.
        live inactive_is_away: bool = true,
        /// Tell push services who wrote and what. They belong to the makers of the clients, and pass it on to those of
        /// the devices. Without it they learn how much there is and nothing else.
        live include_content: bool = false,
        /// What stands in the place of a text that is not told: some push services wake a device for certain only if
        /// there is one. "" leaves it out.
        live placeholder: String = "New message".to_owned(),
        /// Seconds after which a notification that failed for the time being is tried again; each time twice as long.
        live retry_seconds: Duration = Duration::from_secs(30),
    }
}

section! {
    /// Servers beside this one that clients need, for calls above all (XEP-0215).
    pub struct External in "external" {
        /// STUN and TURN servers:
        /// [{ type = "stun", host = "turn.example.org" }, { type = "turn", host = "turn.example.org", secret = "..." }].
        /// `secret` is what coturn has as `static-auth-secret`: each user gets credentials of its own, good for
        /// `credential_seconds`. Or `username` and `password`, the same for all users. Optional are `port` (3478; for
        /// "stuns" and "turns", which are over TLS, 5349), `transport` ("udp"; for those "tcp") and `name`.
        live services: Vec<ExternalService> = Vec::new(),
        /// Seconds that credentials made with a `secret` are good for. A call that lasts longer ends then.
        live (60, 31_536_000) credential_seconds: u32 = 86_400,
    }
}

section! {
    /// Publish-subscribe (XEP-0060): the service at `pubsub.` and a domain. The nodes of accounts (XEP-0163: avatars,
    /// bookmarks, keys for encryption) are not concerned.
    pub struct Pubsub in "pubsub" {
        /// Who may make nodes at the service: "admins": those in `admins`; "everybody": every account of this server.
        live create: NodeCreation = NodeCreation::Admins,
    }
}

section! {
    /// Rooms (XEP-0045): the service at `conference.` and a domain.
    pub struct Rooms in "rooms" {
        /// Offer rooms. Turned off, those there are stay where they are.
        live enabled: bool = true,
        /// Who may make rooms: "everybody": every account of this server; "admins": those in `admins`; "nobody": only
        /// `magpie room create`.
        live create: RoomCreation = RoomCreation::Everybody,
        /// New rooms stay when the last occupant leaves, unless their owner says otherwise.
        live default_persistent: bool = false,
        /// New rooms can be found by everybody.
        live default_public: bool = true,
        /// New rooms are for members only.
        live default_members_only: bool = false,
        /// New rooms show the addresses of occupants to all, not only to moderators.
        live default_non_anonymous: bool = false,
        /// New rooms are moderated: who is not a member needs voice to speak.
        live default_moderated: bool = false,
        /// Messages of persistent rooms are archived, unless their owner says otherwise.
        live default_archive: bool = true,
        /// Messages that somebody who enters is sent, unless the owner says otherwise.
        live (0, 500) default_history: u32 = 20,
        /// Occupants up to whom everybody sees everybody. In a larger room all see moderators, moderators see all, and the
        /// others are not shown to each other.
        live (2, 1_000_000) presence_occupants_max: usize = 2_000,
        /// Days after which an archived message of a room is deleted; 0: never.
        live (0, 36_500) retention_days: u32 = 0,
        /// Days for which nobody may make a room with the name of one that was destroyed: clients go on trying to enter, and
        /// must not find a stranger's. 0: not at all.
        live (0, 3_650) destroyed_days: u32 = 31,
    }
}

section! {
    /// Whom to write to about this server (XEP-0157): lists of addresses such as "mailto:abuse@example.org" or
    /// "xmpp:admin@example.org". Empty ones are not published.
    pub struct Contact in "contact" {
        /// Misuse of the service.
        live abuse: Vec<String> = Vec::new(),
        /// Its administrators.
        live admin: Vec<String> = Vec::new(),
        /// Praise and blame.
        live feedback: Vec<String> = Vec::new(),
        /// Buying.
        live sales: Vec<String> = Vec::new(),
        /// Vulnerabilities (RFC 9116).
        live security: Vec<String> = Vec::new(),
        /// A page that says whether the service is up.
        live status: Vec<String> = Vec::new(),
        /// Help.
        live support: Vec<String> = Vec::new(),
    }
}

section! {
    /// What the server tells about itself (XEP-0092).
    pub struct Software in "software" {
        /// Name the operating system as well.
        live show_os: bool = false,
    }
}

section! {
    /// The database, `magpie.db` in `data_dir`.
    pub struct StorageConfig in "storage" {
        /// Connections that read at the same time. There is always one that writes.
        restart (1, 64) readers: usize = 2,
        /// Memory each connection may use to cache pages, in KiB; the one that writes never less than 8192.
        restart (256, 4_194_304) cache_kib: usize = 1_024,
        /// Size of the database in MiB; beyond it writes are refused, and senders told. 0: as the disk allows.
        restart (0, 1_073_741_824) size_mib_max: usize = 0,
    }
}

section! {
    /// The log, on standard error. No message bodies and no passwords, at any level.
    pub struct Log in "log" {
        /// "error", "warn", "info", "debug" or "trace", or a list with parts of the server:
        /// "info,magpie::storage=debug".
        live level: String = "info".to_owned(),
        /// "human": lines for people; "json": one object per line.
        restart format: LogFormat = LogFormat::Human,
    }
}

/// Whose messages are archived (XEP-0441 §2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ArchivePolicy {
    /// Everybody's.
    #[default]
    Always,
    /// Those of contacts.
    Roster,
    /// Nobody's.
    Never,
}

impl ArchivePolicy {
    /// As it is called in the settings and in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Roster => "roster",
            Self::Never => "never",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Always, Self::Roster, Self::Never].into_iter().find(|policy| policy.name() == name)
    }
}

impl Choice for ArchivePolicy {
    const ALL: &'static [(&'static str, Self)] =
        &[("always", Self::Always), ("roster", Self::Roster), ("never", Self::Never)];
}

impl Value for ArchivePolicy {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        read_choice(at, reading)
    }

    fn show(&self) -> Toml {
        show_choice(*self)
    }
}

/// Who may make nodes at the publish-subscribe service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NodeCreation {
    /// The administrators.
    #[default]
    Admins,
    /// Every account.
    Everybody,
}

impl Choice for NodeCreation {
    const ALL: &'static [(&'static str, Self)] = &[("admins", Self::Admins), ("everybody", Self::Everybody)];
}

impl Value for NodeCreation {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        read_choice(at, reading)
    }

    fn show(&self) -> Toml {
        show_choice(*self)
    }
}

/// Who may make rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RoomCreation {
    /// Every account.
    #[default]
    Everybody,
    /// The administrators.
    Admins,
    /// Nobody by means of a client.
    Nobody,
}

impl Choice for RoomCreation {
    const ALL: &'static [(&'static str, Self)] =
        &[("everybody", Self::Everybody), ("admins", Self::Admins), ("nobody", Self::Nobody)];
}

impl Value for RoomCreation {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        read_choice(at, reading)
    }

    fn show(&self) -> Toml {
        show_choice(*self)
    }
}

/// Who may make an account from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RegistrationMode {
    /// Nobody.
    Closed,
    /// Who has an invitation.
    #[default]
    Invite,
    /// Everybody.
    Open,
}

impl Choice for RegistrationMode {
    const ALL: &'static [(&'static str, Self)] =
        &[("closed", Self::Closed), ("invite", Self::Invite), ("open", Self::Open)];
}

impl Value for RegistrationMode {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        read_choice(at, reading)
    }

    fn show(&self) -> Toml {
        show_choice(*self)
    }
}

/// Who may make invitations from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inviters {
    /// Nobody: only the operator makes them.
    Nobody,
    /// The administrators.
    Admins,
    /// Every account.
    Everybody,
}

impl Choice for Inviters {
    const ALL: &'static [(&'static str, Self)] =
        &[("nobody", Self::Nobody), ("admins", Self::Admins), ("everybody", Self::Everybody)];
}

impl Value for Inviters {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        read_choice(at, reading)
    }

    fn show(&self) -> Toml {
        show_choice(*self)
    }
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

impl Choice for LogFormat {
    const ALL: &'static [(&'static str, Self)] = &[("human", Self::Human), ("json", Self::Json)];
}

impl Value for LogFormat {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        read_choice(at, reading)
    }

    fn show(&self) -> Toml {
        show_choice(*self)
    }
}

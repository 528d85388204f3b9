//! A server beside this one that clients are told about (XEP-0215), as it stands in the settings.

use std::fmt;

use toml::{Spanned, Table, Value as Toml, de::DeValue};

use super::{
    problem::{choices, nearest},
    section::Bounds,
    value::{Fault, NOT_SHOWN, Reading, Value},
};

/// A STUN or TURN server, or whatever else has a type of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalService {
    /// `stun`, `turn` …
    pub kind: String,
    /// Its name or address.
    pub host: String,
    /// Its port; a type we know has one by default.
    pub port: Option<u16>,
    /// `udp` or `tcp`; a type we know has one by default.
    pub transport: Option<String>,
    /// For people.
    pub name: Option<String>,
    /// What it asks of a client.
    pub access: Access,
}

/// What a service asks of a client.
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Open,
    /// The same user name and password of all.
    Static {
        /// The user name.
        username: String,
        /// The password.
        password: String,
    },
    /// Credentials that are made for a while from a secret it shares with us.
    Shared(String),
}

const KEYS: [&str; 8] = ["type", "host", "port", "transport", "name", "username", "password", "secret"];

/// Types of calls with their ports and transports (RFC 8489 §18.6; TURN has the same ones).
const OF_CALLS: [(&str, u16, &str); 4] =
    [("stun", 3478, "udp"), ("turn", 3478, "udp"), ("stuns", 5349, "tcp"), ("turns", 5349, "tcp")];

impl ExternalService {
    /// Something for calls?
    pub(super) fn is_of_calls(&self) -> bool {
        OF_CALLS.iter().any(|(kind, ..)| *kind == self.kind)
    }

    /// Would strangers like to use it?
    pub(super) fn relays(&self) -> bool {
        matches!(self.kind.as_str(), "turn" | "turns")
    }

    /// The same door?
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let door = |s: &Self| (s.kind.clone(), s.host.to_ascii_lowercase(), s.port, s.transport.clone());
        door(self) == door(other)
    }
}

impl fmt::Display for ExternalService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.transport.iter().try_for_each(|transport| write!(f, "?transport={transport}"))
    }
}

/// Settings are logged now and then.
impl fmt::Debug for ExternalService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What was written, before it is known whether it makes sense.
#[derive(Default)]
struct Written {
    kind: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    transport: Option<String>,
    name: Option<String>,
    username: Option<String>,
    password: Option<String>,
    secret: Option<String>,
}

impl Value for ExternalService {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        let DeValue::Table(table) = at.get_ref() else {
            return reading.expected(at, "a table such as { type = \"stun\", host = \"stun.example.org\" }");
        };
        let faults_before = reading.faults.len();
        let mut written = Written::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "type" => written.kind = checked(value, reading, "a type such as \"turn\"", is_word),
                "host" => written.host = checked(value, reading, "the name or address of a host", is_host),
                "port" => written.port = port(value, reading),
                "transport" => {
                    written.transport = checked(value, reading, "`udp` or `tcp`", |t| matches!(t, "udp" | "tcp"));
                }
                "name" => written.name = String::read(value, reading),
                "username" => written.username = checked(value, reading, "a text", is_something),
                "password" => written.password = checked(value, reading, "a text", is_something),
                "secret" => written.secret = checked(value, reading, "a text", is_something),
                other => {
                    let message = format!("unknown setting `{other}` of a service, expected {}", choices(KEYS));
                    let help = nearest(other, KEYS).map(|name| format!("did you mean `{name}`?"));
                    reading.faults.push(Fault { span: key.span(), message, help });
                }
            }
        }
        for required in ["type", "host"] {
            if !table.contains_key(required) {
                reading.fault::<Self>(at, format!("this service has no `{required}`"), None);
            }
        }
        let access = access(at, reading, table.contains_key("secret"), &mut written);
        if reading.faults.len() > faults_before {
            return None;
        }
        let Written { kind, host, port, transport, name, .. } = written;
        let (kind, host) = (kind?, host?);
        let usual = OF_CALLS.iter().find(|(of_calls, ..)| *of_calls == kind);
        let port = port.or(usual.map(|(_, port, _)| *port));
        let transport = transport.or(usual.map(|(.., transport)| (*transport).to_owned()));
        Some(Self { kind, host, port, transport, name, access: access? })
    }

    fn show(&self) -> Toml {
        let mut table = Table::new();
        let mut put = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                table.insert(key.into(), value.into());
            }
        };
        put("type", Some(&self.kind));
        put("host", Some(&self.host));
        put("transport", self.transport.as_deref());
        put("name", self.name.as_deref());
        match &self.access {
            Access::Open => {}
            Access::Static { username, password } => {
                put("username", Some(username));
                put("password", Some(password));
            }
            Access::Shared(secret) => put("secret", Some(secret)),
        }
        if let Some(port) = self.port {
            table.insert("port".into(), i64::from(port).into());
        }
        Toml::Table(table)
    }
}

/// Both or neither, and not both ways at once.
fn access(
    at: &Spanned<DeValue<'_>>,
    reading: &mut Reading<'_>,
    has_secret: bool,
    written: &mut Written,
) -> Option<Access> {
    match (written.username.take(), written.password.take(), written.secret.take()) {
        (None, None, None) => Some(Access::Open),
        (None, None, Some(secret)) => Some(Access::Shared(secret)),
        (Some(username), Some(password), None) if !has_secret => Some(Access::Static { username, password }),
        (_, _, Some(_)) => reading.fault(at, "use either `secret` or `username` and `password`".into(), None),
        _ => reading.fault(at, "`username` and `password` go together".into(), None),
    }
}

fn port(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<u16> {
    let before = std::mem::replace(&mut reading.bounds, Bounds { least: 1, most: u16::MAX.into() });
    let port = u32::read(at, reading);
    reading.bounds = before;
    u16::try_from(port?).ok()
}

fn checked(
    at: &Spanned<DeValue<'_>>,
    reading: &mut Reading<'_>,
    what: &str,
    is_good: impl Fn(&str) -> bool,
) -> Option<String> {
    let text = String::read(at, reading)?;
    if text == NOT_SHOWN {
        let message = format!("\"{NOT_SHOWN}\" stands for a secret that was not printed: put it in here");
        return reading.fault(at, message, None);
    }
    if is_good(&text) { Some(text) } else { reading.expected(at, what) }
}

/// A name without colon, as the schema wants it (§9), of the characters that are in use.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn is_host(text: &str) -> bool {
    let address = text.parse::<std::net::IpAddr>().is_ok();
    let label = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    address || !text.is_empty() && text.len() <= 255 && text.split('.').all(|l| !l.is_empty() && l.chars().all(label))
}

fn is_something(text: &str) -> bool {
    !text.is_empty()
}

//! How one value of the file (or of a flag, or of the environment) becomes a Rust value, and how it is printed again.
//!
//! Every fault is noted with its own place and reading goes on: an operator sees all mistakes of a file at once.

use std::{
    net::SocketAddr,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::{Spanned, Table, Value as Toml, de::DeValue};

use super::{
    problem::{choices, nearest},
    section::Bounds,
};
use crate::net::addr::{IpNet, IpNetError};

/// Something wrong with a value; the reader knows which file or variable the span belongs to.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// What a value is read with, and where its faults go.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    pub(super) bounds: Bounds,
    /// Paths written in a file are relative to it.
    pub(super) base: Option<&'a Path>,
    pub(super) faults: Vec<Fault>,
}

impl Reading<'_> {
    pub(super) fn fault<T>(&mut self, at: &Spanned<DeValue<'_>>, message: String, help: Option<String>) -> Option<T> {
        self.faults.push(Fault { span: at.span(), message, help });
        None
    }

    pub(super) fn expected<T>(&mut self, at: &Spanned<DeValue<'_>>, what: &str) -> Option<T> {
        self.fault(at, format!("expected {what}, found {}", found(at.get_ref())), None)
    }
}

fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text \"{text}\""),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// A type a setting can have.
pub(crate) trait Value: Sized {
    /// Reads it; faults are noted.
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self>;
    /// The TOML that reads as this value.
    fn show(&self) -> Toml;
}

impl Value for bool {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        match at.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => reading.expected(at, "true or false"),
        }
    }

    fn show(&self) -> Toml {
        Toml::Boolean(*self)
    }
}

fn read_number(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>, most: u64) -> Option<u64> {
    let Bounds { least, most } = Bounds { most: reading.bounds.most.min(most), ..reading.bounds };
    let number = match at.get_ref() {
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok(),
        // Environment and flags are text.
        DeValue::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let range = match most {
        most if most >= Bounds::DEFAULT.most => format!("a whole number, {least} or more"),
        most => format!("a whole number from {least} to {most}"),
    };
    match number.and_then(|number| u64::try_from(number).ok()) {
        Some(number) if (least..=most).contains(&number) => Some(number),
        _ => reading.expected(at, &range),
    }
}

impl Value for usize {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        Self::try_from(read_number(at, reading, Self::MAX as u64)?).ok()
    }

    fn show(&self) -> Toml {
        Toml::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl Value for u32 {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        Self::try_from(read_number(at, reading, Self::MAX.into())?).ok()
    }

    fn show(&self) -> Toml {
        Toml::Integer((*self).into())
    }
}

/// Seconds, whole or with a fraction.
impl Value for Duration {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        let number = match at.get_ref() {
            DeValue::Integer(number) => number.to_string().parse::<f64>().ok(),
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        // A century: far from every overflow of a deadline.
        let most = reading.bounds.most.min(3_155_760_000) as f64;
        let least = if reading.bounds.least == 0 { 0.0 } else { 0.001 };
        match number {
            Some(number) if (least..=most).contains(&number) => {
                Some(Self::from_millis((number * 1000.0).round() as u64))
            }
            _ => reading.expected(at, &format!("seconds from {least} to {most}")),
        }
    }

    fn show(&self) -> Toml {
        match self.subsec_millis() {
            0 => Toml::Integer(i64::try_from(self.as_secs()).unwrap_or(i64::MAX)),
            _ => Toml::Float(self.as_secs_f64()),
        }
    }
}

impl Value for String {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        match at.get_ref() {
            DeValue::String(text) => Some(text.trim().to_owned()),
            _ => reading.expected(at, "a text in quotes"),
        }
    }

    fn show(&self) -> Toml {
        Toml::String(self.clone())
    }
}

impl Value for PathBuf {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        match at.get_ref() {
            DeValue::String(text) if text.is_empty() => reading.expected(at, "a path"),
            DeValue::String(text) => {
                let base = reading.base.filter(|base| !base.as_os_str().is_empty());
                Some(base.map_or_else(|| Self::from(&**text), |base| base.join(&**text)))
            }
            _ => reading.expected(at, "a path in quotes"),
        }
    }

    fn show(&self) -> Toml {
        Toml::String(self.display().to_string())
    }
}

impl Value for SocketAddr {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        const EXPECTED: &str = "an `address:port` such as \"0.0.0.0:5222\" or \"[::]:5222\"";
        let DeValue::String(text) = at.get_ref() else { return reading.expected(at, EXPECTED) };
        if let Ok(address) = text.trim().parse() {
            return Some(address);
        }
        let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
        let help = match host {
            _ if port.parse::<u16>().is_err() => None,
            "" | "*" => Some(format!("for all addresses, write both \"0.0.0.0:{port}\" and \"[::]:{port}\"")),
            "localhost" => Some(format!("for this machine only, write both \"127.0.0.1:{port}\" and \"[::1]:{port}\"")),
            host if host.contains(':') => Some(format!("did you mean \"[{}]:{port}\"?", host.trim_matches(['[', ']']))),
            _ => None,
        };
        reading.fault(at, format!("expected {EXPECTED}, found the text \"{text}\""), help)
    }

    fn show(&self) -> Toml {
        Toml::String(self.to_string())
    }
}

impl Value for IpNet {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        const EXPECTED: &str =
            "an address or a block of addresses such as `192.0.2.7`, `10.0.0.0/8` or `2001:db8::/32`";
        let DeValue::String(text) = at.get_ref() else { return reading.expected(at, EXPECTED) };
        match text.trim().parse() {
            Ok(network) => Some(network),
            Err(IpNetError::HostBits { given, meant }) => {
                let message = format!("\"{given}\" is neither a block nor one address of it");
                reading.fault(at, message, Some(format!("did you mean \"{meant}\"?")))
            }
            Err(_) => reading.expected(at, EXPECTED),
        }
    }

    fn show(&self) -> Toml {
        Toml::String(self.to_string())
    }
}

/// A list; a single value stands for a list of one.
impl<T: Value> Value for Vec<T> {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        let DeValue::Array(items) = at.get_ref() else { return Some(vec![T::read(at, reading)?]) };
        let read: Vec<Option<T>> = items.iter().map(|item| T::read(item, reading)).collect();
        read.into_iter().collect()
    }

    fn show(&self) -> Toml {
        Toml::Array(self.iter().map(Value::show).collect())
    }
}

/// A word out of a few.
pub(crate) trait Choice: Copy + PartialEq + 'static {
    /// All of them, with the word for each.
    const ALL: &'static [(&'static str, Self)];
}

/// Reads one of a few words.
pub(super) fn read_choice<T: Choice>(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<T> {
    let names = || T::ALL.iter().map(|(name, _)| *name);
    let DeValue::String(text) = at.get_ref() else { return reading.expected(at, &choices(names())) };
    if let Some((_, value)) = T::ALL.iter().find(|(name, _)| *name == text.trim()) {
        return Some(*value);
    }
    let help = nearest(text, names()).map(|name| format!("did you mean `{name}`?"));
    reading.fault(at, format!("expected {}, found the text \"{text}\"", choices(names())), help)
}

/// What stands in the place of a secret that is printed.
pub(super) const NOT_SHOWN: &str = "(not shown)";

/// A value without the secrets in it, for everything that is printed: it ends up in bug reports.
pub(super) fn without_secrets(value: &Toml) -> Toml {
    match value {
        Toml::Array(items) => Toml::Array(items.iter().map(without_secrets).collect()),
        Toml::Table(table) => {
            let shown = |(key, value): (&String, &Toml)| match key.as_str() {
                "secret" | "password" => (key.clone(), NOT_SHOWN.into()),
                _ => (key.clone(), without_secrets(value)),
            };
            Toml::Table(table.iter().map(shown).collect())
        }
        other => other.clone(),
    }
}

/// The word for a choice.
pub(super) fn show_choice<T: Choice>(value: T) -> Toml {
    let word = T::ALL.iter().find(|(_, one)| *one == value).map_or("", |(name, _)| name);
    Toml::String(word.to_owned())
}

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Certificate {
    /// The chain in PEM, leaf first.
    pub cert: PathBuf,
    /// The private key in PEM.
    pub key: PathBuf,
    /// Domains it is used for; empty: the names inside the certificate.
    pub domains: Vec<String>,
}

impl Value for Certificate {
    fn read(at: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Self> {
        const KEYS: [&str; 3] = ["cert", "key", "domains"];
        let DeValue::Table(table) = at.get_ref() else {
            return reading.expected(at, "a table such as { cert = \"chain.pem\", key = \"key.pem\" }");
        };
        let faults_before = reading.faults.len();
        let mut read = Self::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "cert" => read.cert = PathBuf::read(value, reading).unwrap_or_default(),
                "key" => read.key = PathBuf::read(value, reading).unwrap_or_default(),
                "domains" => read.domains = Vec::read(value, reading).unwrap_or_default(),
                other => {
                    let message = format!("unknown setting `{other}` of a certificate, expected {}", choices(KEYS));
                    let help = nearest(other, KEYS).map(|name| format!("did you mean `{name}`?"));
                    reading.faults.push(Fault { span: key.span(), message, help });
                }
            }
        }
        for required in ["cert", "key"] {
            if !table.contains_key(required) {
                reading.fault::<Self>(at, format!("this certificate has no `{required}`"), None);
            }
        }
        (reading.faults.len() == faults_before).then_some(read)
    }

    fn show(&self) -> Toml {
        let mut table = Table::new();
        table.insert("cert".into(), self.cert.show());
        table.insert("key".into(), self.key.show());
        if !self.domains.is_empty() {
            table.insert("domains".into(), self.domains.show());
        }
        Toml::Table(table)
    }
}

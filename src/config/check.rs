//! Checks of settings that read well one by one: do they make sense together? All are made, none stops the others.
//! What only the machine knows (ports, certificates, DNS) is checked by `magpie check`.

use tracing_subscriber::EnvFilter;

use super::{
    Access, Config, RegistrationMode,
    problem::{choices, nearest},
    reader::Reader,
    web,
};

/// SASL mechanisms by the names `auth.mechanisms_disabled` knows.
const MECHANISMS: [&str; 8] = [
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256-PLUS",
    "PLAIN",
    "HT-SHA-256-EXPR",
    "HT-SHA-256-ENDP",
    "HT-SHA-256-NONE",
];
/// So many of them are for passwords; with a token alone nobody could begin.
const FOR_PASSWORDS: usize = 5;

pub(super) fn check(config: &Config, reader: &mut Reader<'_>) {
    domains(config, reader);
    admins(config, reader);
    listeners(config, reader);
    certificates(config, reader);
    authentication(config, reader);
    external(config, reader);
    contact(config, reader);
    web::check(config, reader);
    limits(config, reader);
    log(config, reader);
}

/// tracing takes a bare word as the name of a part of the program, so `inof` would silence the whole server.
fn log(config: &Config, reader: &mut Reader<'_>) {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let level = &config.log.level;
    for word in level.split(',').map(str::trim).filter(|word| !word.contains(['=', '['])) {
        if !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word)) {
            let help = nearest(word, LEVELS).map(|near| format!(": did you mean \"{near}\"?")).unwrap_or_default();
            reader.error("log.level", None, format!("expected {}, found \"{word}\"{help}", choices(LEVELS)));
            return;
        }
    }
    if let Err(error) = level.parse::<EnvFilter>() {
        reader.error("log.level", None, format!("\"{level}\" is not a log filter: {error}"));
    }
}

/// Why this cannot be a domainpart (RFC 7622 §3.2); the finer rules are those of the JID type.
fn domain_fault(domain: &str) -> Option<&'static str> {
    let address = domain.starts_with('[') && domain.ends_with(']');
    if domain.is_empty() || domain.len() > 1023 {
        Some("a domain has 1 to 1023 bytes")
    } else if domain.contains(['@', '/']) {
        Some("write the domain alone, the part of an address after the @")
    } else if domain.contains(char::is_whitespace) || domain.contains(char::is_control) {
        Some("a domain has no spaces")
    } else if domain.contains(':') && !address {
        Some("write the domain without a port (and an IPv6 address in brackets)")
    } else if domain.starts_with('.') || domain.ends_with('.') || domain.contains("..") {
        Some("a domain neither begins nor ends with a dot, nor has two in a row")
    } else {
        None
    }
}

fn domains(config: &Config, reader: &mut Reader<'_>) {
    if config.domains.is_empty() {
        reader.error("domains", None, "expected at least one domain".into());
    }
    for (at, domain) in config.domains.iter().enumerate() {
        if let Some(fault) = domain_fault(domain) {
            reader.error("domains", Some(at), format!("\"{domain}\" is not a domain: {fault}"));
        } else if config.domains[..at].contains(domain) {
            reader.error("domains", Some(at), format!("\"{domain}\" stands here twice"));
        }
    }
}

fn admins(config: &Config, reader: &mut Reader<'_>) {
    for (at, admin) in config.admins.iter().enumerate() {
        match admin.split_once('@') {
            Some((local, domain)) if !local.is_empty() && domain_fault(domain).is_none() => {
                if !config.domains.iter().any(|served| served.eq_ignore_ascii_case(domain)) {
                    reader.warn("admins", Some(at), format!("\"{domain}\" is not among the domains served here"));
                }
            }
            _ => {
                reader.error("admins", Some(at), format!("\"{admin}\" is not an address such as \"romeo@example.org\""))
            }
        }
    }
}

fn listeners(config: &Config, reader: &mut Reader<'_>) {
    let c2s = &config.c2s;
    let keys = [
        ("c2s.listen", &c2s.listen),
        ("c2s.tls_listen", &c2s.tls_listen),
        ("http.listen", &config.http.listen),
        ("http.tls_listen", &config.http.tls_listen),
        ("metrics.listen", &config.metrics.listen),
    ];
    let mut seen = Vec::new();
    for (key, addresses) in keys {
        for (at, address) in addresses.iter().enumerate() {
            let first = seen.iter().find(|(_, other)| other == address && address.port() != 0);
            if let Some((other, _)) = first {
                let why = match (*other, key) {
                    ("c2s.tls_listen", "http.tls_listen") => ": it takes client streams as well, leave it out of c2s",
                    _ => "",
                };
                reader.error(key, Some(at), format!("\"{address}\" is listened on twice{why}"));
            }
            seen.push((key, *address));
            if key == "c2s.listen" && c2s.allow_plaintext_auth && !config.plaintext_auth_at(*address) {
                let message = format!("allow_plaintext_auth is refused at {address}, which is not a loopback address");
                reader.warn(key, Some(at), format!("{message}: clients there must use TLS"));
            }
        }
    }
    if c2s.listen.is_empty() && c2s.tls_listen.is_empty() && config.http.tls_listen.is_empty() {
        reader.warn("c2s.listen", None, "listen and tls_listen are both empty: no client can connect".into());
    }
    if c2s.allow_plaintext_auth && c2s.listen.iter().any(|address| config.plaintext_auth_at(*address)) {
        let message = "passwords may cross loopback connections unencrypted: for tests only";
        reader.warn("c2s.allow_plaintext_auth", None, message.into());
    }
}

fn certificates(config: &Config, reader: &mut Reader<'_>) {
    for (at, certificate) in config.tls.certificates.iter().enumerate() {
        for domain in certificate.domains.iter().filter(|domain| !serves(config, domain)) {
            reader.warn("tls.certificates", Some(at), format!("\"{domain}\" is not among the domains served here"));
        }
    }
}

fn serves(config: &Config, domain: &str) -> bool {
    config.domains.iter().any(|served| served.eq_ignore_ascii_case(domain))
}

fn authentication(config: &Config, reader: &mut Reader<'_>) {
    let auth = &config.auth;
    for (at, domain) in auth.anonymous_domains.iter().enumerate().filter(|(_, domain)| !serves(config, domain)) {
        reader.error("auth.anonymous_domains", Some(at), format!("\"{domain}\" is not among the domains served here"));
    }
    for (at, mechanism) in auth.mechanisms_disabled.iter().enumerate() {
        if !MECHANISMS.contains(&mechanism.as_str()) {
            let message =
                format!("\"{mechanism}\" is not a mechanism of this server: expected {}", choices(MECHANISMS));
            reader.error("auth.mechanisms_disabled", Some(at), message);
        }
    }
    if MECHANISMS[..FOR_PASSWORDS]
        .iter()
        .all(|mechanism| auth.mechanisms_disabled.iter().any(|disabled| disabled == mechanism))
    {
        reader.error("auth.mechanisms_disabled", None, "no mechanism is left: nobody could log in".into());
    }
    let open_to_all = config.registration.mode == RegistrationMode::Open;
    let c2s = config.c2s.listen.iter().chain(&config.c2s.tls_listen);
    if open_to_all && c2s.chain(&config.http.tls_listen).any(|address| !address.ip().is_loopback()) {
        reader.warn("registration.mode", None, "anybody can make accounts: spammers look for such servers".into());
    }
}

fn external(config: &Config, reader: &mut Reader<'_>) {
    let services = &config.external.services;
    for (at, service) in services.iter().enumerate() {
        if services[..at].iter().any(|other| other.is_same(service)) {
            reader.error("external.services", Some(at), format!("\"{service}\" stands here twice"));
        }
        if !service.is_of_calls() {
            let message =
                format!("\"{}\" is not a type clients know: \"stun\", \"stuns\", \"turn\", \"turns\"", service.kind);
            reader.warn("external.services", Some(at), message);
        } else if service.relays() && service.access == Access::Open {
            reader.warn("external.services", Some(at), format!("\"{service}\" has neither `secret` nor `password`"));
        }
    }
}

fn contact(config: &Config, reader: &mut Reader<'_>) {
    let contact = config.views().into_iter().find(|section| section.name == "contact");
    for setting in contact.iter().flat_map(|section| &section.settings) {
        let addresses = setting.value.as_array().into_iter().flatten().filter_map(toml::Value::as_str);
        for (at, address) in addresses.enumerate() {
            let is_uri = address.split_once(':').is_some_and(|(scheme, rest)| {
                let mut letters = scheme.chars();
                let first = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
                first && letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) && !rest.is_empty()
            });
            if !is_uri {
                let expected = "such as \"mailto:abuse@example.org\" or \"xmpp:admin@example.org\"";
                reader.error(
                    &format!("contact.{}", setting.name),
                    Some(at),
                    format!("expected a URI {expected}, found \"{address}\""),
                );
            }
        }
    }
}

/// Limits of which one must not exceed the other.
fn limits(config: &Config, reader: &mut Reader<'_>) {
    let limits = &config.limits;
    let pairs = [
        (
            "stanza_bytes_before_auth_max",
            limits.stanza_bytes_before_auth_max,
            "stanza_bytes_max",
            limits.stanza_bytes_max,
        ),
        ("stanza_bytes_max", limits.stanza_bytes_max, "outbox_bytes_max", limits.outbox_bytes_max),
        ("stanza_bytes_max", limits.stanza_bytes_max, "parked_bytes_max", limits.parked_bytes_max),
        ("stanza_bytes_max", limits.stanza_bytes_max, "writer_queue_bytes_max", limits.writer_queue_bytes_max),
        ("writer_batch_max", limits.writer_batch_max, "writer_queue_max", limits.writer_queue_max),
        ("sasl_bytes_max", limits.sasl_bytes_max, "stanza_bytes_before_auth_max", limits.stanza_bytes_before_auth_max),
        ("vcard_bytes_max", limits.vcard_bytes_max, "stanza_bytes_max", limits.stanza_bytes_max),
        ("private_bytes_max", limits.private_bytes_max, "stanza_bytes_max", limits.stanza_bytes_max),
    ];
    for (small_name, small, large_name, large) in pairs {
        if small > large {
            // Shown at the one the operator wrote.
            let shown = if reader.is_given(&format!("limits.{large_name}")) { large_name } else { small_name };
            let message = format!("`{small_name}` ({small}) must not be more than `{large_name}` ({large})");
            reader.error(&format!("limits.{shown}"), None, message);
        }
    }
}

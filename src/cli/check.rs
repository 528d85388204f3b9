//! `magpie check`: what operators get wrong, found before a client finds it. Settings, certificates, ports, DNS, disk.

use std::{
    fmt,
    io::{self, Write},
};

use serde::Serialize;
use serde_json::json;

use super::{Exit, args::Check, config_cmd};
use crate::{
    clock,
    config::{Config, Overrides},
};

mod certificates;
mod dns;
mod machine;

pub use dns::{Resolve, Srv, SystemResolver};

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Works, but probably not as meant.
    Warning,
    /// Does not work.
    Error,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `settings`, `certificates`, `ports`, `dns`, `disk`, `web` or `system`.
    pub area: &'static str,
    /// How it stands.
    pub outcome: Outcome,
    /// What was found, and what to do about it.
    pub message: String,
}

impl Finding {
    fn new(area: &'static str, outcome: Outcome, message: impl Into<String>) -> Self {
        Self { area, outcome, message: message.into() }
    }
}

/// Checks everything. `is_running` tells whether a server answers on the control socket of these settings: its ports
/// are then held by itself.
pub async fn run(
    args: &Check,
    overrides: &Overrides,
    as_json: bool,
    is_running: impl Fn(&Config) -> bool,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let loaded = match Config::load(overrides) {
        Ok(loaded) => loaded,
        Err(errors) => return config_cmd::refuse(&errors, as_json, out, err),
    };
    let config = &loaded.config;
    let running = is_running(config);
    let file = loaded.source.file.as_ref().map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    let mut findings =
        vec![Finding::new("settings", Outcome::Ok, format!("{file}, serving {}", config.domains.join(", ")))];
    findings
        .extend(loaded.warnings.iter().map(|warning| Finding::new("settings", Outcome::Warning, warning.to_string())));
    findings.extend(certificates::check(config, clock::now_micros() / 1_000_000));
    findings.extend(machine::ports(config, running));
    if !args.no_dns {
        match SystemResolver::new() {
            Ok(resolver) => findings.extend(dns::check(config, &resolver).await),
            Err(error) => findings.push(Finding::new("dns", Outcome::Warning, format!("cannot ask DNS: {error}"))),
        }
    }
    findings.extend(machine::disk(config));
    findings.push(machine::web_client(config));
    findings.extend(machine::system(config));
    print(&findings, running, as_json, out)
}

fn print(findings: &[Finding], running: bool, as_json: bool, out: &mut impl Write) -> io::Result<Exit> {
    let count = |outcome| findings.iter().filter(|finding| finding.outcome == outcome).count();
    let (errors, warnings) = (count(Outcome::Error), count(Outcome::Warning));
    if as_json {
        let json = json!({ "findings": findings, "errors": errors, "warnings": warnings, "running": running });
        writeln!(out, "{json:#}")?;
    } else {
        for Finding { area, outcome, message } in findings {
            // The lines after the first stand under it.
            let message = message.replace('\n', &format!("\n{}", " ".repeat(23)));
            writeln!(out, "{outcome:<8} {area:<13} {message}")?;
        }
        let plural = |count, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        writeln!(out, "\n{}, {}", plural(errors, "error"), plural(warnings, "warning"))?;
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_align_and_errors_decide_the_exit_code() {
        let findings = [
            Finding::new("ports", Outcome::Ok, "127.0.0.1:5222 is free"),
            Finding::new("settings", Outcome::Warning, "m.toml:1:1: x\n  |"),
        ];
        let mut out = Vec::new();
        assert_eq!(print(&findings, false, false, &mut out).unwrap(), Exit::Done);
        let expected = "ok       ports         127.0.0.1:5222 is free\n\
                        warning  settings      m.toml:1:1: x\n                         |\n\n0 errors, 1 warning\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let bad = [Finding::new("disk", Outcome::Error, "full")];
        let mut out = Vec::new();
        assert_eq!(print(&bad, true, true, &mut out).unwrap(), Exit::Failed);
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&json["errors"], &json["findings"][0]["outcome"]), (&json!(1), &json!("error")));
    }

    #[tokio::test]
    async fn wrong_settings_are_reported_before_anything_else() {
        let flags = vec![("--domain", "a b".to_owned())];
        let overrides = Overrides { directory: "/nowhere".into(), flags, ..Overrides::default() };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = Check { no_dns: true, ..Check::default() };
        let exit = run(&args, &overrides, false, |_| false, &mut out, &mut err).await.unwrap();
        assert_eq!((exit, out.len()), (Exit::Usage, 0));
    }
}

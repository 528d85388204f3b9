//! `magpie config`: every setting, its value, and where it came from.

use std::io::{self, Write};

use serde_json::json;

use super::{Exit, args::Show};
use crate::config::{Config, ConfigErrors, Loaded, Overrides};

/// Prints the settings to `out`, warnings to `err`.
pub fn run(
    args: &Show,
    overrides: &Overrides,
    as_json: bool,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    if args.example {
        out.write_all(Config::example_toml().as_bytes())?;
        return Ok(Exit::Done);
    }
    let loaded = match Config::load(overrides) {
        Ok(loaded) => loaded,
        Err(errors) => return refuse(&errors, as_json, out, err),
    };
    let Loaded { config, warnings, source } = &loaded;
    if as_json {
        let json = json!({ "settings": config.effective_json(), "source": source, "warnings": warnings });
        writeln!(out, "{json:#}")?;
        return Ok(Exit::Done);
    }
    for warning in warnings {
        writeln!(err, "warning: {warning}\n")?;
    }
    match &source.file {
        Some(file) => writeln!(out, "# Settings in effect, with {}.\n", file.display())?,
        None => writeln!(out, "# Settings in effect, without a file.\n")?,
    }
    out.write_all(loaded.effective_toml().as_bytes())?;
    Ok(Exit::Done)
}

/// Says that the settings are wrong, for every command that needs them.
pub fn refuse(errors: &ConfigErrors, as_json: bool, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    if as_json {
        writeln!(out, "{:#}", json!({ "errors": errors.problems }))?;
    } else {
        let count = match errors.problems.len() {
            1 => "1 error".to_owned(),
            count => format!("{count} errors"),
        };
        writeln!(err, "{errors}\n\n{count} in the settings; nothing was done.")?;
    }
    Ok(Exit::Usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_with(domain: &str, as_json: bool) -> (Exit, String, String) {
        let flags = vec![("--domain", domain.to_owned())];
        let overrides = Overrides { directory: "/nowhere".into(), flags, ..Overrides::default() };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = run(&Show::default(), &overrides, as_json, &mut out, &mut err).unwrap();
        (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn prints_settings_with_their_origin() {
        let (exit, out, err) = run_with("example.org", false);
        assert_eq!((exit, err.as_str()), (Exit::Done, ""));
        assert!(out.starts_with("# Settings in effect, without a file.\n"));
        assert!(out.contains("\ndomains = [\"example.org\"]  # from --domain\n"), "{out}");
        let json: serde_json::Value = serde_json::from_str(&run_with("example.org", true).1).unwrap();
        assert_eq!(json["settings"]["domains"][0], "example.org");
        assert_eq!(json["source"]["origins"]["domains"]["flag"], "--domain");
    }

    #[test]
    fn wrong_settings_exit_with_two() {
        let (exit, out, err) = run_with("a b", false);
        assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
        assert_eq!(
            err,
            "error: --domain: \"a b\" is not a domain: a domain has no spaces\n\n1 error in the settings; nothing was done.\n"
        );
        let json: serde_json::Value = serde_json::from_str(&run_with("a b", true).1).unwrap();
        assert_eq!(json["errors"][0]["place"]["flag"], "--domain");
    }
}

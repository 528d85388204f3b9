//! Settings as TOML with their manual, and as JSON.

use std::fmt::Write;

use super::{Config, Loaded, Origin, Source, section::SectionView, value::without_secrets};

/// How settings stand in the printed file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// As settings.
    Effective,
    /// Commented out: a default that changes with a new version then changes for the reader too.
    Example,
}

impl Config {
    /// All settings as a TOML file with the manual as comments; but for secrets, which are not shown, it loads to the same
    /// settings.
    pub fn effective_toml(&self) -> String {
        print(&self.views(), Style::Effective, &Source::default())
    }

    /// All settings as JSON: those above the first section, and an object for each section.
    pub fn effective_json(&self) -> serde_json::Value {
        let mut root = serde_json::Map::new();
        for section in self.views() {
            let json = |value: &toml::Value| serde_json::to_value(without_secrets(value)).unwrap_or_default();
            let settings = section.settings.iter().map(|setting| (setting.name.to_owned(), json(&setting.value)));
            match section.name {
                "" => root.extend(settings),
                name => drop(root.insert(name.to_owned(), serde_json::Value::Object(settings.collect()))),
            }
        }
        serde_json::Value::Object(root)
    }

    /// `docs/magpie.toml`: every setting with its default, commented out.
    pub fn example_toml() -> String {
        print(&Self::default().views(), Style::Example, &Source::default())
    }
}

impl Loaded {
    /// As [`Config::effective_toml`], and behind each setting that is not a default where it came from.
    pub fn effective_toml(&self) -> String {
        print(&self.config.views(), Style::Effective, &self.source)
    }
}

fn print(views: &[SectionView], style: Style, source: &Source) -> String {
    let mut out = String::new();
    for section in views {
        if !section.name.is_empty() {
            out.push_str("\n\n");
        }
        comment(&mut out, &section.about);
        if !section.name.is_empty() {
            let _ = writeln!(out, "[{}]", section.name);
        }
        for setting in &section.settings {
            out.push('\n');
            comment(&mut out, &setting.doc);
            if !setting.live {
                out.push_str("# A change needs a restart.\n");
            }
            let mark = if style == Style::Example { "#" } else { "" };
            let _ = write!(out, "{mark}{} = {}", setting.name, without_secrets(&setting.value));
            match source.origins.get(&section.key(setting)) {
                Some(Origin::Environment(name) | Origin::Flag(name)) => drop(writeln!(out, "  # from {name}")),
                Some(Origin::File(line)) => drop(writeln!(out, "  # from line {line} of the file")),
                None => out.push('\n'),
            }
        }
    }
    out
}

fn comment(out: &mut String, lines: &[&str]) {
    for line in lines {
        let _ = writeln!(out, "# {}", line.trim());
    }
}

//! Gives each section its values from where they come first: flag, environment, file. Notes every problem with its
//! place, and where each setting came from.

use std::{collections::BTreeMap, ops::Range, path::PathBuf};

use serde::Serialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    overrides::Override,
    problem::{Place, Problem, nearest},
    section::{Bounds, SectionView, full_key},
    value::{Reading, Value},
};

/// Where a setting came from. What is not listed is a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A line of the file.
    File(usize),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(String),
}

/// The file while it is being read.
#[derive(Debug)]
pub(super) struct File<'a> {
    pub(super) name: String,
    pub(super) text: &'a str,
    pub(super) directory: PathBuf,
}

/// See the top of the file.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    file: Option<File<'a>>,
    root: DeTable<'a>,
    overrides: Vec<Override>,
    pub(super) origins: BTreeMap<String, Origin>,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Parses the file. One whose syntax is wrong is taken as empty, with all its faults noted.
    pub(super) fn new(file: Option<File<'a>>, overrides: Vec<Override>) -> Self {
        let mut errors = Vec::new();
        let mut root = DeTable::new();
        if let Some(file) = &file {
            let (table, faults) = DeTable::parse_recoverable(file.text);
            for fault in &faults {
                let place = Place::in_file(&file.name, file.text, &fault.span().unwrap_or_default());
                errors.push(Problem { place, message: fault.message().to_owned(), help: None });
            }
            if faults.is_empty() {
                root = table.into_inner();
            }
        }
        Self { file, root, overrides, origins: BTreeMap::new(), errors, warnings: Vec::new() }
    }

    /// The value of a setting, if anybody gave one.
    pub(crate) fn value<T: Value>(&mut self, section: &str, name: &str, bounds: Bounds) -> Option<T> {
        let key = full_key(section, name);
        // The file's value is read even when it does not count: a fault in it is a fault.
        let from_file = self.in_file(section, name).cloned().and_then(|at| self.read_at::<T>(&at, &key, None, bounds));
        let Some(at) = self.overrides.iter().position(|one| one.key == key) else { return from_file };
        let (place, at) = (self.overrides[at].place.clone(), self.overrides[at].value.clone());
        self.read_at(&at, &key, Some(place), bounds)
    }

    /// Whether anybody gave this setting.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.origins.contains_key(key)
    }

    fn read_at<T: Value>(
        &mut self,
        at: &Spanned<DeValue<'_>>,
        key: &str,
        place: Option<Place>,
        bounds: Bounds,
    ) -> Option<T> {
        let file = self.file.as_ref().filter(|_| place.is_none());
        let place_of = |span: &Range<usize>| match (&place, file) {
            (None, Some(file)) => Place::in_file(&file.name, file.text, span),
            (place, _) => place.clone().unwrap_or_else(|| Place::Default(key.to_owned())),
        };
        let mut reading = Reading { bounds, base: file.map(|file| file.directory.as_path()), faults: Vec::new() };
        let value = T::read(at, &mut reading);
        for fault in reading.faults {
            self.errors.push(Problem { place: place_of(&fault.span), message: fault.message, help: fault.help });
        }
        let origin = match place_of(&at.span()) {
            Place::File { line, .. } => Origin::File(line),
            Place::Environment(name) => Origin::Environment(name),
            Place::Flag(name) | Place::Default(name) | Place::WholeFile(name) => Origin::Flag(name),
        };
        self.origins.insert(key.to_owned(), origin);
        value
    }

    fn in_file(&self, section: &str, name: &str) -> Option<&Spanned<DeValue<'a>>> {
        match section {
            // `domain = "example.org"` reads better for the many who serve one.
            "" if name == "domains" => self.root.get("domains").or_else(|| self.root.get("domain")),
            "" => self.root.get(name),
            section => match self.root.get(section)?.get_ref() {
                DeValue::Table(table) => table.get(name),
                _ => None,
            },
        }
    }

    /// Notes every key of the file that is not in the schema.
    pub(super) fn find_unknown_keys(&mut self, schema: &[SectionView]) {
        let Some(file) = &self.file else { return };
        let mut found = Vec::new();
        let mut note = |span, message: String, help| {
            found.push(Problem { place: Place::in_file(&file.name, file.text, &span), message, help });
        };
        for (key, value) in &self.root {
            let name = key.get_ref().as_ref();
            let section = schema.iter().find(|section| !section.name.is_empty() && section.name == name);
            match (section, value.get_ref()) {
                (Some(section), DeValue::Table(table)) => {
                    for key in table.keys().filter(|key| !has(section, key.get_ref())) {
                        let message = format!("unknown setting `{}` in [{name}]", key.get_ref());
                        note(key.span(), message, suggestion(key.get_ref(), section, schema));
                    }
                }
                (Some(_), _) => {
                    note(key.span(), format!("`{name}` is a section: write [{name}] on a line of its own"), None)
                }
                (None, DeValue::Table(_)) => {
                    let sections = schema.iter().map(|section| section.name).filter(|name| !name.is_empty());
                    let help = nearest(name, sections).map(|near| format!("did you mean [{near}]?"));
                    note(key.span(), format!("unknown section [{name}]"), help);
                }
                (None, _) if name == "domain" => {
                    if self.root.contains_key("domains") {
                        note(key.span(), "`domain` and `domains` mean the same: use one of them".into(), None);
                    }
                }
                (None, _) if !has(&schema[0], name) => {
                    note(key.span(), format!("unknown setting `{name}`"), suggestion(name, &schema[0], schema));
                }
                (None, _) => {}
            }
        }
        self.errors.append(&mut found);
    }

    /// Notes an error of a setting that reads well but cannot be right; `item` picks one of a list.
    pub(super) fn error(&mut self, key: &str, item: Option<usize>, message: String) {
        let place = self.place_of(key, item);
        self.errors.push(Problem { place, message, help: None });
    }

    /// The same for what is only doubtful.
    pub(super) fn warn(&mut self, key: &str, item: Option<usize>, message: String) {
        let place = self.place_of(key, item);
        self.warnings.push(Problem { place, message, help: None });
    }

    fn place_of(&self, key: &str, item: Option<usize>) -> Place {
        if let Some(given) = self.overrides.iter().find(|one| one.key == key) {
            return given.place.clone();
        }
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        let (Some(file), Some(at)) = (&self.file, self.in_file(section, name)) else {
            return Place::Default(key.to_owned());
        };
        let span = match (at.get_ref(), item) {
            (DeValue::Array(items), Some(item)) => items.get(item).map_or_else(|| at.span(), Spanned::span),
            _ => at.span(),
        };
        Place::in_file(&file.name, file.text, &span)
    }
}

fn has(section: &SectionView, name: &str) -> bool {
    section.settings.iter().any(|setting| setting.name == name)
}

/// The right name for a wrong one: near it in the same section, or the same in another one.
fn suggestion(typed: &str, section: &SectionView, schema: &[SectionView]) -> Option<String> {
    if let Some(other) = schema.iter().find(|other| has(other, typed)) {
        return Some(match other.name {
            "" => format!("`{typed}` belongs at the top of the file, before the first section"),
            name => format!("`{typed}` belongs in [{name}]"),
        });
    }
    if let Some(near) = nearest(typed, section.settings.iter().map(|setting| setting.name)) {
        return Some(format!("did you mean `{near}`?"));
    }
    let elsewhere = |other: &SectionView| {
        let near = nearest(typed, other.settings.iter().map(|setting| setting.name))?;
        Some(match other.name {
            "" => format!("did you mean `{near}`, at the top of the file?"),
            name => format!("did you mean `{near}` in [{name}]?"),
        })
    };
    schema.iter().find_map(elsewhere)
}

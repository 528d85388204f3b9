//! What is wrong with the configuration, where, and what was expected: one shape for all of it.

use std::{fmt, ops::Range};

use serde::Serialize;

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A stretch of the file.
    File {
        /// As it was named.
        file: String,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// The whole line.
        source: String,
        /// How many characters are meant.
        length: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
    /// A setting nobody wrote down: its default.
    Default(String),
    /// The file as a whole.
    WholeFile(String),
}

impl Place {
    /// The stretch `span` (in bytes) of `text`.
    pub(super) fn in_file(file: &str, text: &str, span: &Range<usize>) -> Self {
        // The parser may point behind the end, or into a character it did not like.
        let start = (0..=span.start.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let source = text[line_start..].lines().next().unwrap_or_default();
        let column = text[line_start..start].chars().count();
        let meant = text.get(start..span.end).unwrap_or_default().lines().next().unwrap_or_default();
        Self::File {
            file: file.to_owned(),
            line: text[..line_start].matches('\n').count() + 1,
            column: column + 1,
            source: source.to_owned(),
            length: meant.chars().count().max(1),
        }
    }
}

/// One problem, error or warning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Where it is.
    pub place: Place,
    /// What is wrong and what was expected.
    pub message: String,
    /// What would probably help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, message, help } = self;
        let mut margin = 0;
        match place {
            Place::File { file, line, column, source, length } => {
                let number = line.to_string();
                margin = number.len();
                let pad = " ".repeat(margin);
                // The caret stands under the text whatever tabs come before it.
                let lead: String =
                    source.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                writeln!(f, "{file}:{line}:{column}: {message}\n{pad} |\n{number} | {source}")?;
                write!(f, "{pad} | {lead}{}", "^".repeat(*length))?;
            }
            Place::Environment(name) | Place::Flag(name) | Place::Default(name) | Place::WholeFile(name) => {
                write!(f, "{name}: {message}")?;
            }
        }
        match help {
            Some(help) => write!(f, "\n{} = {help}", " ".repeat(margin)),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong, errors first. Printed, it is what the operator reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigErrors {
    /// In the order of the file; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            write!(f, "{}error: {problem}", if at == 0 { "" } else { "\n\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The known name that was probably meant, if one is near enough.
pub(super) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near_enough = (typed.chars().count() / 3).clamp(1, 3);
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|name| (distance(&typed, &name.to_ascii_lowercase().replace('-', "_")), name))
        .filter(|(distance, _)| *distance <= near_enough)
        .min()
        .map(|(_, name)| name)
}

/// Edit distance in which two swapped neighbours count once (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let other = usize::from(a[i - 1] != b[j - 1]);
            let mut cost = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + other);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(rows[i - 2][j - 2] + 1);
            }
            row.push(cost);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// "`a`, `b` or `c`".
pub(super) fn choices<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_typing_errors_and_nothing_else() {
        let known = ["listen", "tls_listen", "domains", "data_dir"];
        assert_eq!(nearest("lisetn", known), Some("listen"));
        assert_eq!(nearest("tls-listen", known), Some("tls_listen"));
        assert_eq!(nearest("Domains", known), Some("domains"));
        assert_eq!(nearest("port", known), None);
    }

    #[test]
    fn caret_stands_under_the_text() {
        let text = "a = 1\n\tüb = [1, 2]\n";
        let at = text.find('2').unwrap();
        let place = Place::in_file("m.toml", text, &(at..at + 1));
        let shown = Problem { place, message: "no".into(), help: None }.to_string();
        assert_eq!(shown, "m.toml:2:11: no\n  |\n2 | \tüb = [1, 2]\n  | \t         ^");
    }
}

//! The house rules as tests: layers, file length, forbidden words, generated lists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Modules from the lowest layer to the highest. A module uses its own layer and those below.
const LAYERS: [&[&str]; 9] = [
    &[
        "clock",
        "close",
        "limits",
        "net",
        "sasl",
        "config",
        "log",
        "storage",
        "apply",
        "attempts",
        "hold",
        "hosts",
        "requests",
        "journal",
        "site",
        "histogram",
        "web_client",
        "qr",
        "counters",
        "settings",
    ],
    &["account", "outbox", "pubsub", "rooms"],
    &["core", "extension"],
    &["delivery", "router"],
    &["im", "ops", "uploads", "xep"],
    &["admin"],
    &["c2s", "http"],
    &["catalogue", "control", "housekeeping", "server"],
    &["cli", "main", "lib"],
];

const LINES_MAX: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of ours").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no files in {folder}");
    found
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file of ours")
}

/// The first component below `src`.
fn module(path: &Path) -> String {
    let relative = path.strip_prefix(root().join("src")).expect("below src");
    let first = relative.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("module '{module}' has no layer; give it one in this file and in ARCHITECTURE.md"))
}

/// Every `crate::name` in the code (comments and tests left out).
fn uses(code: &str) -> Vec<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|l| !l.trim_start().starts_with("//"));
    let mut names = Vec::new();
    for line in lines {
        for part in line.split("crate::").skip(1) {
            if let Some(group) = part.strip_prefix('{') {
                let inside = group.split('}').next().unwrap_or_default();
                names.extend(inside.split(',').map(|n| first_word(n.trim())));
            } else {
                names.push(first_word(part));
            }
        }
    }
    names.retain(|n| !n.is_empty());
    names
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn a_module_uses_only_its_own_layer_and_lower_ones() {
    let mut wrong = Vec::new();
    for path in rust_files("src") {
        let own = module(&path);
        for used in uses(&text(&path)) {
            if layer(&used) > layer(&own) {
                wrong.push(format!("{} ({own}) uses {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "calls go down, nothing calls back up:\n{}", wrong.join("\n"));
}

#[test]
fn files_are_short() {
    let folders = ["src", "xep-support/src", "tests"];
    let long: Vec<String> = folders
        .iter()
        .flat_map(|f| rust_files(f))
        .filter_map(|path| {
            let lines = text(&path).lines().count();
            (lines > LINES_MAX).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "longer than {LINES_MAX} lines, split by idea:\n{}", long.join("\n"));
}

#[test]
fn nothing_is_left_for_later_and_nothing_is_unbounded() {
    // Put together here, so that this file does not find itself.
    let words =
        ["TO".to_owned() + "DO", "FIX".to_owned() + "ME", "unimple".to_owned() + "mented!", "to".to_owned() + "do!("];
    let mut found = Vec::new();
    for path in rust_files("src").into_iter().chain(rust_files("xep-support/src")) {
        for (number, line) in text(&path).lines().enumerate() {
            if words.iter().any(|w| line.contains(w.as_str())) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// README's table of what is implemented is printed from the catalogue.
#[test]
fn the_readme_lists_every_extension() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let mut rows = BTreeMap::new();
    for extension in magpie::catalogue::extensions() {
        let about = extension.about();
        rows.insert(about.id, format!("| {} | {} | {} |", about.id, about.name, about.version));
    }
    let missing: Vec<_> = rows.values().filter(|row| !readme.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "rows missing in README.md:\n{missing:#?}");
}

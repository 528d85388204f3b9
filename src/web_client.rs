//! The web client that is served at `/chat`: the files of Converse.js. They are looked up at start and at reload. Nothing else
//! can be asked for, and none is read before somebody asks for it; then it stays in memory, once for all who fetch it.

use crate::config::Chat;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use tokio::sync::OnceCell;

/// What its page loads.
pub const SCRIPT: &str = "converse.min.js";
/// The style of that.
pub const STYLE: &str = "converse.min.css";

/// Endings of the files that are served, and what they are. Source maps are not among them: nobody needs them here, and they
/// are twice as large as all the rest.
const TYPES: [(&str, &str); 16] = [
    ("css", "text/css; charset=utf-8"),
    ("gif", "image/gif"),
    ("ico", "image/x-icon"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("ttf", "font/ttf"),
    ("wasm", "application/wasm"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
];

/// A file with this ending beside another one is the same, compressed.
const GZIP: &str = ".gz";
/// Folders in folders; Converse.js has three.
const DEPTH_MAX: usize = 8;

/// Why there is no web client although there is a directory for it.
#[derive(Debug, thiserror::Error)]
pub enum WebClientError {
    /// It cannot be read.
    #[error("{}: {}", .0.display(), .1)]
    Unreadable(PathBuf, io::Error),
    /// It is something else.
    #[error("{} has no {}: it must be what `dist` is in the npm package converse.js", .0.display(), .1)]
    NotConverse(PathBuf, &'static str),
    /// More than `chat.files_max`.
    #[error("{} has more than {} files (chat.files_max)", .0.display(), .1)]
    TooMany(PathBuf, usize),
    /// More than `chat.bytes_max`.
    #[error("{} has files of more than {} bytes (chat.bytes_max)", .0.display(), .1)]
    TooLarge(PathBuf, usize),
}

/// The files there are, by their path below the directory.
#[derive(Debug)]
pub struct WebClient {
    files: HashMap<String, Asset>,
}

/// One file.
#[derive(Debug)]
pub struct Asset {
    /// Its `Content-Type`.
    pub media_type: &'static str,
    /// As it is.
    pub plain: Content,
    /// Compressed with gzip, if somebody did that beforehand.
    pub gzip: Option<Content>,
}

/// The bytes of a file.
#[derive(Debug)]
pub struct Content {
    path: PathBuf,
    size: usize,
    read: OnceCell<(Bytes, String)>,
}

impl WebClient {
    /// Looks for it. `None`: it is turned off, or not installed.
    pub fn find(settings: &Chat) -> Result<Option<Self>, WebClientError> {
        let top = &settings.directory;
        if !settings.enabled || !top.try_exists().map_err(|e| WebClientError::Unreadable(top.clone(), e))? {
            return Ok(None);
        }
        let found = look(settings).map_err(|(path, trouble)| match trouble {
            Trouble::Io(error) => WebClientError::Unreadable(path, error),
            Trouble::TooMany => WebClientError::TooMany(top.clone(), settings.files_max),
            Trouble::TooLarge => WebClientError::TooLarge(top.clone(), settings.bytes_max),
        })?;
        let client = Self { files: assets(found) };
        match [SCRIPT, STYLE].into_iter().find(|name| client.get(name).is_none()) {
            Some(missing) => Err(WebClientError::NotConverse(top.clone(), missing)),
            None => Ok(Some(client)),
        }
    }

    /// The file of this name.
    pub fn get(&self, name: &str) -> Option<&Asset> {
        self.files.get(name)
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Are there none? Never: without its script it is no web client.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Content {
    /// The bytes, and a strong entity tag for them (RFC 9110 §8.8.3).
    pub async fn read(&self) -> io::Result<(&Bytes, &str)> {
        let (bytes, tag) = self
            .read
            .get_or_try_init(|| async {
                let (path, size) = (self.path.clone(), self.size);
                tokio::task::spawn_blocking(move || read(&path, size)).await.map_err(io::Error::other)?
            })
            .await?;
        Ok((bytes, tag))
    }
}

fn read(path: &Path, size: usize) -> io::Result<(Bytes, String)> {
    let mut bytes = Vec::with_capacity(size + 1);
    File::open(path)?.take(size as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() != size {
        // What is kept in memory was counted when they were looked up.
        return Err(io::Error::other("it is not as large as it was: `magpie reload` looks again"));
    }
    let digest = Sha256::digest(&bytes);
    let tag = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    bytes.shrink_to_fit();
    Ok((bytes.into(), format!("\"{tag}\"")))
}

enum Trouble {
    Io(io::Error),
    TooMany,
    TooLarge,
}

/// Regular files with a name that can stand in a URL as it is; what is hidden or behind a symbolic link is not for others.
fn look(settings: &Chat) -> Result<HashMap<String, Content>, (PathBuf, Trouble)> {
    let mut found = HashMap::new();
    let (mut entries, mut bytes) = (0, 0);
    let mut folders = vec![(settings.directory.clone(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let failed = |error| (folder.clone(), Trouble::Io(error));
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            entries += 1;
            if entries > settings.files_max {
                return Err((folder, Trouble::TooMany));
            }
            let Some(name) = entry.file_name().to_str().filter(|name| is_plain(name)).map(str::to_owned) else {
                continue;
            };
            let kind = entry.metadata().map_err(failed)?;
            if kind.is_dir() && depth < DEPTH_MAX {
                folders.push((entry.path(), format!("{prefix}{name}/"), depth + 1));
            } else if kind.is_file() && media_type(name.strip_suffix(GZIP).unwrap_or(&name)).is_some() {
                let size = usize::try_from(kind.len()).unwrap_or(usize::MAX);
                bytes = size.saturating_add(bytes);
                if bytes > settings.bytes_max {
                    return Err((folder, Trouble::TooLarge));
                }
                found.insert(format!("{prefix}{name}"), Content { path: entry.path(), size, read: OnceCell::new() });
            }
        }
    }
    Ok(found)
}

fn assets(mut found: HashMap<String, Content>) -> HashMap<String, Asset> {
    let names: Vec<String> = found.keys().filter(|name| !name.ends_with(GZIP)).cloned().collect();
    let mut asset = |name: String| {
        let plain = found.remove(&name)?;
        let gzip = found.remove(&format!("{name}{GZIP}"));
        let media_type = media_type(&name)?;
        Some((name, Asset { media_type, plain, gzip }))
    };
    names.into_iter().filter_map(&mut asset).collect()
}

fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b))
}

fn media_type(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    TYPES.iter().find(|(known, _)| *known == ending).map(|(_, media_type)| *media_type)
}

/// For the log, when there should be one and is none.
pub fn find_or_warn(settings: &Chat) -> Option<WebClient> {
    WebClient::find(settings).unwrap_or_else(|error| {
        tracing::warn!(%error, "no web client at /chat");
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn settings(directory: &Path) -> Chat {
        Chat { directory: directory.to_owned(), ..Chat::default() }
    }

    const LEAST: [(&str, &str); 2] = [(SCRIPT, "s"), (STYLE, "b{}")];

    #[test]
    fn what_a_browser_needs_is_there_and_nothing_else() {
        let directory = directory(&LEAST);
        let top = directory.path();
        for name in
            ["a/b/c.png", "emoji.json", "emoji.json.gz", "x.js.map", "notes", ".hidden.js", "sp ace.js", "lone.js.gz"]
        {
            fs::create_dir_all(top.join(name).parent().unwrap()).unwrap();
            fs::write(top.join(name), name).unwrap();
        }
        fs::create_dir(top.join(".git")).unwrap();
        fs::write(top.join(".git/a.js"), "x").unwrap();
        symlink("/etc/hostname", top.join("link.js")).unwrap();
        symlink("/etc", top.join("etc")).unwrap();
        let client = WebClient::find(&settings(top)).unwrap().unwrap();
        let mut names: Vec<_> = client.files.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["a/b/c.png", STYLE, SCRIPT, "emoji.json"]);
        assert!(client.get("emoji.json").unwrap().gzip.is_some());
        assert!(client.get(SCRIPT).unwrap().gzip.is_none());
        assert_eq!(client.get("a/b/c.png").unwrap().media_type, "image/png");
    }

    #[test]
    fn no_directory_is_no_mistake() {
        let directory = directory(&[]);
        assert!(WebClient::find(&settings(&directory.path().join("no"))).unwrap().is_none());
        let off = Chat { enabled: false, ..settings(directory.path()) };
        assert!(WebClient::find(&off).unwrap().is_none());
    }

    #[test]
    fn another_directory_is_refused() {
        let directory = directory(&[("index.js", ""), (SCRIPT, "")]);
        let error = WebClient::find(&settings(directory.path())).unwrap_err();
        assert!(error.to_string().contains("has no converse.min.css: it must be"), "{error}");
        let file = WebClient::find(&settings(&directory.path().join(SCRIPT))).unwrap_err();
        assert!(matches!(file, WebClientError::Unreadable(..)), "{file}");
    }

    #[test]
    fn too_much_is_refused() {
        let directory = directory(&LEAST);
        let few = Chat { files_max: 1, ..settings(directory.path()) };
        assert!(matches!(WebClient::find(&few).unwrap_err(), WebClientError::TooMany(_, 1)));
        let small = Chat { bytes_max: 3, ..settings(directory.path()) };
        assert!(matches!(WebClient::find(&small).unwrap_err(), WebClientError::TooLarge(_, 3)));
        let enough = Chat { bytes_max: 4, files_max: 2, ..settings(directory.path()) };
        assert!(WebClient::find(&enough).unwrap().is_some());
    }

    #[tokio::test]
    async fn what_changed_since_is_not_served() {
        let directory = directory(&LEAST);
        let client = WebClient::find(&settings(directory.path())).unwrap().unwrap();
        fs::write(directory.path().join(STYLE), "b{} and more").unwrap();
        assert!(client.get(STYLE).unwrap().plain.read().await.is_err());
        let script = &client.get(SCRIPT).unwrap().plain;
        let (bytes, tag) = script.read().await.unwrap();
        assert_eq!((&bytes[..], tag.len()), (&b"s"[..], 34));
        // From now on it is in memory.
        fs::remove_file(directory.path().join(SCRIPT)).unwrap();
        assert_eq!(script.read().await.unwrap().1, tag);
    }
}

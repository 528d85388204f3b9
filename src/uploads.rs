//! Uploaded files on disk (XEP-0363): where they lie, and how they go.
//!
//! `uploads/ab/abcd…` is a complete file, named by its token; `uploads/unfinished/` has those that are being written. What
//! counts is the database: a file without a row is nobody's, and its token is among those that are gone until it is removed.

use crate::config::Config;
use crate::core::Core;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

/// Bytes of a token: nobody guesses 128 bits.
const TOKEN_BYTES: usize = 16;
/// How many files are removed before the database is told.
const SWEEP_FILES: u32 = 500;

/// Where all of it lies.
pub fn directory(config: &Config) -> PathBuf {
    config.data_dir.join("uploads")
}

/// Where a complete file lies.
pub fn file(config: &Config, token: &str) -> PathBuf {
    directory(config).join(&token[..2.min(token.len())]).join(token)
}

/// Where a file is written until it is complete.
pub fn unfinished(config: &Config, token: &str) -> PathBuf {
    unfinished_directory(config).join(token)
}

fn unfinished_directory(config: &Config) -> PathBuf {
    directory(config).join("unfinished")
}

/// A name that nobody can guess, of lower-case hexadecimal digits. `None`: the system has no random numbers.
pub fn new_token() -> Option<String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Does a file of this size leave as much of the disk as uploads have to leave? A disk that does not say is not in the way.
pub async fn has_room(core: &Core, bytes: u64) -> bool {
    let (directory, free_bytes_min) = {
        let config = core.config();
        (directory(&config), (config.upload.free_mib_min as u64) << 20)
    };
    match tokio::task::spawn_blocking(move || rustix::fs::statvfs(directory)).await {
        Ok(Ok(disk)) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            free >= free_bytes_min.saturating_add(bytes)
        }
        _ => true,
    }
}

/// Could it be one?
pub fn is_token(text: &str) -> bool {
    text.len() == 2 * TOKEN_BYTES && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Makes the directories, for our own eyes only, and removes what an earlier process did not finish.
pub fn prepare(config: &Config) -> io::Result<()> {
    let unfinished = unfinished_directory(config);
    make_directory(&unfinished)?;
    for entry in fs::read_dir(&unfinished)? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}

/// Makes a directory with those it lies in.
pub fn make_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes the files whose rows are gone. What cannot be removed now is tried again at the next turn.
pub async fn sweep(core: &Arc<Core>) {
    loop {
        let gone = match core.storage.upload_gone(SWEEP_FILES).await {
            Ok(gone) => gone,
            Err(error) => return tracing::error!(%error, "removed uploads not known"),
        };
        let config = core.config.load_full();
        // Who is just writing a file looks itself what became of its row.
        let gone: Vec<String> = gone.into_iter().filter(|token| !core.site.under_way.has(token)).collect();
        let Ok(removed) = tokio::task::spawn_blocking(move || remove(&config, gone)).await else { return };
        let count = removed.len();
        if count == 0 {
            return;
        }
        if let Err(error) = core.storage.upload_forget(removed).await {
            return tracing::error!(%error, "removed uploads not noted");
        }
        tracing::debug!(count, "files of removed uploads deleted");
    }
}

fn remove(config: &Config, tokens: Vec<String>) -> Vec<String> {
    let is_gone = |token: &String| match fs::remove_file(file(config, token)) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => {
            tracing::error!(%error, file = %file(config, token).display(), "upload not removed");
            false
        }
    };
    tokens.into_iter().filter(is_gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, other) = (new_token().expect("random"), new_token().expect("random"));
        assert!(is_token(&one) && is_token(&other) && one != other);
        for wrong in
            ["", "..", "../../etc/passwd", &one[1..], &one.to_uppercase().replace(|c: char| c.is_ascii_digit(), "A")]
        {
            assert!(!is_token(wrong), "{wrong}");
        }
    }
}

//! One server for each data directory.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const LOCK_FILE: &str = "magpie.lock";

/// The right to use a data directory. Ends when dropped, or with the process, however that ends.
#[derive(Debug)]
pub struct DirLock {
    dir: PathBuf,
    /// Holds the `flock(2)`.
    _file: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process does.
    #[error("the data directory is in use{}", .pid.map(|pid| format!(" by process {pid}")).unwrap_or_default())]
    Held {
        /// That process, if it could be told.
        pid: Option<u32>,
    },
    /// The file system refused.
    #[error("the data directory cannot be locked: {0}")]
    Io(#[from] io::Error),
}

impl DirLock {
    /// Takes the lock of `dir`, which is made when missing, and writes our process id into it.
    ///
    /// # Errors
    /// Somebody else has it.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(dir.join(LOCK_FILE))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Its owner may be writing it just now: then the message does without.
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(LockError::Held { pid });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { dir: dir.to_owned(), _file: file })
    }

    /// The directory that is locked.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

//! What the server keeps to itself for ever: a secret in the database, and one beside it.

use super::StartError;
use crate::sasl::{DEVICE_SECRET_BYTES, DeviceSecret};
use crate::storage::Storage;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What fake salts are made from; made once, kept for ever.
pub(super) async fn decoy(storage: &Storage) -> Result<Vec<u8>, StartError> {
    const KEY: &str = "secret";
    let failed = |e| StartError::Storage(storage.path().to_owned(), e);
    if let Some(secret) = storage.meta_get(KEY).await.map_err(failed)? {
        return Ok(secret);
    }
    let mut fresh = vec![0; 32];
    getrandom::fill(&mut fresh).map_err(|_| StartError::Random)?;
    storage.meta_init(KEY, fresh).await.map_err(failed)
}

/// What tokens are derived from (XEP-0484). Not in the database, so that neither it nor a backup of it lets anybody in. When
/// it is lost, clients log in with the password once.
pub(super) fn device(data_dir: &Path) -> Result<DeviceSecret, StartError> {
    let path = data_dir.join(DEVICE_SECRET_FILE);
    let failed = |error| StartError::DeviceSecret(path.clone(), error);
    match fs::read(&path) {
        Ok(bytes) => match <[u8; DEVICE_SECRET_BYTES]>::try_from(bytes) {
            Ok(secret) => return Ok(DeviceSecret::new(secret)),
            // Made by a start that was interrupted: nothing was derived from it yet.
            Err(_) => {
                tracing::warn!(file = %path.display(), "the secret of the devices was incomplete and is made anew")
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let mut secret = [0; DEVICE_SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|_| StartError::Random)?;
    write(data_dir, &path, &secret).map_err(failed)?;
    Ok(DeviceSecret::new(secret))
}

const DEVICE_SECRET_FILE: &str = "devices.key";

/// It has to be on disk before anything that is derived from it is.
fn write(data_dir: &Path, path: &Path, secret: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(secret)?;
    file.sync_all()?;
    fs::File::open(data_dir)?.sync_all()
}

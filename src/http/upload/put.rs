//! PUT into a slot (XEP-0363 §7). The bytes go to a file that nobody sees; when all are there and on disk it gets its name,
//! then its row says so, and only then the client hears of it. Whatever goes wrong before leaves nothing behind.

use super::{Transfer, media, refused};
use crate::clock;
use crate::core::Core;
use crate::http::reply::{self, Reply};
use crate::http::routes::Call;
use crate::site::Claim;
use crate::storage::{self, Upload};
use crate::uploads::{self, has_room};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderName};
use std::fs::{self, File, OpenOptions};
use std::future::poll_fn;
use std::io::{self, IoSlice, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

/// Written, and kept in memory, at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Why an upload came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the connection was lost: {0}")]
    Cut(#[from] hyper::Error),
    #[error("nothing more came")]
    Stalled,
    #[error("it comes too slowly")]
    Slow,
    #[error("upload.free_mib_min would not be left on the disk")]
    NoRoom,
    #[error("it is not as long as was said")]
    Length,
    #[error("the file cannot be written: {0}")]
    Disk(#[from] io::Error),
    #[error("the database: {0}")]
    Storage(#[from] storage::Error),
    #[error("the slot was withdrawn meanwhile")]
    Gone,
}

pub(super) async fn put(call: Call, upload: Upload) -> Reply {
    let core = call.web.core.clone();
    if let Err((status, why)) = check(call.request.headers(), &upload, clock::now_micros()) {
        return reply::refusal(status, why);
    }
    let transfer = match Transfer::begin(&core, &call.client) {
        Ok(transfer) => transfer,
        Err(why) => return refused(why),
    };
    let Some(claim) = core.site.under_way.claim(&upload.token) else {
        return reply::refusal(StatusCode::CONFLICT, "it is being uploaded");
    };
    // Whoever had the claim before may have filled the slot since it was looked up.
    match core.storage.upload_find(&upload.token).await {
        Ok(Some(Upload { put_key: Some(_), .. })) => {}
        Ok(_) => return reply::refusal(StatusCode::CONFLICT, "it has been uploaded already"),
        Err(error) => return refusal(&error.into()),
    }
    let content_type = text(call.request.headers(), header::CONTENT_TYPE).map(str::to_owned);
    let done = Box::pin(receive(&core, &upload, claim, content_type, call.request.into_body())).await;
    drop(transfer);
    let counters = &core.site.counters;
    let Err(error) = done else {
        counters.uploads.fetch_add(1, Relaxed);
        counters.uploaded_bytes.fetch_add(upload.bytes, Relaxed);
        tracing::debug!(token = upload.token, owner = upload.owner, bytes = upload.bytes, "file uploaded");
        return reply::empty(StatusCode::CREATED);
    };
    counters.uploads_failed.fetch_add(1, Relaxed);
    match &error {
        Failed::Disk(_) | Failed::Storage(_) | Failed::NoRoom => {
            tracing::error!(%error, token = upload.token, "upload failed")
        }
        _ => tracing::debug!(%error, token = upload.token, "upload failed"),
    }
    refusal(&error)
}

fn refusal(error: &Failed) -> Reply {
    match error {
        Failed::Cut(_) | Failed::Length => reply::refusal(StatusCode::BAD_REQUEST, "it is not as long as was said"),
        Failed::Stalled => reply::refusal(StatusCode::REQUEST_TIMEOUT, "nothing more came"),
        Failed::Slow => reply::refusal(StatusCode::REQUEST_TIMEOUT, "it comes too slowly"),
        Failed::NoRoom => full(),
        Failed::Gone => reply::refusal(StatusCode::GONE, "the slot was withdrawn"),
        Failed::Storage(storage::Error::Full) => full(),
        Failed::Storage(_) => reply::busy(),
        Failed::Disk(error) => match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => full(),
            _ => reply::refusal(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be written"),
        },
    }
}

fn full() -> Reply {
    reply::refusal(StatusCode::INSUFFICIENT_STORAGE, "the disk is full")
}

/// May this be uploaded? Said before a byte of it is read.
fn check(headers: &HeaderMap, upload: &Upload, now_us: i64) -> Result<(), (StatusCode, &'static str)> {
    let Some(key) = &upload.put_key else { return Err((StatusCode::CONFLICT, "it has been uploaded already")) };
    let shown = text(headers, header::AUTHORIZATION).and_then(|value| {
        let (scheme, value) = value.split_once(' ')?;
        let value = URL_SAFE_NO_PAD.decode(value.trim()).ok()?;
        scheme.eq_ignore_ascii_case("bearer").then_some(value)
    });
    if !shown.is_some_and(|shown| bool::from(shown.ct_eq(key))) {
        return Err((StatusCode::FORBIDDEN, "the Authorization header that came with the slot is missing or wrong"));
    }
    if upload.expires_us.is_none_or(|until| until <= now_us) {
        return Err((StatusCode::GONE, "the slot has expired, please ask for another one"));
    }
    // RFC 9110 §14.4: a part of a file must not pass for the whole.
    if headers.contains_key(header::CONTENT_RANGE) {
        return Err((StatusCode::BAD_REQUEST, "files are uploaded in one piece"));
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "files are uploaded as they are"));
    }
    match text(headers, header::CONTENT_LENGTH).map(str::parse::<u64>) {
        None => return Err((StatusCode::LENGTH_REQUIRED, "there is no Content-Length")),
        Some(Ok(bytes)) if bytes == upload.bytes => {}
        Some(Ok(bytes)) if bytes > upload.bytes => {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, "the file is longer than the slot"));
        }
        Some(_) => return Err((StatusCode::BAD_REQUEST, "the file is not as long as the slot")),
    }
    let given = text(headers, header::CONTENT_TYPE).map(media::essence);
    match (upload.content_type.as_deref().map(media::essence), given) {
        (Some(wanted), Some(given)) if wanted != given => {
            Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "the slot is for another Content-Type"))
        }
        _ => Ok(()),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A file on its way. It is removed when the last who has to do with it lets go, unless it was finished.
struct Unfinished {
    file: File,
    path: PathBuf,
    is_finished: AtomicBool,
    _claim: Claim,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished.load(Relaxed)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::error!(%error, file = %self.path.display(), "unfinished upload not removed");
        }
    }
}

impl Unfinished {
    /// With room for all of it, as far as the file system can promise that.
    fn create(path: PathBuf, bytes: u64, claim: Claim) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let this = Self { file, path, is_finished: AtomicBool::new(false), _claim: claim };
        match rustix::fs::fallocate(&this.file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, bytes) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(this),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, pieces: &[Bytes]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut slices = slices.as_mut_slice();
        while !slices.is_empty() {
            match (&self.file).write_vectored(slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut slices, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// On disk, and under its name.
    fn finish(&self, place: &std::path::Path) -> io::Result<()> {
        self.file.sync_all()?;
        let folder = place.parent().unwrap_or(place);
        uploads::make_directory(folder)?;
        fs::rename(&self.path, place)?;
        self.is_finished.store(true, Relaxed);
        File::open(folder)?.sync_all()?;
        // The folder may be new itself.
        File::open(folder.parent().unwrap_or(folder))?.sync_all()
    }
}

async fn receive(
    core: &Arc<Core>,
    upload: &Upload,
    claim: Claim,
    content_type: Option<String>,
    body: Incoming,
) -> Result<(), Failed> {
    let (path, place, pace) = {
        let config = core.config();
        let token = &upload.token;
        let pace = Pace::new(config.http.stall_seconds_max, config.upload.bytes_per_second_min);
        (uploads::unfinished(&config, token), uploads::file(&config, token), pace)
    };
    let bytes = upload.bytes;
    // There may be less than when the slot was asked for.
    if !has_room(core, bytes).await {
        return Err(Failed::NoRoom);
    }
    let file = blocking(move || Unfinished::create(path, bytes, claim)).await?;
    let file = Arc::new(file);
    copy(&file, bytes, body, pace).await?;
    // A task of its own: if the connection ends now, the claim must not before the row is written. Another upload into the
    // same slot would put its file in the place of this one.
    let finished = core.work.spawn(finish(core.clone(), upload.token.clone(), file, place, content_type));
    finished.await.map_err(io::Error::other)?
}

async fn finish(
    core: Arc<Core>,
    token: String,
    file: Arc<Unfinished>,
    place: PathBuf,
    content_type: Option<String>,
) -> Result<(), Failed> {
    let (finishing, at) = (file.clone(), place.clone());
    blocking(move || finishing.finish(&at)).await?;
    // The claim lives until here: whoever removes the row meanwhile leaves the file to us.
    let content_type = content_type.filter(|kind| kind.len() <= CONTENT_TYPE_BYTES_MAX);
    let stored = core.storage.upload_stored(&token, content_type, clock::now_micros()).await;
    if !matches!(stored, Ok(true)) {
        blocking(move || fs::remove_file(place)).await?;
    }
    drop(file);
    if stored? { Ok(()) } else { Err(Failed::Gone) }
}

const CONTENT_TYPE_BYTES_MAX: usize = 255;

/// How slowly a file may come. Only the time in which we wait for the client counts, and no part of it makes up for another.
struct Pace {
    window: Duration,
    bytes_min: u64,
    waited: Duration,
    came: u64,
}

impl Pace {
    fn new(window: Duration, bytes_per_second_min: usize) -> Self {
        let milliseconds = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let bytes_min = (bytes_per_second_min as u64).saturating_mul(milliseconds) / 1000;
        Self { window, bytes_min, waited: Duration::ZERO, came: 0 }
    }

    /// So many bytes came after this time.
    fn note(&mut self, bytes: usize, waited: Duration) -> Result<(), Failed> {
        self.waited += waited;
        self.came += bytes as u64;
        if self.waited < self.window {
            return Ok(());
        }
        let is_slow = self.came < self.bytes_min;
        (self.waited, self.came) = (Duration::ZERO, 0);
        if is_slow { Err(Failed::Slow) } else { Ok(()) }
    }
}

/// From the connection to the file, in large pieces.
async fn copy(file: &Arc<Unfinished>, bytes: u64, mut body: Incoming, mut pace: Pace) -> Result<(), Failed> {
    let mut left = bytes;
    let (mut pieces, mut waiting) = (Vec::new(), 0);
    loop {
        let next = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        let asked = Instant::now();
        let frame = tokio::time::timeout(pace.window, next).await.map_err(|_| Failed::Stalled)?.transpose()?;
        let is_end = frame.is_none();
        if let Some(data) = frame.and_then(|frame| frame.into_data().ok()) {
            left = left.checked_sub(data.len() as u64).ok_or(Failed::Length)?;
            if left > 0 {
                pace.note(data.len(), asked.elapsed())?;
            }
            waiting += data.len();
            pieces.push(data);
        }
        if waiting >= PIECE_BYTES || (is_end && waiting > 0) {
            let (file, full) = (file.clone(), std::mem::take(&mut pieces));
            waiting = 0;
            blocking(move || file.write(&full)).await?;
        }
        if is_end {
            return if left == 0 { Ok(()) } else { Err(Failed::Length) };
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart() {
        let status = |error: Failed| refusal(&error).status().as_u16();
        assert_eq!(status(Failed::Disk(io::ErrorKind::StorageFull.into())), 507);
        assert_eq!(status(Failed::Disk(io::ErrorKind::QuotaExceeded.into())), 507);
        assert_eq!(status(Failed::Disk(io::ErrorKind::PermissionDenied.into())), 500);
        assert_eq!(status(Failed::Storage(storage::Error::Full)), 507);
        assert_eq!(status(Failed::Storage(storage::Error::Busy)), 503);
        assert_eq!(status(Failed::NoRoom), 507);
        assert_eq!(status(Failed::Stalled), 408);
        assert_eq!(status(Failed::Slow), 408);
    }

    #[test]
    fn a_file_must_not_come_too_slowly() {
        let (second, new) = (Duration::from_secs(1), || Pace::new(Duration::from_secs(10), 100));
        let mut steady = new();
        assert!((0..100).all(|_| steady.note(100, second).is_ok()));
        let mut slow = new();
        assert!((0..9).all(|_| slow.note(99, second).is_ok()), "not yet known");
        assert!(matches!(slow.note(99, second), Err(Failed::Slow)));
        let mut fading = new();
        assert!(fading.note(1_000_000, 10 * second).is_ok());
        assert!(matches!(fading.note(1, 10 * second), Err(Failed::Slow)), "what was fast before does not count");
        let mut any = Pace::new(Duration::from_secs(10), 0);
        assert!(any.note(1, 100 * second).is_ok());
        // Waiting for our own disk takes none of its time.
        let mut waiting = new();
        assert!((0..1_000).all(|_| waiting.note(1, Duration::ZERO).is_ok()));
    }
}

//! A file as the body of an answer, read in large pieces where blocking does no harm.

use super::Transfer;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;

/// Read, and kept in memory, at a time.
const PIECE_BYTES: u64 = 256 * 1024;

pub(super) struct FileBody {
    file: Arc<File>,
    left: Range<u64>,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
    transfer: Transfer,
}

impl FileBody {
    /// These bytes of the file.
    pub(super) fn new(file: File, range: Range<u64>, transfer: Transfer) -> Self {
        Self { file: Arc::new(file), left: range, reading: None, transfer }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left.is_empty() {
            return Poll::Ready(None);
        }
        let (start, length) = (this.left.start, PIECE_BYTES.min(this.left.end - this.left.start));
        let reading = this.reading.get_or_insert_with(|| {
            let file = this.file.clone();
            tokio::task::spawn_blocking(move || read(&file, start, length))
        });
        let read = ready!(Pin::new(reading).poll(cx));
        this.reading = None;
        let piece = match read {
            Ok(Ok(piece)) => piece,
            Ok(Err(error)) => {
                tracing::error!(%error, "uploaded file not read");
                return Poll::Ready(Some(Err(error)));
            }
            Err(error) => return Poll::Ready(Some(Err(io::Error::other(error)))),
        };
        this.left.start += piece.len() as u64;
        this.transfer.0.site.counters.downloaded_bytes.fetch_add(piece.len() as u64, Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end.saturating_sub(self.left.start))
    }
}

/// All of these bytes: a file that is shorter than its row says is damaged.
fn read(file: &File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut piece = Vec::with_capacity(length);
    while piece.len() < length {
        let at = start + piece.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut piece), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The capacity may be more than was asked for.
    piece.truncate(length);
    Ok(piece)
}

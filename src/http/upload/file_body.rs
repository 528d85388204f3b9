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
const PIECE_BYTES: u64 = 128 * 1024;
/// Handed out at a time. HTTP/2 keeps that much for each request of a peer that takes a single byte.
const FRAME_BYTES: usize = 32 * 1024;

pub(super) struct FileBody {
    file: Arc<File>,
    /// What is still to be read.
    left: Range<u64>,
    /// What was read and not handed out yet.
    piece: Bytes,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
    transfer: Transfer,
}

impl FileBody {
    /// These bytes of the file.
    pub(super) fn new(file: File, range: Range<u64>, transfer: Transfer) -> Self {
        Self { file: Arc::new(file), left: range, piece: Bytes::new(), reading: None, transfer }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.piece.is_empty() {
            if this.left.is_empty() {
                return Poll::Ready(None);
            }
            if let Err(error) = ready!(this.poll_piece(cx)) {
                tracing::error!(%error, "uploaded file not read");
                return Poll::Ready(Some(Err(error)));
            }
        }
        let is_small = this.piece.len() <= FRAME_BYTES;
        let mut frame = this.piece.split_to(FRAME_BYTES.min(this.piece.len()));
        if is_small && this.left.is_empty() {
            // We may be gone before it is written; the rest of the piece need not wait for that.
            frame = Bytes::copy_from_slice(&frame);
        }
        this.transfer.core.site.counters.downloaded_bytes.fetch_add(frame.len() as u64, Relaxed);
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.piece.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end.saturating_sub(self.left.start) + self.piece.len() as u64)
    }
}

impl FileBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (start, length) = (self.left.start, PIECE_BYTES.min(self.left.end - self.left.start));
        let reading = self.reading.get_or_insert_with(|| {
            let file = self.file.clone();
            tokio::task::spawn_blocking(move || read(&file, start, length))
        });
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let piece = read.map_err(io::Error::other)??;
        self.left.start += piece.len() as u64;
        self.piece = piece.into();
        Poll::Ready(Ok(()))
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

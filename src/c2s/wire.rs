//! One client connection as bytes: the socket, the framer, what was read and not yet understood, what was printed and not
//! yet written. Everything survives a cancelled or pending poll: it lives in the struct.
//!
//! An idle wire owns no buffer: reads go into a scratch buffer of the worker thread, writes come from another one.

use super::framing::{Framing, Input};
use crate::net::transport::Transport;
use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;
use xep_support::xml::framer::FrameLimits;

/// A connection and what is unfinished on it.
pub struct Wire {
    /// The socket, plain or encrypted.
    pub io: Transport,
    /// Cuts what comes in.
    pub input: Input,
    /// Surrounds what goes out.
    pub framing: Framing,
    /// Input from the first unfinished element on.
    pub unread: Vec<u8>,
    unwritten: Vec<u8>,
    written: usize,
    flushed: bool,
}

/// What one read takes at most.
pub const READ_BYTES_MAX: usize = 32 * 1024;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES_MAX].into_boxed_slice());
}

/// Lends the worker thread's read buffer. `f` must not poll anything else that reads.
pub fn with_scratch<T>(f: impl FnOnce(&mut [u8]) -> T) -> T {
    READ.with_borrow_mut(|scratch| f(scratch))
}

impl Wire {
    /// A new connection, at the start of its first stream.
    pub fn new(io: Transport, framing: Framing, limits: FrameLimits) -> Self {
        let input = Input::new(framing, limits);
        Self { io, input, framing, unread: Vec::new(), unwritten: Vec::new(), written: 0, flushed: true }
    }

    /// Reads once into `scratch`; `Ready(Ok(0))` is the end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(scratch);
        ready!(self.io.poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Is everything that was written on its way in the socket?
    pub fn is_drained(&self) -> bool {
        self.unwritten.is_empty() && self.flushed
    }

    /// Bytes given to [`poll_write`](Self::poll_write) that the socket has not taken.
    pub fn backlog(&self) -> usize {
        self.unwritten.len() - self.written
    }

    /// Writes `bytes`, keeping what the socket does not take now. Only when [`is_drained`](Self::is_drained).
    pub fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match self.io.poll_write(cx, &bytes[done..]) {
                Poll::Ready(Ok(n)) if n > 0 => {
                    done += n;
                    self.flushed = false;
                }
                Poll::Ready(result) => {
                    // What was not taken is the backlog also of a connection that is lost.
                    self.unwritten.extend_from_slice(&bytes[done..]);
                    return Err(result.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into()));
                }
                Poll::Pending => {
                    self.unwritten.extend_from_slice(&bytes[done..]);
                    break;
                }
            }
        }
        if let Poll::Ready(result) = self.poll_drain(cx) {
            result?;
        }
        Ok(())
    }

    /// Forgets what the socket has not taken.
    pub fn drop_backlog(&mut self) {
        self.unwritten = Vec::new();
        self.written = 0;
    }

    /// Appends to what is written next, for the small things of a negotiation: whole elements, as [`Framing`] writes them.
    pub fn queue(&mut self, write: impl FnOnce(Framing, &mut Vec<u8>)) {
        write(self.framing, &mut self.unwritten);
    }

    /// Appends what is to be said beside the elements.
    pub fn queue_control(&mut self) {
        if self.input.has_control() {
            self.input.write_control(&mut self.unwritten);
        }
    }

    /// Gives the socket what it did not take before.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.unwritten.len() {
            let n = ready!(self.io.poll_write(cx, &self.unwritten[self.written..]))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n;
            self.flushed = false;
        }
        if self.written > 0 {
            self.unwritten = Vec::new();
            self.written = 0;
        }
        if !self.flushed {
            ready!(self.io.poll_flush(cx))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}

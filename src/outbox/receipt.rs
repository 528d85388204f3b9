//! What is settled when a stanza has been given to its client, and who waits for that.

use crate::account::replay::RowReceipt;
use crate::clock;
use crate::hold::{Cause, Effects, Fate, Hold, Share};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

/// What is settled when an item's bytes have been given to the socket.
pub enum Receipt {
    /// Nobody waits.
    None,
    /// A sender's acknowledgement waits.
    Hold(Hold),
    /// Other resources have the same message; a sender's acknowledgement waits for all of them.
    Copy(Arc<Copies>),
    /// The same for a copy whose sender waits no longer, but whose client has not acknowledged it (XEP-0198 §4).
    Unacked(Share),
    /// It came from the offline store, whose row may now go.
    Row(RowReceipt),
    /// Nobody waits: it is in the archive of a room under this id, which the session journal is told.
    Told(i64),
}

/// A message that went to several resources.
pub struct Copies {
    hold: Option<Hold>,
    written: AtomicBool,
    /// Known to those copies that still wait for their clients' acknowledgement when no sender waits any more.
    beyond: OnceLock<Share>,
    /// Names the message in the session journal.
    group: u64,
}

/// The next [`Copies::group`]: a number no earlier process has given, as long as the clock does not go back.
static NEXT_GROUP: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(clock::now_micros().unsigned_abs()));

impl Copies {
    /// For copies that are made now.
    pub fn new(hold: Option<Hold>) -> Arc<Self> {
        let group = NEXT_GROUP.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { hold, written: AtomicBool::new(false), beyond: OnceLock::new(), group })
    }

    /// The same for a message that others were given before a restart.
    pub fn beside(hold: Option<Hold>, fate: &Arc<Fate>) -> Arc<Self> {
        Arc::new(Self { hold, written: AtomicBool::new(false), beyond: fate.share().into(), group: fate.group() })
    }

    /// Names the message in the session journal.
    pub fn group(&self) -> u64 {
        self.group
    }

    /// Are there copies whose clients acknowledge what they have?
    pub fn is_beyond(&self) -> bool {
        self.beyond.get().is_some()
    }

    /// Has somebody got it?
    pub fn is_settled(&self) -> bool {
        self.written.load(Ordering::Acquire) || self.beyond.get().is_some_and(|share| share.fate().is_acknowledged())
    }

    /// Does the sender wait for an acknowledgement just now?
    pub fn is_awaited(&self) -> bool {
        self.hold.as_ref().is_some_and(Hold::is_awaited)
    }

    /// One of them was given to a socket.
    pub fn written(&self) {
        self.written.store(true, Ordering::Release);
    }

    /// One of them was not and will not be. `Some` with the sender's hold if it was the last one and no other one was:
    /// nobody has the message.
    pub fn given_up(self: Arc<Self>) -> Option<Option<Hold>> {
        let mut last = Arc::into_inner(self)?;
        if last.written.load(Ordering::Acquire) {
            return None;
        }
        if let Some(share) = last.beyond.take()
            && !share.given_up()
        {
            return None;
        }
        Some(last.hold.take())
    }

    /// One of them was not written. Is it the only one left, and nobody has the message? Then with the sender's hold; else it
    /// waits for its client to come back.
    pub fn left_behind(self: Arc<Self>) -> Result<Option<Hold>, Arc<Self>> {
        let mut last = Arc::try_unwrap(self)?;
        if last.written.load(Ordering::Acquire) || last.beyond.get().is_some_and(|share| !share.is_last()) {
            return Err(Arc::new(last));
        }
        match last.beyond.take().is_none_or(Share::given_up) {
            true => Ok(last.hold.take()),
            false => Err(Arc::new(last)),
        }
    }

    /// One of them was given to a socket, which for this client does not mean much: it is still to acknowledge it.
    pub fn beyond(&self) -> Share {
        self.beyond.get_or_init(|| Fate::new(self.group).share()).fate().share()
    }
}

impl Drop for Copies {
    /// From now on only those copies are left that wait for an acknowledgement.
    fn drop(&mut self) {
        if let Some(share) = self.beyond.get()
            && self.written.load(Ordering::Acquire)
        {
            share.acknowledged();
        }
    }
}

impl Receipt {
    /// Notes on disk that a stored message, and all before it, was given to the socket.
    pub fn note(&self) {
        if let Self::Row(row) = self {
            row.note();
        }
    }

    /// Which stanza it comes from, if that is in the session journal.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Hold(hold) => hold.cause(),
            Self::Copy(copies) => copies.hold.as_ref().and_then(Hold::cause),
            Self::None | Self::Row(_) | Self::Unacked(_) | Self::Told(_) => None,
        }
    }

    /// What that stanza has caused already, before a restart.
    pub(super) fn effects(&self) -> Option<&Effects> {
        match self {
            Self::Hold(hold) => hold.effects(),
            Self::Copy(copies) => copies.hold.as_ref().and_then(Hold::effects),
            Self::None | Self::Row(_) | Self::Unacked(_) | Self::Told(_) => None,
        }
    }

    /// Is a sender waiting for it just now?
    pub fn is_awaited(&self) -> bool {
        match self {
            Self::Hold(hold) => hold.is_awaited(),
            Self::Copy(copies) => copies.is_awaited(),
            Self::None | Self::Row(_) | Self::Unacked(_) | Self::Told(_) => false,
        }
    }

    /// Its bytes were given to the socket of a client that acknowledges what it has (XEP-0198): nobody waits for that.
    /// Stored messages stay in the store until then.
    pub fn flushed(&mut self) {
        match std::mem::replace(self, Self::None) {
            Self::None | Self::Hold(_) => {}
            Self::Copy(copies) => *self = Self::Unacked(copies.beyond()),
            kept @ (Self::Unacked(_) | Self::Row(_) | Self::Told(_)) => *self = kept,
        }
    }
}

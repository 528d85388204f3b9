//! XEP-0198 across restarts: what must outlive the process for a session to be resumed with the next one.
//!
//! A file, appended to with `write(2)`: what was written is there after `kill -9`. It is not synced, so a power failure may
//! take its end away; the sessions in it then count as lost, and what their clients had not acknowledged goes the way of an
//! offline message. What must survive even that is in the database.
//!
//! The order of things, on which "zero lost, zero twice" rests. A stanza n of a client S that S is told about with `h`:
//! 1. What n causes is noted before it counts as done: a stanza for another session before its bytes are given to the
//!    socket (`Out`, with n as its cause); a row of the database just before the transaction with it is committed (`Done`
//!    with a number that the same transaction writes into the database).
//! 2. Then n's hold goes. When no hold of S is left, that is noted (`Safe`), and only then S is told.
//!
//! Killed in between, S is told the count in `Safe` when it resumes, and sends the rest again. What that has caused already
//! is known from the records of step 1, and not done again. A stanza for R that was noted and not given to the socket, or
//! lost on its way, is known to be missing by R's own `h`, and sent again to R.
//!
//! What R has acknowledged is noted (`Had`) not later than the next thing that is written for R: R cannot know before that
//! its acknowledgement has arrived. If R never comes back, what it had not acknowledged goes another way (`Leaving`); each
//! such stanza is noted as the cause of what then happens, so that a second kill changes nothing.

mod file;
mod record;
mod restored;
mod shadow;

use crate::hold::Cause;
use file::Log;
use record::{Open, Out, Record};
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use record::{Batch, Effect, EffectKind};
pub use restored::{RestoredOut, RestoredSession};

/// The journal of the sessions that can be resumed.
pub struct Journal {
    log: Option<Mutex<Log>>,
    /// Those with smaller numbers come from an earlier process.
    first_session: u32,
    next_session: AtomicU32,
    next_transaction: AtomicU64,
}

/// A session as it is noted when it becomes resumable.
pub struct NewSession<'a> {
    /// The account's key.
    pub account: i64,
    /// The full JID.
    pub jid: &'a str,
    /// The SM-ID.
    pub id: &'a str,
    /// How long it may be without a connection.
    pub max_seconds: u32,
    /// When it was bound.
    pub since_us: i64,
    /// Where its client is.
    pub peer: IpAddr,
    /// Is its stream encrypted?
    pub encrypted: bool,
}

/// What a session asked for, as bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Flags(pub u8);

impl Flags {
    /// It gets roster pushes (RFC 6121 §2.2).
    pub const INTERESTED: u8 = 1;
    /// It gets copies of messages (XEP-0280).
    pub const CARBONS: u8 = 2;
    /// It gets changes of the block list (XEP-0191).
    pub const BLOCKLIST: u8 = 4;
}

/// A stanza that is given to a session's socket.
pub struct Given<'a> {
    /// Its number.
    pub seq: u32,
    /// Now.
    pub at_us: i64,
    /// Which stanza it comes from.
    pub cause: Option<Cause>,
    /// The id of the archive in it; 0: none.
    pub told_as: i64,
    /// Of a message that several are given; 0: none.
    pub group: u64,
    /// Somebody else has it already.
    pub settled: bool,
    /// The row of the offline store that it is; 0: none.
    pub row: i64,
    /// As it is printed, if it is no such row.
    pub text: &'a [u8],
}

impl Journal {
    /// Without a file: nothing survives. For commands on a server that does not run.
    pub fn off() -> Self {
        Self { log: None, first_session: 0, next_session: AtomicU32::new(0), next_transaction: AtomicU64::new(1) }
    }

    /// Reads the journal of an earlier process and goes on with it. `database` names the database it must belong to,
    /// `committed` is the last transaction in that with [`Effect`]s.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(path: PathBuf, limit: u64, database: i64, committed: u64) -> io::Result<(Self, Vec<RestoredSession>)> {
        let (mut shadow, content) = file::read(&path)?;
        let boot = boot();
        if shadow.database != database {
            shadow.sessions.clear();
            shadow.there.clear();
        }
        if shadow.boot != boot && !shadow.ended {
            // The machine went down with it: its end may be missing, so that no count in it can be relied on.
            shadow.sessions.values_mut().for_each(|session| session.leaving = true);
        }
        shadow.undo(|transaction| transaction > committed);
        (shadow.database, shadow.boot) = (database, boot);
        let restored = restored::sessions(&shadow, &content);
        let next_session = shadow.last_session + 1;
        let log = Log::go_on(path, limit, shadow, &content)?;
        let journal = Self {
            log: Some(Mutex::new(log)),
            first_session: next_session,
            next_session: AtomicU32::new(next_session),
            next_transaction: AtomicU64::new(committed + 1),
        };
        Ok((journal, restored))
    }

    /// Does anything survive?
    pub fn is_on(&self) -> bool {
        self.log.is_some()
    }

    /// Does this session come from an earlier process?
    pub fn is_restored(&self, session: u32) -> bool {
        session != 0 && session < self.first_session
    }

    /// A number for a new session; 0 if nothing is noted.
    pub fn new_session(&self) -> u32 {
        if self.log.is_some() { self.next_session.fetch_add(1, Ordering::Relaxed) } else { 0 }
    }

    /// Notes what is in `batch`, which is empty afterwards.
    pub fn write(&self, batch: &mut Batch) {
        if let Some(mut log) = self.log() {
            log.append(batch);
        }
        batch.bytes.clear();
    }

    /// Notes one thing.
    pub fn note(&self, fill: impl FnOnce(&mut Batch)) {
        if self.log.is_some() {
            let mut batch = Batch::default();
            fill(&mut batch);
            self.write(&mut batch);
        }
    }

    /// Notes what a transaction is about to commit, and gives the number that it must write into the database.
    pub fn begin(&self, effects: impl IntoIterator<Item = Effect>) -> u64 {
        let transaction = self.next_transaction.fetch_add(1, Ordering::Relaxed);
        self.note(|batch| batch.done(transaction, effects));
        transaction
    }

    /// Notes that this transaction was not committed.
    pub fn failed(&self, transaction: u64) {
        self.note(|batch| batch.push(&Record::Failed { transaction }));
    }

    /// Who was in which room in the last process. Nobody is known to be any more: who comes back is noted anew.
    pub fn take_there(&self) -> Vec<(Box<str>, Vec<Box<str>>)> {
        let Some(mut log) = self.log() else { return Vec::new() };
        let there = std::mem::take(&mut log.shadow.there);
        there.into_iter().map(|(room, nicks)| (room, nicks.into_iter().collect())).collect()
    }

    /// The server stops in order: what was noted is durable, and can be relied on even if the machine is started anew.
    pub fn close(&self) {
        self.note(|batch| batch.push(&Record::End));
        if let Some(log) = self.log()
            && let Err(error) = log.sync()
        {
            tracing::warn!(%error, "the session journal may not survive a power failure");
        }
    }

    fn log(&self) -> Option<MutexGuard<'_, Log>> {
        self.log.as_ref().map(|log| log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Batch {
    /// A session can be resumed from now on.
    pub fn open(&mut self, session: u32, new: &NewSession<'_>) {
        let peer = new.peer.to_string();
        self.push(&Record::Open(Open {
            session,
            account: new.account,
            since_us: new.since_us,
            max_seconds: new.max_seconds,
            encrypted: new.encrypted,
            peer: &peer,
            id: new.id,
            jid: new.jid,
        }));
    }

    /// Its presence, "" if it is not available, and what it asked for.
    pub fn state(&mut self, session: u32, flags: Flags, priority: i8, presence: &str) {
        self.push(&Record::State { session, flags: flags.0, priority, presence });
    }

    /// The rooms it is in: a line for each, beginning with the occupant JID.
    pub fn rooms(&mut self, session: u32, rooms: &str) {
        self.push(&Record::Rooms { session, rooms });
    }

    /// Somebody is in a room that is stored, or no more.
    pub fn there(&mut self, room: &str, nick: &str, there: bool) {
        self.push(&Record::There { room, nick, there });
    }

    /// A stanza is about to be given to its socket.
    pub fn out(&mut self, session: u32, given: &Given<'_>) {
        let Given { seq, at_us, cause, told_as, group, settled, row, text } = *given;
        self.push(&Record::Out(Out { session, seq, at_us, cause, told_as, group, settled, row, text }));
    }

    /// Its client has acknowledged these.
    pub fn had(&mut self, session: u32, h: u32) {
        self.push(&Record::Had { session, h });
    }

    /// Everything these of its client's stanzas cause is safe.
    pub fn safe(&mut self, session: u32, h: u32) {
        self.push(&Record::Safe { session, h });
    }

    /// It has no connection since then; 0: it has one.
    pub fn away(&mut self, session: u32, since_us: i64) {
        self.push(&Record::Away { session, since_us });
    }

    /// What is not acknowledged counts as never sent, and follows anew as far as it is still to be sent.
    pub fn requeued(&mut self, session: u32) {
        self.push(&Record::Requeued { session });
    }

    /// It cannot be resumed any more.
    pub fn leaving(&mut self, session: u32) {
        self.push(&Record::Leaving { session });
    }

    /// Nothing of it is left.
    pub fn gone(&mut self, session: u32) {
        self.push(&Record::Gone { session });
    }

    /// A stanza has reached somebody who is not in the journal.
    pub fn reached(&mut self, cause: Cause) {
        self.done(0, [Effect { cause, kind: EffectKind::Reached, value: 0 }]);
    }

    /// Somebody has a message that several were given.
    pub fn settled(&mut self, group: u64) {
        self.push(&Record::Settled { group });
    }
}

/// Went another way.
fn moved(session: u32, stanza: u32) -> Effect {
    Effect { cause: Cause { session, stanza, moved: true }, kind: EffectKind::Reached, value: 0 }
}

/// A short mark of a room's address (FNV-1a).
pub fn room_mark(room: &str) -> u32 {
    room.bytes().fold(2_166_136_261, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
}

/// Names the time since the machine was started.
fn boot() -> u64 {
    let id = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

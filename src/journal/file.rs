//! The file of the session journal: appended to with `write(2)`, which a killed process cannot take back, and replaced by a
//! shorter one when it has grown.

use super::record::{self, Batch, HEAD_BYTES, Record};
use super::shadow::{Place, Shadow};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file and what it says.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// It is rewritten above this.
    bytes_max: u64,
    limit: u64,
    pub(super) shadow: Shadow,
    /// It could not be written, and says nothing any more.
    broken: bool,
}

/// What a file says, with its content.
pub(super) fn read(path: &Path) -> io::Result<(Shadow, Vec<u8>)> {
    let content = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        content => content?,
    };
    let mut shadow = Shadow::default();
    for (at, body) in record::bodies(&content) {
        // One of a later version says nothing to us.
        if let Some(record) = record::decode(body) {
            shadow.apply(&record, Place { at: at as u64, bytes: body.len() as u32 });
        }
    }
    Ok((shadow, content))
}

impl Log {
    /// Goes on with what was read, in a new file.
    pub(super) fn go_on(path: PathBuf, limit: u64, shadow: Shadow, content: &[u8]) -> io::Result<Self> {
        let file = open(&beside(&path))?;
        let mut log = Self { path, file, bytes: 0, bytes_max: limit, limit, shadow, broken: false };
        log.rewrite(|place, into| {
            let start = usize::try_from(place.at).unwrap_or(usize::MAX);
            let body = content.get(start..).and_then(|rest| rest.get(..place.bytes as usize));
            into.extend_from_slice(body.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })?;
        Ok(log)
    }

    /// Appends records.
    pub(super) fn append(&mut self, batch: &Batch) {
        if self.broken || batch.is_empty() {
            return;
        }
        if let Err(error) = self.file.write_all(&batch.bytes) {
            return self.fail(&error);
        }
        for (at, body) in record::bodies_unchecked(&batch.bytes) {
            if let Some(record) = record::decode(body) {
                self.shadow.apply(&record, Place { at: self.bytes + at as u64, bytes: body.len() as u32 });
            }
        }
        self.bytes += batch.bytes.len() as u64;
        if self.bytes > self.bytes_max
            && let Err(error) = self.compact()
        {
            self.fail(&error);
        }
    }

    /// What was written is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// A part of what happened is worse than nothing: clients would be told wrong counts after a restart.
    fn fail(&mut self, error: &io::Error) {
        tracing::error!(%error, path = %self.path.display(), "the session journal cannot be written; sessions will not survive a restart");
        self.broken = true;
        self.shadow.sessions.clear();
        self.shadow.there.clear();
        self.shadow.forget_groups();
        let _ = self.file.set_len(0);
    }

    fn compact(&mut self) -> io::Result<()> {
        let old = self.file.try_clone()?;
        self.rewrite(|place, into| {
            let start = into.len();
            into.resize(start + place.bytes as usize, 0);
            old.read_exact_at(&mut into[start..], place.at)
        })
    }

    /// Replaces the file by one with nothing in it that is over. `body` copies the body of a record.
    fn rewrite(&mut self, body: impl Fn(Place, &mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
        self.shadow.forget_groups();
        let shadow = &mut self.shadow;
        let mut out = Batch::default();
        out.push(&Record::Begin { database: shadow.database, boot: shadow.boot });
        let copy = |place: &mut Place, out: &mut Batch| {
            let mut bytes = Vec::with_capacity(place.bytes as usize);
            body(*place, &mut bytes)?;
            place.at = out.push_body(&bytes);
            io::Result::Ok(())
        };
        // All of them first: what they were sent refers to others.
        for (&number, session) in &mut shadow.sessions {
            copy(&mut session.open, &mut out)?;
            out.push(&Record::Safe { session: number, h: session.safe });
            out.push(&Record::Had { session: number, h: session.had });
            if let Some(state) = &mut session.state {
                copy(state, &mut out)?;
            }
            if let Some(rooms) = &mut session.rooms {
                copy(rooms, &mut out)?;
            }
            for &(room, id) in &session.told {
                out.push(&Record::Told { session: number, room, id });
            }
            if session.away_us != 0 {
                out.push(&Record::Away { session: number, since_us: session.away_us });
            }
            if session.leaving {
                out.push(&Record::Leaving { session: number });
            }
        }
        for (room, nicks) in &shadow.there {
            nicks.iter().for_each(|nick| out.push(&Record::There { room, nick, there: true }));
        }
        let mut settled = Vec::new();
        for (&number, session) in &mut shadow.sessions {
            session.outs.retain(|sent| sent.moved != Some(0));
            for sent in &mut session.outs {
                copy(&mut sent.place, &mut out)?;
                settled.extend(sent.settled.then_some(sent.group));
                if let Some(transaction) = sent.moved {
                    out.done(transaction, [super::moved(number, sent.seq)]);
                }
            }
            for &(effect, transaction) in &session.effects {
                out.done(transaction, [effect]);
            }
        }
        settled.iter().for_each(|&group| out.push(&Record::Settled { group }));
        let new = beside(&self.path);
        let mut file = open(&new)?;
        file.set_len(0)?;
        file.write_all(&out.bytes)?;
        fs::rename(&new, &self.path)?;
        self.file = file;
        self.bytes = out.bytes.len() as u64;
        self.bytes_max = self.limit.max(self.bytes * 2);
        Ok(())
    }
}

impl Batch {
    /// Appends a record by its body; where that begins.
    fn push_body(&mut self, body: &[u8]) -> u64 {
        let start = record::begin(&mut self.bytes);
        self.bytes.extend_from_slice(body);
        record::end(&mut self.bytes, start);
        (start + HEAD_BYTES) as u64
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension("journal.new")
}

//! What stands in the session journal: records with their length and a checksum in front, so that one that a kill or a power
//! failure left unfinished is seen to be none.
//!
//! A record: the bytes of its body (32 bits), their checksum (32 bits), the body. A body: its kind (8 bits), its fields. All
//! numbers are little-endian.

use crate::hold::Cause;

/// Bytes in front of a body.
pub(super) const HEAD_BYTES: usize = 8;

/// Something that happened to a session.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Record<'a> {
    /// The first record of a file: to which database it belongs, and since which start of the machine it is written.
    Begin { database: i64, boot: u64 },
    /// A session that can be resumed.
    Open(Open<'a>),
    /// Its presence and what it asked for.
    State { session: u32, flags: u8, priority: i8, presence: &'a str },
    /// A stanza is given to its client's socket, or would be if there were one.
    Out(Out<'a>),
    /// Its client has acknowledged these.
    Had { session: u32, h: u32 },
    /// All that these of its client's stanzas cause is safe.
    Safe { session: u32, h: u32 },
    /// It has been without a connection since then; 0: it has one.
    Away { session: u32, since_us: i64 },
    /// What its client has not acknowledged counts as never sent. What of it still is to be sent follows.
    Requeued { session: u32 },
    /// It cannot be resumed any more. What its client has not acknowledged goes another way.
    Leaving { session: u32 },
    /// Nothing of it is left.
    Gone { session: u32 },
    /// These are so, if this transaction of the database was committed; 0: they are.
    Done { transaction: u64, effects: Effects<'a> },
    /// This transaction was not.
    Failed { transaction: u64 },
    /// Somebody has a message that several were given.
    Settled { group: u64 },
    /// The server stopped in order.
    End,
    /// The rooms a session is in, as `xep::muc` writes them.
    Rooms { session: u32, rooms: &'a str },
    /// The last message of a room, by its id in the room's archive, that a session was given.
    Told { session: u32, room: u32, id: i64 },
    /// Somebody is in a room, or no more.
    There { room: &'a str, nick: &'a str, there: bool },
}

/// A session as it was enabled.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Open<'a> {
    pub(super) session: u32,
    pub(super) account: i64,
    pub(super) since_us: i64,
    pub(super) max_seconds: u32,
    pub(super) encrypted: bool,
    pub(super) peer: &'a str,
    pub(super) id: &'a str,
    pub(super) jid: &'a str,
}

/// A stanza for a client.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Out<'a> {
    pub(super) session: u32,
    /// Its number, as XEP-0198 counts.
    pub(super) seq: u32,
    pub(super) at_us: i64,
    pub(super) cause: Option<Cause>,
    /// The id in the archive that its addressee is told; 0: none.
    pub(super) told_as: i64,
    /// Of a message that several were given; 0: none.
    pub(super) group: u64,
    /// Somebody else has it.
    pub(super) settled: bool,
    /// The row of the offline store that it is; 0: none.
    pub(super) row: i64,
    /// The stanza, if it is no such row.
    pub(super) text: &'a [u8],
}

/// What a stanza has caused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effect {
    /// The stanza.
    pub cause: Cause,
    /// What it is.
    pub kind: EffectKind,
    /// An id of an archive, or a session.
    pub value: i64,
}

/// Kinds of [`Effect`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EffectKind {
    /// In the offline store; its addressee will be told this id of the archive.
    Stored,
    /// In its sender's archive.
    Sent,
    /// In its addressee's archive.
    Received,
    /// Given to the session of this number; 0: to one that is not in the journal.
    Reached,
    /// Its addressee was told this id of the archive.
    Told,
}

impl EffectKind {
    const ALL: [Self; 5] = [Self::Stored, Self::Sent, Self::Received, Self::Reached, Self::Told];
}

/// Several of them as they stand in a record.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Effects<'a>(&'a [u8]);

const CAUSE_BYTES: usize = 9;
const EFFECT_BYTES: usize = CAUSE_BYTES + 9;

impl Effects<'_> {
    pub(super) fn iter(&self) -> impl Iterator<Item = Effect> {
        self.0.chunks_exact(EFFECT_BYTES).filter_map(|chunk| {
            let mut reader = Reader(chunk);
            let cause = reader.cause()?;
            let kind = *EffectKind::ALL.get(usize::from(reader.u8()?))?;
            Some(Effect { cause, kind, value: reader.u64()?.cast_signed() })
        })
    }
}

/// Records to be written together.
#[derive(Default)]
pub struct Batch {
    pub(super) bytes: Vec<u8>,
}

impl Batch {
    /// Nothing to be written?
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn push(&mut self, record: &Record<'_>) {
        let out = &mut self.bytes;
        let start = begin(out);
        match *record {
            Record::Begin { database, boot } => {
                out.push(0);
                put64(out, database.cast_unsigned());
                put64(out, boot);
            }
            Record::Open(open) => {
                put_head(out, 1, open.session);
                put64(out, open.account.cast_unsigned());
                put64(out, open.since_us.cast_unsigned());
                put32(out, open.max_seconds);
                out.push(u8::from(open.encrypted));
                put_text(out, open.peer);
                put_text(out, open.id);
                put_text(out, open.jid);
            }
            Record::State { session, flags, priority, presence } => {
                put_head(out, 2, session);
                out.push(flags);
                out.push(priority.cast_unsigned());
                put_text(out, presence);
            }
            Record::Out(o) => put_out(out, &o),
            Record::Had { session, h } => {
                put_head(out, 4, session);
                put32(out, h);
            }
            Record::Safe { session, h } => {
                put_head(out, 5, session);
                put32(out, h);
            }
            Record::Away { session, since_us } => {
                put_head(out, 6, session);
                put64(out, since_us.cast_unsigned());
            }
            Record::Requeued { session } => put_head(out, 7, session),
            Record::Leaving { session } => put_head(out, 8, session),
            Record::Gone { session } => put_head(out, 9, session),
            Record::Done { transaction, effects } => {
                out.push(10);
                put64(out, transaction);
                out.extend_from_slice(effects.0);
            }
            Record::Failed { transaction } => {
                out.push(11);
                put64(out, transaction);
            }
            Record::Settled { group } => {
                out.push(12);
                put64(out, group);
            }
            Record::End => out.push(13),
            Record::Rooms { session, rooms } => {
                put_head(out, 14, session);
                put_text(out, rooms);
            }
            Record::Told { session, room, id } => {
                put_head(out, 15, session);
                put32(out, room);
                put64(out, id.cast_unsigned());
            }
            Record::There { room, nick, there } => {
                out.push(16);
                out.push(u8::from(there));
                put_text(out, room);
                put_text(out, nick);
            }
        }
        end(out, start);
    }

    pub(super) fn done(&mut self, transaction: u64, effects: impl IntoIterator<Item = Effect>) {
        let out = &mut self.bytes;
        let start = begin(out);
        out.push(10);
        put64(out, transaction);
        for effect in effects {
            put_cause(out, Some(effect.cause));
            out.push(EffectKind::ALL.iter().position(|&k| k == effect.kind).unwrap_or(0) as u8);
            put64(out, effect.value.cast_unsigned());
        }
        end(out, start);
    }
}

pub(super) fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD_BYTES]);
    start
}

pub(super) fn end(out: &mut [u8], start: usize) {
    let body = start + HEAD_BYTES;
    let length = u32::try_from(out.len() - body).unwrap_or(u32::MAX);
    let sum = checksum(&out[body..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..body].copy_from_slice(&sum.to_le_bytes());
}

fn put_out(out: &mut Vec<u8>, o: &Out<'_>) {
    put_head(out, 3, o.session);
    put32(out, o.seq);
    put64(out, o.at_us.cast_unsigned());
    put_cause(out, o.cause);
    put64(out, o.told_as.cast_unsigned());
    put64(out, o.group);
    out.push(u8::from(o.settled));
    put64(out, o.row.cast_unsigned());
    put_bytes(out, o.text);
}

fn put_head(out: &mut Vec<u8>, kind: u8, session: u32) {
    out.push(kind);
    put32(out, session);
}

/// Session 0: none.
fn put_cause(out: &mut Vec<u8>, cause: Option<Cause>) {
    let cause = cause.unwrap_or(Cause { session: 0, stanza: 0, moved: false });
    put32(out, cause.session);
    put32(out, cause.stanza);
    out.push(u8::from(cause.moved));
}

fn put32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put32(out, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn i64(&mut self) -> Option<i64> {
        self.u64().map(u64::cast_signed)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn cause(&mut self) -> Option<Cause> {
        Some(Cause { session: self.u32()?, stanza: self.u32()?, moved: self.u8()? != 0 })
    }

    fn out(&mut self) -> Option<Out<'a>> {
        Some(Out {
            session: self.u32()?,
            seq: self.u32()?,
            at_us: self.i64()?,
            cause: Some(self.cause()?).filter(|c| c.session != 0),
            told_as: self.i64()?,
            group: self.u64()?,
            settled: self.u8()? != 0,
            row: self.i64()?,
            text: self.bytes()?,
        })
    }

    fn open(&mut self) -> Option<Open<'a>> {
        Some(Open {
            session: self.u32()?,
            account: self.i64()?,
            since_us: self.i64()?,
            max_seconds: self.u32()?,
            encrypted: self.u8()? != 0,
            peer: self.text()?,
            id: self.text()?,
            jid: self.text()?,
        })
    }
}

/// The record whose body this is.
pub(super) fn decode(body: &[u8]) -> Option<Record<'_>> {
    let mut r = Reader(body);
    Some(match r.u8()? {
        0 => Record::Begin { database: r.i64()?, boot: r.u64()? },
        1 => Record::Open(r.open()?),
        2 => Record::State { session: r.u32()?, flags: r.u8()?, priority: r.u8()?.cast_signed(), presence: r.text()? },
        3 => Record::Out(r.out()?),
        4 => Record::Had { session: r.u32()?, h: r.u32()? },
        5 => Record::Safe { session: r.u32()?, h: r.u32()? },
        6 => Record::Away { session: r.u32()?, since_us: r.i64()? },
        7 => Record::Requeued { session: r.u32()? },
        8 => Record::Leaving { session: r.u32()? },
        9 => Record::Gone { session: r.u32()? },
        10 => Record::Done { transaction: r.u64()?, effects: Effects(r.0) },
        11 => Record::Failed { transaction: r.u64()? },
        12 => Record::Settled { group: r.u64()? },
        13 => Record::End,
        14 => Record::Rooms { session: r.u32()?, rooms: r.text()? },
        15 => Record::Told { session: r.u32()?, room: r.u32()?, id: r.i64()? },
        16 => {
            let there = r.u8()? != 0;
            Record::There { room: r.text()?, nick: r.text()?, there }
        }
        _ => return None,
    })
}

/// The bodies of whole, undamaged records one after the other, with their places; what follows the first that is not is
/// left out.
pub(super) fn bodies(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let undamaged = |&(sum, _, body): &(u32, usize, &[u8])| !body.is_empty() && checksum(body) == sum;
    framed(bytes).take_while(undamaged).map(|(_, at, body)| (at, body))
}

/// The same for what we have written just now.
pub(super) fn bodies_unchecked(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    framed(bytes).map(|(_, at, body)| (at, body))
}

fn framed(bytes: &[u8]) -> impl Iterator<Item = (u32, usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let head = bytes.get(at..at + HEAD_BYTES)?;
        let length = usize::try_from(u32::from_le_bytes(head[..4].try_into().ok()?)).ok()?;
        let sum = u32::from_le_bytes(head[4..].try_into().ok()?);
        let start = at + HEAD_BYTES;
        let body = bytes.get(start..start.checked_add(length)?)?;
        at = start + body.len();
        Some((sum, start, body))
    })
}

/// Tells a record from what an unfinished write leaves; not meant against anybody.
fn checksum(bytes: &[u8]) -> u32 {
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut sum = bytes.len() as u64 ^ PRIME;
    for word in words {
        sum = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME).rotate_left(29);
    }
    for &byte in rest {
        sum = (sum ^ u64::from(byte)).wrapping_mul(PRIME).rotate_left(29);
    }
    (sum ^ (sum >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let cause = Cause { session: 7, stanza: u32::MAX, moved: true };
        let out = Out {
            session: 3,
            seq: 9,
            at_us: -1,
            cause: Some(cause),
            told_as: 5,
            group: 6,
            settled: true,
            row: 8,
            text: b"<message/>",
        };
        let open = Open {
            session: 1,
            account: 2,
            since_us: 3,
            max_seconds: 4,
            encrypted: true,
            peer: "::1",
            id: "id",
            jid: "a@b/c",
        };
        let records = [
            Record::Begin { database: -5, boot: 6 },
            Record::Open(open),
            Record::State { session: 1, flags: 3, priority: -7, presence: "<presence/>" },
            Record::Out(out),
            Record::Out(Out { cause: None, text: b"", ..out }),
            Record::Had { session: 1, h: 2 },
            Record::Safe { session: 1, h: 2 },
            Record::Away { session: 1, since_us: 2 },
            Record::Requeued { session: 1 },
            Record::Leaving { session: 1 },
            Record::Gone { session: 1 },
            Record::Failed { transaction: 3 },
            Record::Settled { group: 4 },
            Record::End,
            Record::Rooms { session: 1, rooms: "a@b/c 1" },
            Record::Told { session: 1, room: 2, id: -3 },
            Record::There { room: "a@b", nick: "c", there: true },
        ];
        let mut batch = Batch::default();
        records.iter().for_each(|record| batch.push(record));
        let effects = EffectKind::ALL.map(|kind| Effect { cause, kind, value: -9 });
        batch.done(77, effects);
        let read: Vec<_> = bodies(&batch.bytes).map(|(_, body)| decode(body).expect("a record")).collect();
        assert_eq!(read[..records.len()], records);
        let Record::Done { transaction: 77, effects: done } = read[records.len()] else { panic!("{read:?}") };
        assert_eq!(done.iter().collect::<Vec<_>>(), effects);
    }

    #[test]
    fn an_unfinished_record_is_none() {
        let mut batch = Batch::default();
        batch.push(&Record::Safe { session: 1, h: 2 });
        let whole = batch.bytes.len();
        batch.push(&Record::State { session: 1, flags: 0, priority: 0, presence: "<presence/>" });
        for end in whole..batch.bytes.len() {
            assert_eq!(bodies(&batch.bytes[..end]).count(), 1, "{end}");
        }
        batch.bytes.resize(batch.bytes.len() + 64, 0);
        assert_eq!(bodies(&batch.bytes).count(), 2);
        batch.bytes[whole + HEAD_BYTES + 8] ^= 1;
        assert_eq!(bodies(&batch.bytes).count(), 1);
    }
}

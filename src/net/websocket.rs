//! WebSocket (RFC 6455) as a server speaks it: messages out of frames, frames around messages, and what proves that the
//! server has understood. No sockets: bytes of the caller's in, positions in them out. An idle connection holds no buffer
//! here, and a message in one frame, which is nearly all of them, is never copied.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use std::io::Cursor;
use std::ops::Range;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// Codes of close frames (§7.4.1).
pub mod code {
    /// The purpose is fulfilled.
    pub const NORMAL: u16 = 1000;
    /// The server goes down.
    pub const GOING_AWAY: u16 = 1001;
    /// Against the protocol.
    pub const PROTOCOL: u16 = 1002;
    /// Data of a kind that is not taken.
    pub const UNSUPPORTED: u16 = 1003;
    /// Text that is not UTF-8.
    pub const NOT_UTF8: u16 = 1007;
    /// Too large.
    pub const TOO_BIG: u16 = 1009;
    /// The server failed.
    pub const INTERNAL: u16 = 1011;
}

/// Why a connection must be failed (§7.1.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text}")]
pub struct Violation {
    /// For the close frame.
    pub code: u16,
    /// For people.
    pub text: &'static str,
}

const fn against(text: &'static str) -> Violation {
    Violation { code: code::PROTOCOL, text }
}

/// What came; positions are those in the buffer given to that call of [`Messages::next`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A message of text in one frame. Whether it is UTF-8 has not been looked at.
    Whole(Range<usize>),
    /// The same, put together from fragments (§5.4).
    Assembled(Vec<u8>),
    /// The peer closes the connection, perhaps with a code (§5.5.1). What follows is dropped.
    Close(Option<u16>),
}

/// What a client sends.
#[derive(Debug)]
pub struct Messages {
    bytes_max: usize,
    /// Where the next frame begins.
    pos: usize,
    /// What there is of a message in fragments.
    fragments: Option<Vec<u8>>,
    /// What the last ping said that was not answered (§5.5.2, §5.5.3: only the last one needs an answer).
    ping: Option<Box<[u8]>>,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Closed,
    Failed(Violation),
}

/// §5.5: of a control frame.
const CONTROL_BYTES_MAX: u64 = 125;

impl Messages {
    /// Before the first frame. No message may be larger.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, pos: 0, fragments: None, ping: None, end: None }
    }

    /// Another limit from now on.
    pub fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// Bytes of the buffer before this position are done with.
    pub fn keep_from(&self) -> usize {
        self.pos
    }

    /// The caller dropped this many bytes (at most [`Self::keep_from`]) from the front of its buffer.
    pub fn shift(&mut self, dropped: usize) {
        self.pos -= dropped;
    }

    /// What a ping said that is to be answered now.
    pub fn take_ping(&mut self) -> Option<Box<[u8]>> {
        self.ping.take()
    }

    /// Is there a ping to be answered?
    pub fn is_pinged(&self) -> bool {
        self.ping.is_some()
    }

    /// The next message in `buf`: what [`Self::keep_from`] told to keep and whatever has arrived since. `None`: more bytes
    /// are needed. A frame is unmasked where it lies, once it is complete. After an error every call gives the same error.
    pub fn next(&mut self, buf: &mut [u8]) -> Result<Option<Message>, Violation> {
        match self.end {
            Some(End::Failed(violation)) => return Err(violation),
            Some(End::Closed) => {
                self.pos = buf.len();
                return Ok(None);
            }
            None => {}
        }
        self.frames(buf).inspect_err(|violation| self.end = Some(End::Failed(*violation)))
    }

    fn frames(&mut self, buf: &mut [u8]) -> Result<Option<Message>, Violation> {
        loop {
            let mut cursor = Cursor::new(&buf[self.pos..]);
            // The one thing it refuses itself.
            let parsed = FrameHeader::parse(&mut cursor).map_err(|_| against("a reserved opcode"))?;
            let Some((header, length)) = parsed else { return Ok(None) };
            let head = cursor.position() as usize;
            let (mask, length) = self.check(&header, length, head)?;
            let payload = self.pos + head..self.pos + head + length;
            let Some(bytes) = buf.get_mut(payload.clone()) else { return Ok(None) };
            self.pos = payload.end;
            unmask(bytes, mask);
            match header.opcode {
                OpCode::Data(_) if self.fragments.is_none() && header.is_final => {
                    return Ok(Some(Message::Whole(payload)));
                }
                OpCode::Data(_) => {
                    self.fragments.get_or_insert_default().extend_from_slice(bytes);
                    if header.is_final {
                        return Ok(self.fragments.take().map(Message::Assembled));
                    }
                }
                OpCode::Control(Control::Close) => {
                    let code = close_code(bytes)?;
                    self.end = Some(End::Closed);
                    return Ok(Some(Message::Close(code)));
                }
                OpCode::Control(Control::Ping) => self.ping = Some((&*bytes).into()),
                // §5.5.3: it says nothing but that somebody is there.
                OpCode::Control(_) => {}
            }
        }
    }

    /// May a frame with this header come now (§5.1, §5.2, §5.4, §5.5)? It can be judged before its payload is there.
    fn check(&self, header: &FrameHeader, length: u64, head: usize) -> Result<([u8; 4], usize), Violation> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(against("a reserved bit, and no extension was negotiated"));
        }
        let Some(mask) = header.mask else { return Err(against("a frame of a client must be masked")) };
        if head != header.len(length) || length > i64::MAX as u64 {
            return Err(against("a length that is not written as it must be"));
        }
        let before = match (header.opcode, &self.fragments) {
            (OpCode::Control(_), _) if !header.is_final => return Err(against("a control frame in fragments")),
            (OpCode::Control(_), _) if length > CONTROL_BYTES_MAX => return Err(against("a control frame too large")),
            (OpCode::Control(_), _) => return Ok((mask, length as usize)),
            (OpCode::Data(Data::Continue), None) => return Err(against("a fragment of nothing")),
            (OpCode::Data(Data::Continue), Some(fragments)) => fragments.len(),
            (OpCode::Data(_), Some(_)) => return Err(against("a message within another one")),
            (OpCode::Data(Data::Binary), None) => {
                return Err(Violation { code: code::UNSUPPORTED, text: "messages must be of text" });
            }
            (OpCode::Data(_), None) => 0,
        };
        match usize::try_from(length).ok().filter(|length| *length <= self.bytes_max.saturating_sub(before)) {
            Some(length) => Ok((mask, length)),
            None => Err(Violation { code: code::TOO_BIG, text: "the message is too large" }),
        }
    }
}

/// §5.5.1, §7.4: what a close frame says.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    match payload {
        [] => Ok(None),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !CloseCode::from(code).is_allowed() {
                return Err(against("a close frame with a code that may not be sent"));
            }
            match std::str::from_utf8(reason) {
                Ok(_) => Ok(Some(code)),
                Err(_) => Err(Violation { code: code::NOT_UTF8, text: "a reason that is not UTF-8" }),
            }
        }
        [_] => Err(against("a close frame with half a code")),
    }
}

/// §5.3.
fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Room for the header of most messages; they are moved if theirs is shorter or longer.
const HEADER_BYTES: usize = 4;
/// §5.2: of a header without mask.
const HEADER_BYTES_MAX: usize = 10;

fn header(opcode: OpCode, length: usize) -> ([u8; HEADER_BYTES_MAX], usize) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let mut bytes = [0; HEADER_BYTES_MAX];
    // It fits: there is no mask.
    let _ = header.format(length as u64, &mut &mut bytes[..]);
    (bytes, header.len(length as u64))
}

/// Appends a message of text, whatever `write` appends, and says where in `out` that is then.
pub fn write_text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
    let at = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    write(out);
    let length = out.len() - at - HEADER_BYTES;
    let (bytes, size) = header(OpCode::Data(Data::Text), length);
    if size == HEADER_BYTES {
        out[at..at + size].copy_from_slice(&bytes[..size]);
    } else {
        out.splice(at..at + HEADER_BYTES, bytes[..size].iter().copied());
    }
    at + size..out.len()
}

fn write_control(out: &mut Vec<u8>, opcode: Control, payload: &[u8]) {
    let (bytes, size) = header(OpCode::Control(opcode), payload.len());
    out.extend_from_slice(&bytes[..size]);
    out.extend_from_slice(payload);
}

/// Appends a ping that says nothing.
pub fn write_ping(out: &mut Vec<u8>) {
    write_control(out, Control::Ping, b"");
}

/// Appends the answer to a ping.
pub fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    write_control(out, Control::Pong, payload);
}

/// Appends a close frame. The text is in ASCII, and cut off where it is too long.
pub fn write_close(out: &mut Vec<u8>, code: Option<u16>, text: &str) {
    let mut payload = Vec::with_capacity(2 + text.len());
    if let Some(code) = code {
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(text.as_bytes());
        payload.truncate(CONTROL_BYTES_MAX as usize);
    }
    write_control(out, Control::Close, &payload);
}

/// §4.2.2: `Sec-WebSocket-Accept` for this `Sec-WebSocket-Key`, if it is one (16 bytes in base64).
pub fn accept_key(key: &str) -> Option<String> {
    STANDARD.decode(key).ok().filter(|bytes| bytes.len() == 16)?;
    Some(STANDARD.encode(Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize()))
}

/// §1.3.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
#[path = "websocket_tests.rs"]
mod tests;

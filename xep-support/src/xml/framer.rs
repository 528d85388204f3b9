//! Push framer: bytes in, whole frames out (RFC 6120 §4, §11).
//!
//! It cuts the stream header, each complete first-level element and the close tag out of a buffer the caller owns. It
//! remembers how far it looked, so that no byte is scanned twice however the chunks fall, and it copies nothing. What
//! it hands out is *delimited*, not proven well-formed: that is [`super::check`]'s work on the complete frame.
//!
//! Refused here, because it must not be buffered: comments, DTDs, processing instructions (restricted-xml), anything
//! but white space between elements (not-well-formed), and whatever exceeds a limit, before more of it is read. A
//! U+FEFF is not a byte order mark in XMPP but character data (RFC 6120 §11.6), and so refused between elements.

use std::ops::Range;

use memchr::{memchr, memchr2};
use smallvec::SmallVec;

use crate::stream::StreamCondition;

/// Bounds on what one frame may be. A frame of exactly the given size is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// Bytes from the XML declaration to the end of the stream header's tag.
    pub header_bytes_max: usize,
    /// Bytes of one first-level element.
    pub element_bytes_max: usize,
    /// Nesting; a first-level element has depth 1.
    pub depth_max: usize,
}

/// What the framer found; the ranges are positions in the buffer given to that call of [`Framer::next`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The XML declaration, if any, and the start tag of the stream.
    Header(Range<usize>),
    /// A complete first-level element.
    Element(Range<usize>),
    /// The end tag of the stream; its name is that of the header. Whatever follows is dropped.
    Close,
}

/// Why a stream cannot go on (RFC 6120 §4.9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// not-well-formed (§4.9.3.13). Also for character data between elements.
    #[error("not well-formed")]
    NotWellFormed,
    /// restricted-xml (§4.9.3.18).
    #[error("comment, DTD or processing instruction")]
    RestrictedXml,
    /// The stream header exceeds `header_bytes_max`: policy-violation (§4.9.3.14).
    #[error("stream header too large")]
    HeaderTooLarge,
    /// A first-level element exceeds `element_bytes_max`: policy-violation.
    #[error("element too large")]
    ElementTooLarge,
    /// Elements are nested deeper than `depth_max`: policy-violation.
    #[error("elements nested too deeply")]
    TooDeep,
}

impl From<FrameError> for StreamCondition {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::NotWellFormed => Self::NotWellFormed,
            FrameError::RestrictedXml => Self::RestrictedXml,
            FrameError::HeaderTooLarge | FrameError::ElementTooLarge | FrameError::TooDeep => Self::PolicyViolation,
        }
    }
}

/// Where the scanner stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Outside any tag.
    Text,
    /// After `<`.
    Lt,
    /// In a start tag, outside quotes.
    Tag,
    /// In a start tag after `/`: only `>` may follow.
    Slash,
    /// In an attribute value in these quotes.
    Quoted(u8),
    /// After `</`.
    EndTag,
    /// After `<!` and this many further bytes of `<![CDATA[`.
    Bang(u8),
    /// In a CDATA section.
    CData,
    /// After `<?` and this many bytes of `xml`.
    DeclName(u8),
    /// In the XML declaration.
    Decl,
    /// The stream was closed by the peer.
    Closed,
    /// The stream was broken.
    Failed(FrameError),
}

/// Which part of the stream is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing seen yet; an XML declaration may come.
    Start,
    /// The declaration was seen, or a tag begun: the stream header must come.
    Header,
    /// First-level elements.
    Elements,
}

const CDATA_OPEN: &[u8] = b"[CDATA[";

/// The framer of one stream. See the module's documentation.
///
/// ```
/// use xep_support::xml::framer::{Event, FrameLimits, Framer};
/// let mut framer = Framer::new(FrameLimits { header_bytes_max: 1024, element_bytes_max: 65536, depth_max: 64 });
/// let mut buf = b"<stream:stream><a/>".to_vec();
/// assert_eq!(framer.next(&buf), Ok(Some(Event::Header(0..15))));
/// assert_eq!(framer.next(&buf), Ok(Some(Event::Element(15..19))));
/// assert_eq!(framer.next(&buf), Ok(None));
/// let done = framer.keep_from();
/// buf.drain(..done);
/// framer.shift(done);
/// ```
#[derive(Clone, Debug)]
pub struct Framer {
    limits: FrameLimits,
    state: State,
    phase: Phase,
    /// Elements open inside the stream element.
    depth: usize,
    /// Whether `start` is the start of an unfinished frame.
    in_frame: bool,
    start: usize,
    pos: usize,
    /// Name of the stream element as written, for its end tag.
    root: SmallVec<[u8; 16]>,
}

impl Framer {
    /// A framer that expects a stream header.
    #[must_use]
    pub fn new(limits: FrameLimits) -> Self {
        Self {
            limits,
            state: State::Text,
            phase: Phase::Start,
            depth: 0,
            in_frame: false,
            start: 0,
            pos: 0,
            root: SmallVec::new(),
        }
    }

    /// A framer of elements that stand alone, without a stream around them (RFC 7395 §3.3).
    #[must_use]
    pub fn elements(limits: FrameLimits) -> Self {
        Self { phase: Phase::Elements, ..Self::new(limits) }
    }

    /// The next frame in `buf`: what [`Self::keep_from`] told to keep and whatever has arrived since. `None`: more
    /// bytes are needed. After an error every call gives the same error.
    pub fn next(&mut self, buf: &[u8]) -> Result<Option<Event>, FrameError> {
        debug_assert!(self.pos <= buf.len(), "bytes that were already looked at are missing");
        match self.scan(buf) {
            Err(error) => {
                self.state = State::Failed(error);
                Err(error)
            }
            found => found,
        }
    }

    /// Bytes of the buffer before this position are done with.
    #[must_use]
    pub fn keep_from(&self) -> usize {
        if self.in_frame { self.start } else { self.pos }
    }

    /// The caller dropped this many bytes (at most [`Self::keep_from`]) from the front of its buffer.
    pub fn shift(&mut self, dropped: usize) {
        debug_assert!(dropped <= self.keep_from(), "an unfinished frame was dropped");
        self.pos -= dropped;
        self.start = self.start.saturating_sub(dropped);
    }

    /// The stream is restarted (RFC 6120 §4.3.3): a new header follows at the present position.
    pub fn restart(&mut self) {
        (self.state, self.phase, self.depth, self.in_frame) = (State::Text, Phase::Start, 0, false);
        self.root.clear();
    }

    /// Other limits from now on (for instance after authentication).
    pub fn set_limits(&mut self, limits: FrameLimits) {
        self.limits = limits;
    }

    /// Whether nothing unfinished is in the buffer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.in_frame
    }

    fn scan(&mut self, buf: &[u8]) -> Result<Option<Event>, FrameError> {
        match self.state {
            State::Failed(error) => return Err(error),
            State::Closed => {
                self.pos = buf.len();
                return Ok(None);
            }
            _ => {}
        }
        if !self.in_frame && !self.skip_blank(buf)? {
            return Ok(None);
        }
        // Never beyond the limit, so that the outcome does not depend on how much has arrived.
        let (max, error) = match self.phase {
            Phase::Elements => (self.limits.element_bytes_max, FrameError::ElementTooLarge),
            _ => (self.limits.header_bytes_max, FrameError::HeaderTooLarge),
        };
        let limit = self.start.saturating_add(max);
        let window = &buf[..buf.len().min(limit).max(self.pos)];
        match self.scan_frame(window)? {
            // An unfinished frame that fills its limit is larger than the limit.
            None if self.pos >= limit => Err(error),
            found => Ok(found),
        }
    }

    /// Skips white space between frames; `true` if a frame begins, whose `<` was then consumed.
    fn skip_blank(&mut self, buf: &[u8]) -> Result<bool, FrameError> {
        let rest = &buf[self.pos..];
        let Some(blank) = rest.iter().position(|b| !is_blank(*b)) else {
            self.pos = buf.len();
            return Ok(false);
        };
        self.pos += blank;
        if rest[blank] != b'<' {
            return Err(FrameError::NotWellFormed);
        }
        self.start = self.pos;
        self.pos += 1;
        (self.in_frame, self.state) = (true, State::Lt);
        Ok(true)
    }

    /// Scans inside one frame, to its end or that of `buf`.
    fn scan_frame(&mut self, buf: &[u8]) -> Result<Option<Event>, FrameError> {
        while self.pos < buf.len() {
            let rest = &buf[self.pos..];
            match self.state {
                State::Text => {
                    if self.depth == 0 {
                        // Between the XML declaration and the stream header.
                        match rest[0] {
                            b'<' => self.state = State::Lt,
                            b if is_blank(b) => {}
                            _ => return Err(FrameError::NotWellFormed),
                        }
                        self.pos += 1;
                    } else if self.skip_to(rest, memchr(b'<', rest)) {
                        self.state = State::Lt;
                    }
                }
                State::Lt => self.after_lt(rest[0])?,
                State::Tag => {
                    if let Some(event) = self.in_tag(buf)? {
                        return Ok(Some(event));
                    }
                }
                State::Slash => {
                    if rest[0] != b'>' || self.phase != Phase::Elements {
                        return Err(FrameError::NotWellFormed);
                    }
                    self.pos += 1;
                    self.state = State::Text;
                    if self.depth == 0 {
                        return Ok(Some(self.element_done()));
                    }
                }
                State::Quoted(quote) => {
                    if self.skip_to(rest, memchr2(quote, b'<', rest)) {
                        if buf[self.pos - 1] == b'<' {
                            return Err(FrameError::NotWellFormed);
                        }
                        self.state = State::Tag;
                    }
                }
                State::EndTag => {
                    if self.skip_to(rest, memchr(b'>', rest)) {
                        self.state = State::Text;
                        if self.depth == 0 {
                            return self.close(buf).map(Some);
                        }
                        self.depth -= 1;
                        if self.depth == 0 {
                            return Ok(Some(self.element_done()));
                        }
                    }
                }
                State::CData => {
                    if self.skip_to(rest, memchr(b'>', rest)) && buf[..self.pos].ends_with(b"]]>") {
                        self.state = State::Text;
                    }
                }
                State::Bang(_) | State::DeclName(_) | State::Decl => self.markup(buf)?,
                State::Closed | State::Failed(_) => break,
            }
        }
        Ok(None)
    }

    /// To the next byte in a start tag that means something.
    fn in_tag(&mut self, buf: &[u8]) -> Result<Option<Event>, FrameError> {
        let rest = &buf[self.pos..];
        let found = rest.iter().position(|b| matches!(b, b'>' | b'/' | b'\'' | b'"' | b'<'));
        self.skip_to(rest, found);
        match found.map(|n| rest[n]) {
            None => {}
            Some(b'>') => return Ok(self.start_tag_done(buf)),
            Some(b'/') => self.state = State::Slash,
            Some(b'<') => return Err(FrameError::NotWellFormed),
            Some(quote) => self.state = State::Quoted(quote),
        }
        Ok(None)
    }

    /// Moves behind what was found, or to the end of the buffer.
    fn skip_to(&mut self, rest: &[u8], found: Option<usize>) -> bool {
        self.pos += found.map_or(rest.len(), |n| n + 1);
        found.is_some()
    }

    fn after_lt(&mut self, b: u8) -> Result<(), FrameError> {
        self.state = match b {
            b'/' if self.phase == Phase::Elements => State::EndTag,
            b'!' => State::Bang(0),
            b'?' if self.phase == Phase::Start => State::DeclName(0),
            b'?' => return Err(FrameError::RestrictedXml),
            b if b.is_ascii_alphabetic() || b == b'_' || b >= 0x80 => {
                if self.phase == Phase::Elements && self.depth >= self.limits.depth_max {
                    return Err(FrameError::TooDeep);
                }
                if self.phase == Phase::Start {
                    self.phase = Phase::Header;
                }
                State::Tag
            }
            _ => return Err(FrameError::NotWellFormed),
        };
        self.pos += 1;
        Ok(())
    }

    /// One step in `<![CDATA[` or `<?xml … ?>`.
    fn markup(&mut self, buf: &[u8]) -> Result<(), FrameError> {
        let b = buf[self.pos];
        match self.state {
            State::Bang(n) => {
                if b != CDATA_OPEN[usize::from(n)] {
                    return Err(FrameError::RestrictedXml);
                }
                self.state = State::Bang(n + 1);
                if usize::from(n) + 1 == CDATA_OPEN.len() {
                    // Outside the elements a CDATA section is character data where none may be.
                    if self.depth == 0 {
                        return Err(FrameError::NotWellFormed);
                    }
                    self.state = State::CData;
                }
            }
            State::DeclName(n @ 0..3) if b == b"xml"[usize::from(n)] => self.state = State::DeclName(n + 1),
            State::DeclName(3) if is_blank(b) => self.state = State::Decl,
            State::DeclName(_) => return Err(FrameError::RestrictedXml),
            _ if b == b'>' && buf[self.pos - 1] == b'?' => {
                (self.state, self.phase) = (State::Text, Phase::Header);
            }
            // Neither `<` nor `>` occurs in a declaration: do not look for its end in what follows.
            _ if b == b'<' || b == b'>' => return Err(FrameError::NotWellFormed),
            _ => {}
        }
        self.pos += 1;
        Ok(())
    }

    fn start_tag_done(&mut self, buf: &[u8]) -> Option<Event> {
        self.state = State::Text;
        if self.phase == Phase::Elements {
            self.depth += 1;
            return None;
        }
        let frame = self.start..self.pos;
        // The declaration has no `<` but its first byte, so the last one before a name outside quotes is the tag's.
        let tag = &buf[frame.clone()];
        let tag = if tag.starts_with(b"<?") {
            let end = memchr(b'>', tag).map_or(0, |n| n + 1);
            &tag[end + memchr(b'<', &tag[end..]).unwrap_or(0)..]
        } else {
            tag
        };
        let name = tag[1..].split(|b| is_blank(*b) || *b == b'>').next().unwrap_or_default();
        self.root = SmallVec::from_slice(name);
        self.phase = Phase::Elements;
        self.in_frame = false;
        Some(Event::Header(frame))
    }

    fn element_done(&mut self) -> Event {
        self.in_frame = false;
        Event::Element(self.start..self.pos)
    }

    fn close(&mut self, buf: &[u8]) -> Result<Event, FrameError> {
        let name = buf[self.start..self.pos - 1].trim_ascii_end();
        if name.get(2..) != Some(&self.root[..]) {
            return Err(FrameError::NotWellFormed);
        }
        (self.state, self.in_frame) = (State::Closed, false);
        Ok(Event::Close)
    }
}

/// White space as XML has it.
const fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
#[path = "framer_tests.rs"]
mod tests;

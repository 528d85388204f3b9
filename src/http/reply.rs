//! Answers: their bodies, and the headers all of them have.

use super::in_flight::{Forwarded, InFlight};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An answer.
pub type Reply = Response<Body>;

/// A body that is made while it is sent.
pub type Stream = Pin<Box<dyn HttpBody<Data = Bytes, Error = io::Error> + Send>>;

/// The body of an answer.
pub struct Body {
    kind: Kind,
    /// Given back when the last byte has gone, or nobody wants it any more.
    held: Option<(InFlight, Option<Forwarded>)>,
}

enum Kind {
    Full(Option<Bytes>),
    Stream(Stream),
}

impl Body {
    /// Nothing.
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// Known at once.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Full(Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty())), held: None }
    }

    /// Made while it is sent.
    pub fn stream(stream: Stream) -> Self {
        Self { kind: Kind::Stream(stream), held: None }
    }

    /// The same, with what lives as long.
    pub fn holding(self, in_flight: InFlight, forwarded: Option<Forwarded>) -> Self {
        in_flight.turn(true);
        Self { held: Some((in_flight, forwarded)), ..self }
    }

    /// It is not there yet: the peer cannot take anything of it.
    pub fn rests(&self) {
        if let Some((in_flight, _)) = &self.held {
            in_flight.turn(false);
        }
    }

    /// Here it is.
    pub fn fill(&mut self, bytes: impl Into<Bytes>) {
        let filled = Self::full(bytes);
        self.kind = filled.kind;
        if let Some((in_flight, _)) = &self.held {
            in_flight.turn(true);
        }
    }
}

/// Handed out at a time: what encrypts, or speaks HTTP/2, copies what it is given.
const PIECE_BYTES: usize = 32 * 1024;

fn piece(left: &mut Option<Bytes>) -> Option<Bytes> {
    match left {
        Some(bytes) if bytes.len() > PIECE_BYTES => Some(bytes.split_to(PIECE_BYTES)),
        _ => left.take(),
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        let polled = match &mut this.kind {
            Kind::Full(bytes) => Poll::Ready(piece(bytes).map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Stream(stream) => stream.as_mut().poll_frame(cx),
        };
        if let Some((in_flight, _)) = &this.held {
            // It asks again when this has been taken.
            in_flight.turn(polled.is_ready());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_none(),
            Kind::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Stream(stream) => stream.size_hint(),
        }
    }
}

/// An answer with a text of a type, such as `text/html`; always UTF-8.
pub fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Body::full(body));
    *reply.status_mut() = status;
    set(&mut reply, header::CONTENT_TYPE, kind);
    reply
}

/// An answer that says what is wrong in one line.
pub fn refusal(status: StatusCode, why: &'static str) -> Reply {
    text(status, PLAIN, format!("{why}\n"))
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = status;
    reply
}

/// Come back later: too much is going on.
pub fn busy() -> Reply {
    let mut reply = refusal(StatusCode::SERVICE_UNAVAILABLE, "too much is going on here, please come back");
    set(&mut reply, header::RETRY_AFTER, "10");
    reply
}

/// Text for people and programs.
pub const PLAIN: &str = "text/plain; charset=utf-8";

/// Sets a header whose value is fixed.
pub fn set(reply: &mut Reply, name: HeaderName, value: &'static str) {
    reply.headers_mut().insert(name, HeaderValue::from_static(value));
}

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Lets pages of other sites embed this one answer.
pub fn embeddable(reply: &mut Reply) {
    set(reply, RESOURCE_POLICY, "cross-origin");
}

/// What every answer has, unless it says otherwise itself: a browser may run nothing, frame nothing, guess nothing, and
/// tell nobody whence it came.
pub fn secure(reply: &mut Reply) {
    let all = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (RESOURCE_POLICY, "same-origin"),
    ];
    for (name, value) in all {
        reply.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
}

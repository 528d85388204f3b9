//! A request that is held (BOSH): its answer comes when there is something to say, perhaps in a minute.
//!
//! HTTP/1.1 has nothing else to do on that connection meanwhile. So the library, whose buffers cost four times as much as the
//! session, is dropped, and only the socket stays. When the answer is there the library begins anew on the socket: it reads a
//! stand-in for the request, is given the answer, and writes it as it writes all others. What it had read beyond the request,
//! and what came meanwhile, it reads behind the stand-in: nothing is lost.

use super::bosh::{CORS, Place};
use super::reply::{self, Reply};
use super::watched::Watched;
use hyper::header::{self, HeaderMap};
use hyper::http::Extensions;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// Marks an answer that is still to come.
#[derive(Clone)]
pub(super) struct Held(Arc<Mutex<Option<Place>>>);

impl Held {
    /// Makes an answer one that is held.
    pub(super) fn mark(reply: &mut Reply, place: Place) {
        reply.extensions_mut().insert(Self(Arc::new(Mutex::new(Some(place)))));
    }

    /// Is it one?
    pub(super) fn take(reply: &mut Reply) -> Option<Self> {
        let held = reply.extensions_mut().remove::<Self>()?;
        // Its headers are a kilobyte and a half, and are as easily made when they are needed.
        *reply.headers_mut() = HeaderMap::new();
        *reply.extensions_mut() = Extensions::new();
        reply.body().rests();
        Some(held)
    }

    /// Waits for what belongs into the answer.
    pub(super) async fn fill(self, reply: &mut Reply) {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(place) = place {
            place.fill(reply).await;
            CORS.apply(reply);
            reply::secure(reply);
        }
    }
}

/// Does the client expect the connection to stay open (RFC 9112 §9.3)?
pub(super) fn stays_open(headers: &HeaderMap) -> bool {
    let mut said = headers.get_all(header::CONNECTION).into_iter();
    said.all(|line| line.to_str().is_ok_and(|line| !line.to_ascii_lowercase().contains("close")))
}

/// What stands for a request that is answered already.
const STAND_IN: &[u8] = b"POST / HTTP/1.1\r\nhost: resting\r\ncontent-length: 0\r\n\r\n";
/// What is read of a client that does not wait for its answer, before it has it.
const AHEAD_BYTES_MAX: usize = 1024;

/// A connection on which nothing happens but that a request is held.
pub(super) struct Resting {
    io: Watched,
    /// What lies behind the request.
    ahead: Vec<u8>,
    reply: Reply,
    held: Held,
}

impl Resting {
    pub(super) fn new(io: Watched, ahead: &[u8], reply: Reply, held: Held) -> Self {
        Self { io, ahead: ahead.to_vec(), reply, held }
    }

    /// Until the answer is there; `None`: the connection was lost.
    pub(super) async fn until_answered(self: Box<Self>) -> Option<Watched> {
        let Self { mut io, mut ahead, mut reply, held } = *self;
        let answered = tokio::select! {
            biased;
            () = held.fill(&mut reply) => true,
            () = lost(&mut io, &mut ahead) => false,
        };
        if !answered {
            return None;
        }
        io.watch().answer(reply);
        io.read_again([STAND_IN, &ahead].concat());
        Some(io)
    }
}

/// Until the connection ends. What comes on it is kept.
async fn lost(io: &mut Watched, ahead: &mut Vec<u8>) {
    poll_fn(|cx| {
        while ahead.len() < AHEAD_BYTES_MAX {
            match io.poll_ahead(cx, ahead) {
                Poll::Ready(Ok(n)) if n > 0 => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    })
    .await;
}

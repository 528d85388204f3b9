//! A WebSocket in a stream of HTTP/2 (RFC 8441), beside the other requests of its connection.
//!
//! The session has no socket, but a stream that is carried by the connection. What it writes counts as told when the library
//! has taken it, as with a socket: a cut connection takes with it what lies in between.

use super::{SUBPROTOCOL, VERSION, has_token, other_version, refusal, too_many};
use crate::c2s::framing::Framing;
use crate::c2s::{self, Link};
use crate::counters::LinkKind;
use crate::http::reply::{self, Reply};
use crate::http::routes::Call;
use crate::http::watched::Watch;
use crate::net::transport::{Carrier, Transport};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::header;
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;

/// Is it what RFC 8441 §5 wants?
pub(super) fn is_asked(request: &Request<Incoming>) -> bool {
    let protocol = request.extensions().get::<Protocol>();
    request.method() == Method::CONNECT && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// Answers the handshake: without a key, and with 200. Each WebSocket counts like a connection of its own.
pub(super) fn shake(mut call: Call) -> Reply {
    if !has_token(call.request.headers(), header::SEC_WEBSOCKET_VERSION, VERSION) {
        return other_version(StatusCode::BAD_REQUEST);
    }
    if let Some(refusal) = refusal(&call) {
        return refusal;
    }
    let web = call.web.clone();
    if c2s::too_often(&web.core, call.client.address) {
        return too_many();
    }
    let Ok(slot) = call.client.slot(&web.budget) else { return too_many() };
    let (way, address) = (call.way(), call.client.address);
    let ready = hyper::upgrade::on(&mut call.request);
    let busy = Busy::new(call.watch);
    web.tasks.clone().spawn(async move {
        // An error: the client has gone before it had its answer.
        let Ok(stream) = ready.await else { return };
        let peer = SocketAddr::new(address, 0);
        let carried = Carried { stream: Mutex::new(Some((TokioIo::new(stream), busy))), peer };
        let io = Transport::Carried(Box::new(carried));
        let link = Link::new(&web.core, LinkKind::WebSocket, Framing::WebSocket, io, address, way);
        c2s::serve_link(web.clients(), link, slot).await;
    });
    let mut reply = reply::empty(StatusCode::OK);
    reply::set(&mut reply, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    reply
}

/// As long as there is a WebSocket its connection is not idle.
struct Busy {
    watch: Arc<Watch>,
    number: u64,
}

impl Busy {
    fn new(watch: Arc<Watch>) -> Self {
        Self { number: watch.begin(), watch }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.watch.end(self.number);
    }
}

struct Carried {
    /// Nobody else has it: the lock only says that it need not be shared. It is there until this is dropped.
    stream: Mutex<Option<(TokioIo<Upgraded>, Busy)>>,
    peer: SocketAddr,
}

impl Carried {
    fn stream(&mut self) -> io::Result<Pin<&mut TokioIo<Upgraded>>> {
        let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        stream.as_mut().map(|(stream, _)| Pin::new(stream)).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Carried {
    /// The library may still have something for the peer, who must take it like any answer: else the connection is given up.
    fn drop(&mut self) {
        let left = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let (Some((mut stream, busy)), Ok(runtime)) = (left, Handle::try_current()) else { return };
        runtime.spawn(async move {
            busy.watch.turn(busy.number, true);
            // An error: the connection is gone, or the peer wants nothing more.
            drop(poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await);
            drop(busy);
        });
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Carrier for Carried {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }

    fn peer(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

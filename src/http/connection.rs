//! One connection of the HTTP server: requests, and the patience we have with it. How it comes in: `entrance.rs`.

use super::entrance::{Entered, enter};
use super::held::{self, Held};
use super::reply::{self, Reply};
use super::watched::{Patience, Verdict, Watch, Watched};
use super::websocket::Upgrade;
use super::{Door, Web, routes, websocket};
use crate::c2s;
use crate::config::Http;
use crate::extension::BoxFuture;
use crate::net::transport::TlsInfo;
use hyper::body::Incoming;
use hyper::header;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

/// Where a request came in.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// The listener.
    pub door: Door,
    /// Where it listens.
    pub address: SocketAddr,
    /// Our TLS.
    pub tls: Option<Arc<TlsInfo>>,
}

/// What HTTP/2 may have on its way for one request, and for a connection.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;

/// Serves one connection to its end. A client's stream is not one of ours: it gets a task of its own, as small as if it had
/// come in through a port for clients.
pub async fn serve(
    web: Arc<Web>,
    (door, address): (Door, SocketAddr),
    stream: TcpStream,
    socket_peer: SocketAddr,
    tasks: TaskTracker,
) {
    let (io, origin, slot) = match Box::pin(enter(&web, door, stream, socket_peer)).await {
        Some(Entered::Http { io, tls, peer, slot }) => {
            (io, Origin { peer, door, address, tls: tls.map(Arc::new) }, slot)
        }
        Some(Entered::Client(arrived)) => {
            let door = c2s::Door { address, direct_tls: true, plaintext_auth: false };
            tasks.spawn(c2s::serve_arrived(web.clients(), door, arrived));
            return;
        }
        None => return,
    };
    let io = Watched::new(io, web.core.clone(), slot);
    if let Some(upgrade) = converse(&web, origin, io).await
        && let Some((link, slot)) = websocket::take_over(&web, upgrade).await
    {
        tasks.spawn(c2s::serve_link(web.clients(), link, slot));
    }
}

/// Answers the requests of a connection.
struct Pages {
    web: Arc<Web>,
    origin: Origin,
    watch: Arc<Watch>,
}

impl Service<Request<Incoming>> for Pages {
    type Response = Reply;
    type Error = Infallible;
    type Future = BoxFuture<Result<Reply, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let watch = self.watch.clone();
        if let Some(reply) = watch.take_answer() {
            watch.request(false);
            return Box::pin(async move { Ok(reply) });
        }
        // Who wants the connection closed, or does not know that it stays open, gets his answer the usual way.
        // The same for a request that is the last one of its connection because of how its body came (RFC 9112 §6.1).
        let is_old = request.version() <= Version::HTTP_11;
        let is_last = is_old && request.headers().contains_key(header::TRANSFER_ENCODING);
        let may_rest = request.version() == Version::HTTP_11 && !is_last && held::stays_open(request.headers());
        let answer = routes::answer(self.web.clone(), self.origin.clone(), watch.clone(), request);
        // Boxed: the connection keeps room for this future as long as it lives.
        Box::pin(async move {
            let mut reply = Box::pin(answer).await?;
            if let Some(held) = Held::take(&mut reply) {
                if may_rest {
                    watch.rest(reply, held);
                    return std::future::pending().await;
                }
                held.fill(&mut reply).await;
                if is_last {
                    reply::set(&mut reply, header::CONNECTION, "close");
                }
            }
            Ok(reply)
        })
    }
}

/// How it goes on with a connection.
enum Next {
    /// It is over.
    Over(Option<Upgrade>),
    /// A request is held, and nothing else goes on.
    Rest(Box<held::Resting>),
}

/// HTTP, until the connection ends or becomes something else.
async fn converse(web: &Arc<Web>, origin: Origin, mut io: Watched) -> Option<Upgrade> {
    let patience = patience(&web.core.config().http);
    let mut stopping = web.stopping.clone();
    let is_http2 = tokio::select! {
        begun = tokio::time::timeout(patience.head, io.begins_http2()) => begun.ok()?.ok()?,
        _ = stopping.wait_for(|s| *s) => return None,
    };
    loop {
        // Boxed, so that nothing of it is left while a request is held.
        let next = match is_http2 {
            true => Box::pin(speak_http2(web, origin.clone(), io, patience)).await,
            false => Box::pin(speak_http1(web, origin.clone(), io, patience)).await,
        };
        match next {
            Next::Over(upgrade) => return upgrade,
            Next::Rest(resting) => io = resting.until_answered().await?,
        }
    }
}

async fn speak_http1(web: &Arc<Web>, origin: Origin, io: Watched, patience: Patience) -> Next {
    let (watch, peer) = (io.watch().clone(), origin.peer);
    let bytes_max = web.core.config().http.header_bytes_max;
    let pages = Pages { web: web.clone(), origin, watch: watch.clone() };
    let mut builder = http1::Builder::new();
    // The library's own time limits are off: they cannot tell a slow head from a connection that waits for its next request.
    builder.header_read_timeout(None).max_buf_size(bytes_max);
    let mut connection = builder.serve_connection(TokioIo::new(io), pages).with_upgrades();
    let mut is_closing = false;
    let mut stopping = web.stopping.clone();
    loop {
        let goodbye = || Pin::new(&mut connection).graceful_shutdown();
        let Some(look_again) = look(&watch, patience, &mut is_closing, peer, goodbye) else { return Next::Over(None) };
        let mut rest = None;
        let ended = poll_fn(|cx| {
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(Some(ended));
            }
            rest = watch.take_rest();
            if rest.is_some() { Poll::Ready(None) } else { Poll::Pending }
        });
        tokio::select! {
            biased;
            ended = ended => match (ended, rest) {
                (Some(Err(error)), _) => {
                    tracing::debug!(%peer, %error, "HTTP connection ended");
                    return Next::Over(None);
                }
                (Some(Ok(())), _) => return Next::Over(watch.take_upgrade()),
                (None, Some((reply, held))) => {
                    // Nothing of an answer is left in there: the last one was taken by the socket (`Watch::take_rest`).
                    let Some(parts) = connection.into_parts() else { return Next::Over(None) };
                    let io = parts.io.into_inner();
                    return Next::Rest(Box::new(held::Resting::new(io, &parts.read_buf, reply, held)));
                }
                (None, None) => {}
            },
            () = tokio::time::sleep(look_again) => {}
            _ = stopping.wait_for(|s| *s), if !is_closing => {
                is_closing = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
}

async fn speak_http2(web: &Arc<Web>, origin: Origin, io: Watched, patience: Patience) -> Next {
    let (watch, peer) = (io.watch().clone(), origin.peer);
    let builder = http2_builder(&web.core.config().http);
    let pages = Pages { web: web.clone(), origin, watch: watch.clone() };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), pages));
    let mut is_closing = false;
    let mut stopping = web.stopping.clone();
    loop {
        let goodbye = || connection.as_mut().graceful_shutdown();
        let Some(look_again) = look(&watch, patience, &mut is_closing, peer, goodbye) else { return Next::Over(None) };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "HTTP connection ended");
                }
                return Next::Over(None);
            }
            () = tokio::time::sleep(look_again) => {}
            _ = stopping.wait_for(|s| *s), if !is_closing => {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// How does a connection do, and when is it to be looked at again? `None`: it is given up.
fn look(
    watch: &Watch,
    patience: Patience,
    is_closing: &mut bool,
    peer: IpAddr,
    goodbye: impl FnOnce(),
) -> Option<Duration> {
    match watch.judge(patience) {
        Verdict::Fine(time) => Some(time),
        // What is not over now will not be.
        Verdict::Idle if *is_closing => None,
        Verdict::Idle => {
            *is_closing = true;
            goodbye();
            Some(GOODBYE)
        }
        Verdict::Stuck => {
            tracing::debug!(%peer, "HTTP connection given up: the other side does nothing");
            None
        }
    }
}

/// How long a connection may take to end that is told to.
const GOODBYE: Duration = Duration::from_secs(2);

fn patience(http: &Http) -> Patience {
    Patience { head: http.header_seconds_max, idle: http.idle_seconds_max, stall: http.stall_seconds_max }
}

fn http2_builder(http: &Http) -> http2::Builder<TokioExecutor> {
    let header_bytes = u32::try_from(http.header_bytes_max).unwrap_or(u32::MAX);
    let streams = u32::try_from(http.streams_per_connection_max).unwrap_or(u32::MAX);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_header_list_size(header_bytes)
        .max_concurrent_streams(streams)
        .enable_connect_protocol()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(STREAM_WINDOW_BYTES as usize);
    builder
}

//! The end of a stream: what is still said, and an orderly end of the connection (RFC 6120 §4.4, §4.9; RFC 7395 §3.6).

use super::framing::{Framing, Input, LastWord};
use super::wire::Wire;
use crate::close::CloseReason;
use crate::net::websocket;
use std::future::poll_fn;
use std::time::Duration;
use xep_support::ns;
use xep_support::stream::{self, ResponseHeader, StreamCondition, StreamError};
use xep_support::xml::writer::escape_attr;

/// How often what still comes is thrown away before the connection is dropped.
const GOODBYE_READS_MAX: usize = 1024;
/// Of one of these reads.
const READ_BYTES: usize = 1024;
/// How long a client has for its part of the end before we begin with what comes next.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// Says goodbye and closes: the error if there is one, the closing tag, an orderly end of the connection. The caller limits
/// the time.
///
/// `farewell` takes the place of the reason's own text; for a client that is sent elsewhere it says where.
pub(super) async fn say_goodbye(
    mut wire: Wire,
    reason: CloseReason,
    opened: bool,
    from: Option<&str>,
    farewell: Option<Box<str>>,
) {
    if reason != CloseReason::ConnectionLost {
        wire.queue(|framing, out| last_words(framing, out, reason, opened, from, farewell));
    }
    if wire.framing == Framing::WebSocket {
        return end_websocket(wire, reason).await;
    }
    if reason == CloseReason::ConnectionLost || poll_fn(|cx| wire.poll_drain(cx)).await.is_err() {
        return;
    }
    let _ = poll_fn(|cx| wire.io.poll_shutdown(cx)).await;
    if reason == CloseReason::ClientClosed {
        return;
    }
    // Unread input would turn our closing into a reset, and the client might never see the error.
    let mut scratch = [0; READ_BYTES];
    let mut last = Vec::new();
    for _ in 0..GOODBYE_READS_MAX {
        let n = match poll_fn(|cx| wire.poll_read(cx, &mut scratch)).await {
            Ok(n) if n > 0 => n,
            _ => return,
        };
        last.extend_from_slice(&scratch[..n]);
        if memchr::memmem::find(&last, stream::CLOSE.as_bytes()).is_some() {
            return;
        }
        let keep = last.len().saturating_sub(stream::CLOSE.len());
        last.drain(..keep);
    }
}

fn last_words(
    framing: Framing,
    out: &mut Vec<u8>,
    reason: CloseReason,
    opened: bool,
    from: Option<&str>,
    farewell: Option<Box<str>>,
) {
    if let (CloseReason::Moved, Some(place), true) = (reason, &farewell, framing.is_framed()) {
        return write_moved(framing, out, place);
    }
    if !opened {
        // RFC 6120 §4.9.1.2: an error comes within a stream, so the header has to be sent first.
        let id = super::random_id();
        framing.header(out, &ResponseHeader { content_ns: ns::CLIENT, id: &id, from, to: None, lang: Some("en") });
    }
    if let CloseReason::AckTooHigh { h, sent } = reason {
        // XEP-0198 §6: with an application condition that says how much.
        let error = format!(
            "<stream:error><undefined-condition xmlns='{}'/><handled-count-too-high xmlns='{}' h='{h}' \
             send-count='{sent}'/></stream:error>",
            ns::STREAM_ERRORS,
            ns::SM
        );
        framing.say(out, &error);
    } else if let Some((condition, text)) = reason.stream_error() {
        let error = StreamError::new(condition);
        let text = farewell.map_or_else(|| text.to_owned(), String::from);
        framing.error(out, &if text.is_empty() { error } else { error.with_text(text) });
    }
    framing.close(out);
}

/// RFC 7395 §3.6.1.
fn write_moved(framing: Framing, out: &mut Vec<u8>, place: &str) {
    let mut close = format!("<close xmlns='{}' see-other-uri='", ns::FRAMING);
    escape_attr(&mut close, place);
    close.push_str("'/>");
    framing.say(out, &close);
}

/// RFC 7395 §3.6, RFC 6455 §7.1: whoever closes the stream waits until the other side has closed it, too, and then closes
/// the connection in the same way. We do not wait for long.
async fn end_websocket(mut wire: Wire, reason: CloseReason) {
    let Input::WebSocket(incoming) = &wire.input else { return };
    let (has_failed, closed, (code, text)) = (incoming.has_failed(), incoming.closed(), incoming.close_code(reason));
    if reason == CloseReason::ConnectionLost && closed.is_none() || poll_fn(|cx| wire.poll_drain(cx)).await.is_err() {
        return;
    }
    let mut answer = closed;
    if !has_failed && closed.is_none() {
        let stream_is_over = reason == CloseReason::ClientClosed;
        match tokio::time::timeout(CLOSE_PATIENCE, until_closed(&mut wire, stream_is_over)).await {
            Ok(None) => return,
            Ok(Some(LastWord::Connection(code))) => answer = Some(code),
            Ok(Some(_)) | Err(_) => {}
        }
    }
    // RFC 6455 §5.5.1: an answer says the same.
    let (code, text) = answer.map_or((Some(code), text), |code| (code, ""));
    wire.queue(|_, out| websocket::write_close(out, code, text));
    if poll_fn(|cx| wire.poll_drain(cx)).await.is_err() {
        return;
    }
    // RFC 6455 §7.1.1: the server is the first to close. What still comes is dropped, or it would become a reset.
    let _ = poll_fn(|cx| wire.io.poll_shutdown(cx)).await;
    let mut scratch = [0; READ_BYTES];
    for _ in 0..GOODBYE_READS_MAX {
        if !matches!(poll_fn(|cx| wire.poll_read(cx, &mut scratch)).await, Ok(1..)) {
            return;
        }
    }
}

/// Reads until the client has closed its stream, or the connection if the stream is closed already; `None` if there is no
/// connection any more.
async fn until_closed(wire: &mut Wire, stream_is_over: bool) -> Option<LastWord> {
    let mut scratch = [0; READ_BYTES];
    for _ in 0..GOODBYE_READS_MAX {
        let Input::WebSocket(incoming) = &mut wire.input else { return None };
        while let Some(word) = incoming.last_word(&mut wire.unread) {
            match word {
                LastWord::Other => {}
                LastWord::Stream if stream_is_over => {}
                word => return Some(word),
            }
        }
        let done = wire.input.keep_from();
        wire.unread.drain(..done);
        wire.input.shift(done);
        match poll_fn(|cx| wire.poll_read(cx, &mut scratch)).await {
            Ok(n @ 1..) => wire.unread.extend_from_slice(&scratch[..n]),
            _ => return None,
        }
    }
    Some(LastWord::Failed)
}

/// What a client over a limit of connections reads.
pub(super) fn refusal(from: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let (framing, id) = (Framing::Stream, super::random_id());
    framing.header(
        &mut out,
        &ResponseHeader { content_ns: ns::CLIENT, id: &id, from: Some(from), to: None, lang: Some("en") },
    );
    framing.error(&mut out, &StreamError::new(StreamCondition::PolicyViolation).with_text("too many connections"));
    framing.close(&mut out);
    out
}

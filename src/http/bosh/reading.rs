//! Reading the body of a request: bounded in size, time, and in what all of them take together.

use super::Refused;
use crate::http::reply::{self, Reply};
use crate::http::routes::Call;
use hyper::body::{Body as _, Incoming};
use hyper::{Request, StatusCode, header};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use xep_support::bosh::Condition;

/// Room for what is being read, given back when dropped.
struct Room {
    all: Arc<AtomicUsize>,
    taken: usize,
    max: usize,
}

impl Room {
    fn take(&mut self, bytes: usize) -> bool {
        self.taken += bytes;
        self.all.fetch_add(bytes, Relaxed) + bytes <= self.max
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.all.fetch_sub(self.taken, Relaxed);
    }
}

enum Failed {
    /// It is too long.
    TooLong,
    /// Too much is being read.
    Busy,
    /// The connection broke.
    Cut,
}

/// The whole body, or what the client is told instead.
pub(super) async fn read(mut call: Call) -> Result<(Call, Vec<u8>), Reply> {
    let (bytes_max, all_max, patience) = {
        let http = &call.web.core.config().http;
        (http.bosh_body_bytes_max, http.bosh_reading_bytes_max, http.stall_seconds_max)
    };
    let headers = call.request.headers();
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        // §7.2: none was offered.
        return Err(Refused(Condition::BadRequest, false).reply());
    }
    let mut room = Room { all: call.web.bosh.reading_bytes.clone(), taken: 0, max: all_max };
    let collected = tokio::time::timeout(patience, collect(&mut call.request, bytes_max, &mut room)).await;
    match collected {
        Ok(Ok(body)) => Ok((call, body)),
        Ok(Err(Failed::TooLong)) => Err(Refused(Condition::PolicyViolation, false).reply()),
        Ok(Err(Failed::Busy)) => Err(reply::busy()),
        Ok(Err(Failed::Cut)) => Err(Refused(Condition::BadRequest, false).reply()),
        Err(_) => Err(reply::refusal(StatusCode::REQUEST_TIMEOUT, "nothing more came")),
    }
}

async fn collect(request: &mut Request<Incoming>, bytes_max: usize, room: &mut Room) -> Result<Vec<u8>, Failed> {
    let body = request.body_mut();
    let said = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    if said.is_some_and(|bytes| bytes > bytes_max) {
        return Err(Failed::TooLong);
    }
    let mut collected = Vec::with_capacity(said.unwrap_or_default().min(FIRST_BYTES));
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|_| Failed::Cut)?.into_data() else { continue };
        if collected.len() + data.len() > bytes_max {
            return Err(Failed::TooLong);
        }
        if !room.take(data.len()) {
            return Err(Failed::Busy);
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected)
}

/// What a body that says it is long gets before it is.
const FIRST_BYTES: usize = 4 * 1024;

//! Reading the body of a request: bounded in size, time, and in what all of them take together, and those of one address.

use super::Refused;
use crate::attempts::address_key;
use crate::http::reply::{self, Reply};
use crate::http::routes::Call;
use dashmap::DashMap;
use hyper::body::{Body as _, Incoming};
use hyper::{Request, StatusCode, header};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use xep_support::bosh::Condition;

/// What is being read of requests.
#[derive(Default)]
pub(super) struct Reading {
    all_bytes: AtomicUsize,
    /// By address, those of which something is.
    by_address: DashMap<String, usize>,
}

/// Of all the room there is, one address may take this part, or one body: so many of them have to be greedy before others
/// notice.
const SHARE: usize = 8;

/// Room for what is being read, given back when dropped.
struct Room {
    reading: Arc<Reading>,
    address: String,
    taken: usize,
    max: usize,
    share: usize,
}

impl Room {
    fn take(&mut self, bytes: usize) -> bool {
        self.taken += bytes;
        let of_address = {
            let mut taken = self.reading.by_address.entry(self.address.clone()).or_default();
            *taken += bytes;
            *taken
        };
        self.reading.all_bytes.fetch_add(bytes, Relaxed) + bytes <= self.max && of_address <= self.share
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.reading.all_bytes.fetch_sub(self.taken, Relaxed);
        self.reading.by_address.remove_if_mut(&self.address, |_, taken| {
            *taken = taken.saturating_sub(self.taken);
            *taken == 0
        });
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
    let address = address_key(call.client.address);
    let share = (all_max / SHARE).max(bytes_max);
    let mut room = Room { reading: call.web.bosh.reading.clone(), address, taken: 0, max: all_max, share };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_room_for_others() {
        let reading = Arc::new(Reading::default());
        let room = |address: &str| Room {
            reading: reading.clone(),
            address: address.to_owned(),
            taken: 0,
            max: 800,
            share: 100,
        };
        let (mut first, mut second) = (room("a"), room("a"));
        assert!(first.take(60) && second.take(40) && !second.take(1), "an eighth");
        assert!(room("b").take(100));
        drop(first);
        assert!(second.take(50));
        drop(second);
        assert!(reading.by_address.is_empty());
        assert_eq!(reading.all_bytes.load(Relaxed), 0);
    }

    #[test]
    fn all_of_them_have_an_end() {
        let reading = Arc::new(Reading::default());
        let mut rooms: Vec<_> = (0..9)
            .map(|n| Room { reading: reading.clone(), address: n.to_string(), taken: 0, max: 800, share: 100 })
            .collect();
        assert_eq!(
            rooms.iter_mut().map(|room| room.take(100)).collect::<Vec<_>>(),
            [[true; 8].as_slice(), &[false]].concat()
        );
    }
}

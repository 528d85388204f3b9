//! Uploaded files by HTTP (XEP-0363 §7): PUT into a slot, GET and HEAD for everybody who knows the URL.

mod file_body;
mod get;
mod media;
mod put;
mod range;

pub(super) use range::names;

use super::forwarded::Client;
use super::reply::{self, Reply};
use super::routes::{Call, Cors};
use crate::core::Core;
use crate::extension::BoxFuture;
use crate::net::budget::{BudgetLimits, Refused, Slot};
use crate::storage::Upload;
use crate::uploads;
use hyper::{Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Where files are.
pub const PATH: &str = "/upload/";

/// §8: pages of other sites may upload and fetch.
pub const CORS: Cors = Cors {
    methods: "GET, HEAD, PUT, OPTIONS",
    headers: "Authorization, Content-Type, Range, If-None-Match, If-Range",
    exposed: "Content-Length, Content-Range, Content-Disposition, ETag, Accept-Ranges",
};

/// What is kept at this URL?
pub fn serve(call: Call) -> BoxFuture<Reply> {
    Box::pin(async move {
        let found = match find(&call).await {
            Ok(found) => found,
            Err(reply) => return reply,
        };
        match *call.request.method() {
            Method::PUT => Box::pin(put::put(call, found)).await,
            _ => get::get(call, found).await,
        }
    })
}

/// The slot or file of this URL, whose name must be the right one, too: else anybody could give a file another name.
async fn find(call: &Call) -> Result<Upload, Reply> {
    let nothing = || reply::refusal(StatusCode::NOT_FOUND, "there is no such file");
    let (token, name) = call.rest.split_once('/').ok_or_else(nothing)?;
    if !uploads::is_token(token) {
        return Err(nothing());
    }
    let found = call.web.core.storage.upload_find(token).await.map_err(|error| {
        tracing::error!(%error, "upload not looked up");
        reply::busy()
    })?;
    let found = found.ok_or_else(nothing)?;
    let name = percent_decode_str(name).decode_utf8().map_err(|_| nothing())?;
    if name == found.name { Ok(found) } else { Err(nothing()) }
}

/// A file being sent or fetched; counts as one as long as it lives.
struct Transfer {
    core: Arc<Core>,
    _slot: Slot,
}

impl Transfer {
    /// One more, if there may be one more, of this client and at all.
    fn begin(core: &Arc<Core>, client: &Client) -> Result<Self, Refused> {
        let limits = {
            let config = core.config();
            BudgetLimits {
                connections_max: config.upload.transfers_max,
                per_address_max: config.upload.transfers_per_address_max,
                exempt: config.limits.exempt_addresses.clone(),
            }
        };
        core.site.transfers.set_limits(limits);
        let slot = client.slot(&core.site.transfers)?;
        core.site.counters.transfers.fetch_add(1, Relaxed);
        Ok(Self { core: core.clone(), _slot: slot })
    }
}

/// Why there is no transfer.
fn refused(why: Refused) -> Reply {
    match why {
        Refused::Total => reply::busy(),
        Refused::PerAddress => {
            let mut reply = reply::refusal(StatusCode::TOO_MANY_REQUESTS, "too many files at a time for your address");
            reply::set(&mut reply, header::RETRY_AFTER, "10");
            reply
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.core.site.counters.transfers.fetch_sub(1, Relaxed);
    }
}

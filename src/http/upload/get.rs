//! GET and HEAD of an uploaded file. What is at a URL never changes, so its token is its entity tag.

use super::file_body::FileBody;
use super::range::{self, Part};
use super::{Transfer, media, refused};
use crate::clock;
use crate::http::reply::{self, Body, Reply};
use crate::http::routes::Call;
use crate::storage::Upload;
use crate::uploads;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering::Relaxed;

/// A picture may be shown where it is, and play there; nothing may run (XEP-0363 §9.1).
const POLICY: &str =
    "default-src 'none'; img-src 'self'; media-src 'self'; frame-ancestors 'none'; base-uri 'none'; sandbox";
/// How long others may keep a copy.
const CACHE_SECONDS_MAX: i64 = 86_400;

pub(super) async fn get(call: Call, upload: Upload) -> Reply {
    let now_us = clock::now_micros();
    let has_expired = upload.expires_us.is_some_and(|until| until <= now_us);
    let Some(stored_us) = upload.stored_us.filter(|_| !has_expired) else {
        return reply::refusal(StatusCode::NOT_FOUND, "there is no such file");
    };
    let tag = format!("\"{}\"", upload.token);
    let mut reply = describe(&upload, &tag, stored_us, now_us);
    let headers = call.request.headers();
    if text(headers, header::IF_NONE_MATCH).is_some_and(|header| range::names(header, &tag)) {
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
        return reply;
    }
    // RFC 9110 §13.1.5: a part of something else is of no use. A date is no strong validator to us.
    let same = text(headers, header::IF_RANGE).is_none_or(|validator| validator == tag);
    let asked = text(headers, header::RANGE).filter(|_| same && call.request.method() == Method::GET);
    let range = match asked.map_or(Part::Whole, |header| range::part(header, upload.bytes)) {
        Part::Whole => 0..upload.bytes,
        Part::Some(range) => {
            *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
            let value = format!("bytes {}-{}/{}", range.start, range.end - 1, upload.bytes);
            put(&mut reply, header::CONTENT_RANGE, value);
            range
        }
        Part::None => {
            let mut reply = reply::refusal(StatusCode::RANGE_NOT_SATISFIABLE, "the file is shorter");
            put(&mut reply, header::CONTENT_RANGE, format!("bytes */{}", upload.bytes));
            return reply;
        }
    };
    put(&mut reply, header::CONTENT_LENGTH, (range.end - range.start).to_string());
    if call.request.method() == Method::HEAD {
        return reply;
    }
    let core = &call.web.core;
    let transfer = match Transfer::begin(core, &call.client) {
        Ok(transfer) => transfer,
        Err(why) => return refused(why),
    };
    match open(uploads::file(&core.config(), &upload.token)).await {
        Ok(file) => {
            core.site.counters.downloads.fetch_add(1, Relaxed);
            reply.map(|_| Body::stream(Box::pin(FileBody::new(file, range, transfer))))
        }
        Err(error) => {
            tracing::error!(%error, token = upload.token, "uploaded file not opened");
            if error.kind() == io::ErrorKind::NotFound {
                // The database was restored, its files were not.
                return reply::refusal(StatusCode::NOT_FOUND, "there is no such file any more");
            }
            reply::refusal(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read")
        }
    }
}

async fn open(path: std::path::PathBuf) -> io::Result<File> {
    tokio::task::spawn_blocking(move || File::open(path)).await.map_err(io::Error::other)?
}

/// Everything about the file but its bytes.
fn describe(upload: &Upload, tag: &str, stored_us: i64, now_us: i64) -> Reply {
    let mut reply = Response::new(Body::empty());
    let presentation = media::presentation(upload.content_type.as_deref());
    let left_seconds = upload.expires_us.map_or(CACHE_SECONDS_MAX, |until| (until - now_us) / 1_000_000);
    let age = left_seconds.clamp(0, CACHE_SECONDS_MAX);
    reply::set(&mut reply, header::CONTENT_TYPE, presentation.kind);
    reply::set(&mut reply, header::CONTENT_SECURITY_POLICY, POLICY);
    reply::set(&mut reply, header::ACCEPT_RANGES, "bytes");
    put(&mut reply, header::CONTENT_DISPOSITION, media::disposition(presentation.is_inline, &upload.name));
    put(&mut reply, header::ETAG, tag.to_owned());
    put(&mut reply, header::CACHE_CONTROL, format!("private, max-age={age}, immutable"));
    if let Some(date) = http_date(stored_us) {
        put(&mut reply, header::LAST_MODIFIED, date);
    }
    reply
}

fn http_date(micros: i64) -> Option<String> {
    let timestamp = jiff::Timestamp::from_microsecond(micros).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp).ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn put(reply: &mut Reply, name: HeaderName, value: String) {
    // Everything that comes here is printable ASCII.
    if let Ok(value) = HeaderValue::try_from(value) {
        reply.headers_mut().insert(name, value);
    }
}

//! HTTP and uploads.

use super::page::Page;
use crate::core::Core;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(super) fn write(page: &mut Page, core: &Core) {
    let counters = &core.site.counters;
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    page.gauge("magpie_http_requests", "HTTP requests being answered, those held open included.")
        .is(counters.requests_in_flight.load(Relaxed));
    let mut answers = page.counter("magpie_http_answers_total", "HTTP answers by the class of their status.");
    for (class, counter) in ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(&counters.answers) {
        answers = answers.with("class", class, count(counter));
    }
    page.counter("magpie_upload_slots_total", "Slots that were asked for (XEP-0363).")
        .with("outcome", "given", count(&counters.slots))
        .with("outcome", "refused", count(&counters.slots_refused));
    page.counter("magpie_uploads_total", "Uploads that were begun, by what became of them.")
        .with("outcome", "stored", count(&counters.uploads))
        .with("outcome", "failed", count(&counters.uploads_failed));
    page.counter("magpie_uploaded_bytes_total", "Bytes of files stored.").is(count(&counters.uploaded_bytes));
    page.counter("magpie_downloads_total", "Files handed out, whole or in part.").is(count(&counters.downloads));
    page.counter("magpie_downloaded_bytes_total", "Bytes of these.").is(count(&counters.downloaded_bytes));
    page.gauge("magpie_transfers", "Files being sent or fetched.").is(counters.transfers.load(Relaxed));
}

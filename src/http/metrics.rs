//! `/metrics`: figures about the server in the text format of Prometheus. They are gathered when somebody asks; what happens
//! all the time is counted where it happens, by an addition and nothing more.

mod clients;
mod page;
mod process;
mod rooms;
mod stored;
mod web;

use super::reply::{self, Reply};
use super::routes::Call;
use crate::extension::BoxFuture;
use hyper::StatusCode;
use page::Page;

/// The version of the format we write.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All figures.
pub fn serve(call: Call) -> BoxFuture<Reply> {
    Box::pin(async move {
        let mut page = Page::default();
        process::write(&mut page, &call.web);
        clients::write(&mut page, &call.web);
        web::write(&mut page, &call.web.core);
        rooms::write(&mut page, &call.web.core);
        // Last: it asks the database.
        stored::write(&mut page, &call.web.core).await;
        reply::text(StatusCode::OK, FORMAT, page.finish())
    })
}

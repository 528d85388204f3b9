//! Is the server alive, and can it do its work? For load balancers and supervisors.

use super::reply::{self, PLAIN};
use super::routes::Call;
use crate::core::Core;
use crate::extension::BoxFuture;
use hyper::StatusCode;

/// `/healthz`: the process answers.
pub fn alive(_: Call) -> BoxFuture<reply::Reply> {
    Box::pin(async { reply::text(StatusCode::OK, PLAIN, "ok\n") })
}

/// `/readyz`: it takes clients and can keep their messages.
pub fn ready(call: Call) -> BoxFuture<reply::Reply> {
    Box::pin(async move {
        let is_stopping = *call.web.stopping.borrow();
        match trouble(&call.web.core, is_stopping).await {
            None => reply::text(StatusCode::OK, PLAIN, "ready\n"),
            Some(why) => reply::refusal(StatusCode::SERVICE_UNAVAILABLE, why),
        }
    })
}

async fn trouble(core: &Core, is_stopping: bool) -> Option<&'static str> {
    if is_stopping {
        return Some("stopping");
    }
    if core.storage.is_nearly_full() {
        return Some("too many writes wait for the disk");
    }
    // A read goes through the database, but waits for no write.
    core.storage.meta_get("secret").await.err().map(|_| "the database cannot be read")
}

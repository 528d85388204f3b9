//! The HTTP server: one for everything that is not an XML stream. What is served where: [`routes`].

pub mod connection;
pub mod forwarded;
pub mod health;
pub mod host_meta;
pub mod metrics;
pub mod pages;
pub mod reply;
pub mod routes;
pub mod upload;
pub mod watched;

use crate::core::Core;
use crate::net::budget::AddressBudget;
use crate::net::listener::Listener;
use crate::net::tls::CertStore;
use routes::Route;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// What all connections need.
pub struct Web {
    /// The server.
    pub core: Arc<Core>,
    /// Its certificates.
    pub certs: Arc<CertStore>,
    /// Who may still connect.
    pub budget: Arc<AddressBudget>,
    /// What is served where.
    pub routes: Vec<Route>,
    /// Becomes true when the server stops.
    pub stopping: watch::Receiver<bool>,
}

/// One listening socket, as the connections that come through it see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// HTTP in the clear.
    Plain,
    /// HTTPS.
    Tls,
    /// Figures and health only, in the clear.
    Metrics,
}

/// Accepts connections until the server stops.
pub async fn accept(listener: Listener, door: Door, web: Arc<Web>, tasks: TaskTracker) {
    let mut stopping = web.stopping.clone();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|s| *s) => return,
        };
        tasks.spawn(connection::serve(web.clone(), door, stream, peer));
    }
}

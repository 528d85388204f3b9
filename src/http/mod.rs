//! The HTTP server: one for everything that is not an XML stream, and for what becomes one. What is served where: [`routes`].

pub mod bosh;
pub mod chat;
pub mod connection;
mod entrance;
pub mod forwarded;
pub mod health;
mod held;
pub mod host_meta;
pub mod in_flight;
pub mod invite;
pub mod layout;
pub mod metrics;
pub mod pages;
pub mod reply;
pub mod routes;
pub mod upload;
pub mod watched;
pub mod websocket;

use crate::c2s;
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
    /// Requests being answered.
    pub in_flight: in_flight::InFlights,
    /// Sessions by BOSH.
    pub bosh: Arc<bosh::Sessions>,
    /// What must be over before a stop.
    pub tasks: TaskTracker,
    /// Becomes true when the server stops.
    pub stopping: watch::Receiver<bool>,
}

impl Web {
    /// What connections of clients need.
    pub fn clients(&self) -> c2s::Service {
        let Self { core, certs, budget, stopping, .. } = self;
        c2s::Service { core: core.clone(), certs: certs.clone(), budget: budget.clone(), stopping: stopping.clone() }
    }
}

/// One listening socket, as the connections that come through it see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// HTTP in the clear.
    Plain,
    /// HTTPS, and client streams over TLS.
    Tls,
    /// Figures and health only, in the clear.
    Metrics,
}

/// Accepts connections until the server stops.
pub async fn accept(listener: Listener, door: Door, web: Arc<Web>, tasks: TaskTracker) {
    let (mut stopping, address) = (web.stopping.clone(), listener.local_addr());
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|s| *s) => return,
        };
        tasks.spawn(connection::serve(web.clone(), (door, address), stream, peer, tasks.clone()));
    }
}

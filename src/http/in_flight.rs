//! Requests being answered: how many there are, and how many of them are one address's.

use super::Web;
use super::watched::Watch;
use crate::core::Core;
use crate::net::budget::{Slot, unit};
use dashmap::DashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Requests being answered, by address. There are no more addresses in it than requests.
#[derive(Default)]
pub struct InFlights {
    by_address: DashMap<IpAddr, usize>,
}

impl InFlights {
    /// One more of this address: how many it has now.
    fn add(&self, address: IpAddr) -> usize {
        let mut count = self.by_address.entry(address).or_default();
        *count += 1;
        *count
    }

    fn remove(&self, address: IpAddr) {
        self.by_address.remove_if_mut(&address, |_, count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}

/// Whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// An operator's, who looks what is the matter. It is answered, whatever else goes on.
    Operator,
    /// Of somebody the limits of one address are not for.
    Exempt,
    /// Somebody's at this address.
    At(IpAddr),
}

/// Why a request is not answered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There are as many as there may be.
    Busy,
    /// There are many, and its address has its share of them.
    TooMany,
}

/// A request being answered, until its answer has been written or given up.
pub struct InFlight {
    watch: Arc<Watch>,
    web: Arc<Web>,
    number: u64,
    /// What is counted for its address.
    address: Option<IpAddr>,
}

impl InFlight {
    /// One more, if the server may have one more. Who has many is in nobody's way until half of all places are taken; from
    /// then on an address gets as many as it could have with one for each connection.
    pub fn begin(watch: &Arc<Watch>, web: &Arc<Web>, asker: Asker) -> Result<Self, Refused> {
        let before = web.core.site.counters.requests_in_flight.fetch_add(1, Relaxed);
        let address = if let Asker::At(address) = asker { Some(unit(address.to_canonical())) } else { None };
        let of_address = address.map_or(0, |address| web.in_flight.add(address));
        // From here on it is given back, refused or not.
        let this = Self { watch: watch.clone(), web: web.clone(), number: watch.begin(), address };
        if asker == Asker::Operator {
            return Ok(this);
        }
        let config = web.core.config();
        let (all_max, share) = (config.http.requests_in_flight_max, config.limits.connections_per_address_max);
        if before >= all_max {
            return Err(Refused::Busy);
        }
        if before >= all_max / 2 && of_address > share { Err(Refused::TooMany) } else { Ok(this) }
    }

    /// There is something of the answer for the peer to take (`true`), or nothing just now.
    pub fn turn(&self, is_peers: bool) {
        self.watch.turn(self.number, is_peers);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.watch.end(self.number);
        self.web.core.site.counters.requests_in_flight.fetch_sub(1, Relaxed);
        if let Some(address) = self.address {
            self.web.in_flight.remove(address);
        }
    }
}

/// The place of a connection that is taken by a request a proxy makes for somebody, until its answer has been written.
pub struct Forwarded {
    _slot: Slot,
    core: Arc<Core>,
}

impl Forwarded {
    /// Takes it.
    pub fn new(slot: Slot, core: Arc<Core>) -> Self {
        core.site.counters.forwarded.fetch_add(1, Relaxed);
        Self { _slot: slot, core }
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        self.core.site.counters.forwarded.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_remembered_of_addresses_that_left() {
        let all = InFlights::default();
        let [here, there] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        assert_eq!((all.add(here), all.add(here), all.add(there)), (1, 2, 1));
        all.remove(here);
        all.remove(there);
        assert_eq!((all.by_address.len(), all.add(here)), (1, 2));
        all.remove(here);
        all.remove(here);
        assert!(all.by_address.is_empty());
    }
}

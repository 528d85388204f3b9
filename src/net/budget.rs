//! How many connections the server and each address may hold at once. The table only has addresses that are connected
//! right now, so `connections_max` bounds it too.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::addr::{IpNet, masked};

/// The unit counted for IPv6: whoever has one address has the /64 around it.
const IPV6_PREFIX: u8 = 64;

/// The bounds of an [`AddressBudget`].
#[derive(Clone, Debug)]
pub struct BudgetLimits {
    /// Connections at once from everywhere.
    pub connections_max: usize,
    /// Connections at once from one IPv4 address or one IPv6 /64.
    pub per_address_max: usize,
    /// Networks to which `per_address_max` does not apply.
    pub exempt: Vec<IpNet>,
}

impl Default for BudgetLimits {
    fn default() -> Self {
        Self { connections_max: 100_000, per_address_max: 50, exempt: IpNet::loopback().to_vec() }
    }
}

/// Counts connections, in total and per address.
#[derive(Debug)]
pub struct AddressBudget {
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    limits: BudgetLimits,
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why a connection may not be had now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The server holds as many connections as it may.
    #[error("too many connections")]
    Total,
    /// This address holds as many connections as it may.
    #[error("too many connections from this address")]
    PerAddress,
}

/// The right to one connection; gives it back when dropped.
#[derive(Debug)]
pub struct Slot {
    budget: Arc<AddressBudget>,
    /// `None` for an exempt address.
    address: Option<IpAddr>,
}

impl AddressBudget {
    /// A budget with nothing spent.
    pub fn new(limits: BudgetLimits) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::new(Counts { limits, total: 0, by_address: HashMap::new() }) })
    }

    /// Other limits from now on. Connections over them are not closed.
    pub fn set_limits(&self, limits: BudgetLimits) {
        self.counts().limits = limits;
    }

    /// Takes one connection of this address from the budget, until the [`Slot`] is dropped.
    pub fn acquire(self: &Arc<Self>, addr: IpAddr) -> Result<Slot, Refused> {
        let addr = addr.to_canonical();
        let exempt = self.counts().limits.exempt.iter().any(|network| network.contains(addr));
        self.take(addr, exempt)
    }

    /// The same for somebody who is only known to be behind this address: no exemption is his.
    pub fn acquire_unexempt(self: &Arc<Self>, addr: IpAddr) -> Result<Slot, Refused> {
        self.take(addr.to_canonical(), false)
    }

    fn take(self: &Arc<Self>, addr: IpAddr, exempt: bool) -> Result<Slot, Refused> {
        let mut counts = self.counts();
        let address = (!exempt).then(|| unit(addr));
        if counts.total >= counts.limits.connections_max {
            return Err(Refused::Total);
        }
        if let Some(address) = address {
            let held = counts.by_address.get(&address).copied().unwrap_or(0);
            if held >= counts.limits.per_address_max {
                return Err(Refused::PerAddress);
            }
            counts.by_address.insert(address, held + 1);
        }
        counts.total += 1;
        Ok(Slot { budget: self.clone(), address })
    }

    /// Connections held now.
    pub fn connections(&self) -> usize {
        self.counts().total
    }

    /// Nothing can panic while the lock is held, but if it did the numbers would still be sound.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is counted together.
pub fn unit(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V4(_) => addr,
        IpAddr::V6(_) => masked(addr, IPV6_PREFIX).unwrap_or(addr),
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.budget.counts();
        counts.total -= 1;
        if let Some(address) = self.address
            && let Entry::Occupied(mut held) = counts.by_address.entry(address)
        {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(connections_max: usize, per_address_max: usize) -> Arc<AddressBudget> {
        AddressBudget::new(BudgetLimits { connections_max, per_address_max, ..BudgetLimits::default() })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_gets_its_share_and_gets_it_back() {
        let budget = budget(10, 2);
        let first = budget.acquire(ip("192.0.2.1")).unwrap();
        let _second = budget.acquire(ip("::ffff:192.0.2.1")).unwrap();
        assert_eq!(budget.acquire(ip("192.0.2.1")).unwrap_err(), Refused::PerAddress);
        let _other = budget.acquire(ip("192.0.2.2")).unwrap();
        drop(first);
        let _again = budget.acquire(ip("192.0.2.1")).unwrap();
        assert_eq!(budget.connections(), 3);
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_address() {
        let budget = budget(10, 1);
        let _slot = budget.acquire(ip("2001:db8:0:1::1")).unwrap();
        assert_eq!(budget.acquire(ip("2001:db8:0:1:ffff::2")).unwrap_err(), Refused::PerAddress);
        assert!(budget.acquire(ip("2001:db8:0:2::1")).is_ok());
    }

    #[test]
    fn loopback_is_exempt_but_counts_in_the_total() {
        let budget = budget(3, 1);
        let slots: Vec<_> = (0..3).map(|_| budget.acquire(ip("127.0.0.1")).unwrap()).collect();
        assert_eq!(budget.acquire(ip("::1")).unwrap_err(), Refused::Total);
        assert_eq!(budget.acquire(ip("192.0.2.1")).unwrap_err(), Refused::Total);
        drop(slots);
        assert_eq!(budget.connections(), 0);
    }

    #[test]
    fn limits_change_for_connections_to_come() {
        let budget = budget(10, 1);
        let _first = budget.acquire(ip("192.0.2.1")).unwrap();
        budget.set_limits(BudgetLimits { connections_max: 2, per_address_max: 9, ..BudgetLimits::default() });
        let _second = budget.acquire(ip("192.0.2.1")).unwrap();
        assert_eq!(budget.acquire(ip("192.0.2.1")).unwrap_err(), Refused::Total);
    }

    #[test]
    fn nothing_is_remembered_of_addresses_that_left() {
        let budget = budget(10, 1);
        for last in 0..=255 {
            drop(budget.acquire(IpAddr::from([192, 0, 2, last])).unwrap());
        }
        assert!(budget.counts().by_address.is_empty());
    }
}

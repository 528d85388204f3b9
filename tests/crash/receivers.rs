//! Receivers: always there, coming and going, or away. One session at a time; each is read to its end.

use crate::client::{Client, Over, attribute};
use crate::random::Random;
use crate::{Habit, PATIENCE, Phase, World};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

pub(crate) fn name(index: usize) -> String {
    format!("receiver{index}")
}

struct Receiver {
    world: World,
    index: usize,
    random: Random,
    /// The server process it is connected to, by its port.
    process: u16,
}

/// Receives until everything has arrived.
pub(crate) async fn live(world: World, index: usize, habit: Habit) {
    let random = Random::new(world.seed, 2_000 + index as u64);
    let mut receiver = Receiver { world, index, random, process: 0 };
    loop {
        let phase = *receiver.world.phase.borrow_and_update();
        let lived = match (phase, habit) {
            (Phase::Dead, _) => {
                drop(receiver.world.phase.changed().await);
                continue;
            }
            (Phase::Drain(address), _) => {
                if receiver.drain(address).await {
                    return;
                }
                continue;
            }
            (Phase::Work(address, _), Habit::Online) => receiver.stay(address).await,
            (Phase::Work(address, _), Habit::Restless) => receiver.visit(address).await,
            (Phase::Work(address, generation), Habit::Away) => {
                if (generation + index) % 4 == 3 {
                    receiver.visit(address).await
                } else {
                    drop(receiver.world.phase.changed().await);
                    Ok(())
                }
            }
        };
        if lived.is_err() {
            // The server may be dead without our knowing yet.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Receiver {
    fn read(&self, element: &str) {
        if element.starts_with("<message") {
            self.world.ledger.arrived(self.index, self.process, element);
        }
    }

    fn read_all(&self, elements: impl Iterator<Item = String>) {
        elements.for_each(|element| self.read(&element));
    }

    async fn online(&mut self, address: SocketAddr) -> Result<Client, Over> {
        self.process = address.port();
        let mut client = Client::login(address, &name(self.index), "home").await?;
        client.write("<presence/>").await?;
        self.world.ledger.note(self.index, format!("online at {}", address.port()));
        Ok(client)
    }

    /// Reads until then; `Err` at the end of the stream.
    async fn read_until(&self, client: &mut Client, deadline: Instant) -> Result<(), Over> {
        while let Ok(element) = timeout_at(deadline, client.next()).await {
            match element {
                Ok(element) => self.read(&element),
                Err(Over) => {
                    self.world.ledger.note(self.index, "cut off");
                    return Err(Over);
                }
            }
        }
        Ok(())
    }

    /// Until the server dies, or everything has arrived at the end: without a new login then.
    async fn stay(&mut self, address: SocketAddr) -> Result<(), Over> {
        let mut client = self.online(address).await?;
        let mut phase = self.world.phase.clone();
        loop {
            tokio::select! {
                element = client.next() => self.read(&element?),
                _ = phase.wait_for(|p| matches!(p, Phase::Drain(_))) => break,
            }
        }
        self.all_of_it(client).await;
        Ok(())
    }

    /// A session of random length with a random end.
    async fn visit(&mut self, address: SocketAddr) -> Result<(), Over> {
        let mut client = self.online(address).await?;
        let length = Duration::from_micros(self.random.below(120_000));
        self.read_until(&mut client, Instant::now() + length).await?;
        let how = self.random.below(6);
        self.world.ledger.note(self.index, format!("leaves {how}"));
        match how {
            0 | 1 => self.read_all(client.end_orderly().await),
            2 | 3 => self.read_all(client.end_abruptly().await),
            4 => {
                // RFC 6121 §4.5: first unavailable, gone later.
                if client.write("<presence type='unavailable'/>").await.is_ok() {
                    let deadline = Instant::now() + Duration::from_micros(self.random.below(20_000));
                    self.read_until(&mut client, deadline).await?;
                }
                self.read_all(client.end_orderly().await);
            }
            _ => self.replace(client, address).await?,
        }
        self.world.ledger.note(self.index, "gone");
        let pause = Duration::from_micros(self.random.below(60_000));
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// A new session takes the resource over (RFC 6120 §7.7.2.2); the old one is read to its end before the new one
    /// asks for anything.
    async fn replace(&mut self, old: Client, address: SocketAddr) -> Result<(), Over> {
        let new = Client::login(address, &name(self.index), "home").await;
        self.read_all(
            match new {
                Ok(_) => timeout(PATIENCE, old.rest()).await.expect("the replaced session ends").collect::<Vec<_>>(),
                Err(Over) => old.end_abruptly().await.collect(),
            }
            .into_iter(),
        );
        let mut new = new?;
        if new.write("<presence/>").await.is_ok() {
            let deadline = Instant::now() + Duration::from_micros(self.random.below(60_000));
            self.read_until(&mut new, deadline).await?;
        }
        self.read_all(new.end_orderly().await);
        Ok(())
    }

    /// A last session, until everything has arrived. `false`: it could not be had.
    async fn drain(&mut self, address: SocketAddr) -> bool {
        if self.world.ledger.done(self.index) {
            return true;
        }
        let Ok(client) = self.online(address).await else { return false };
        self.all_of_it(client).await;
        true
    }

    /// Reads until every acknowledged message is here, then pings until nothing comes any more.
    async fn all_of_it(&self, mut client: Client) {
        let deadline = Instant::now() + PATIENCE / 3;
        let mut acknowledged = self.world.ledger.progress();
        while !self.world.ledger.complete(self.index) {
            tokio::select! {
                element = client.next() => match element {
                    Ok(element) => self.read(&element),
                    Err(Over) => break,
                },
                // The senders' last pings may still be out.
                _ = acknowledged.changed() => {}
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        while matches!(timeout_at(deadline, self.ping(&mut client)).await, Ok(Ok(true))) {}
        self.read_all(client.end_orderly().await);
        self.world.ledger.set_done(self.index);
    }

    /// Did anything come before the answer?
    async fn ping(&self, client: &mut Client) -> Result<bool, Over> {
        let id = client.ping().await?;
        let mut came = false;
        loop {
            let element = client.next().await?;
            if element.starts_with("<iq") && attribute(&element, "id") == Some(&id) {
                return Ok(came);
            }
            came |= element.starts_with("<message");
            self.read(&element);
        }
    }
}

//! Senders: numbered messages in bursts, a ping now and then.

use crate::client::{Client, Over, attribute};
use crate::random::Random;
use crate::{DOMAIN, PATIENCE, Phase, World};
use std::collections::VecDeque;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

pub(crate) fn name(index: usize) -> String {
    format!("sender{index}")
}

/// Pings whose answer is outstanding; then the sender waits.
const PINGS_MAX: usize = 3;

/// Sends as long as there is work.
pub(crate) async fn live(mut world: World, index: usize) {
    let mut random = Random::new(world.seed, 1_000 + index as u64);
    loop {
        let phase = *world.phase.borrow_and_update();
        match phase {
            Phase::Work(address, _) => {
                if session(&mut world, index, &mut random, address).await.is_err() {
                    // The server may be dead without our knowing yet.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            Phase::Dead => drop(world.phase.changed().await),
            Phase::Drain(_) => return world.ledger.sender_is_done(),
        }
    }
}

async fn session(world: &mut World, index: usize, random: &mut Random, address: SocketAddr) -> Result<(), Over> {
    let mut client = Client::login(address, &name(index), "work").await?;
    world.ledger.begin(index);
    let mut pings: VecDeque<(String, u64)> = VecDeque::new();
    let bursts = 5 + random.below(60);
    for _ in 0..bursts {
        if !matches!(*world.phase.borrow(), Phase::Work(..)) {
            break;
        }
        let count = 1 + random.below(30);
        let mut xml = String::new();
        for _ in 0..count {
            write_message(world, index, random, &mut xml);
        }
        if client.write(&xml).await.is_err() {
            // Answers may still lie in the socket.
            break;
        }
        if !random.one_in(3) {
            match client.ping().await {
                Ok(id) => pings.push_back((id, world.ledger.sent(index))),
                Err(Over) => break,
            }
        }
        while pings.len() > PINGS_MAX || (!pings.is_empty() && random.one_in(3)) {
            answer(world, index, &mut client, &mut pings).await?;
        }
        if random.one_in(4) {
            tokio::time::sleep(Duration::from_micros(random.below(20_000))).await;
        }
    }
    if let Ok(id) = client.ping().await {
        pings.push_back((id, world.ledger.sent(index)));
    }
    while !pings.is_empty() {
        answer(world, index, &mut client, &mut pings).await?;
    }
    for element in client.end_orderly().await {
        world.ledger.seen_by_sender(index, &element);
    }
    Ok(())
}

fn write_message(world: &World, index: usize, random: &mut Random, xml: &mut String) {
    let to = random.index(world.ledger.receivers());
    let number = world.ledger.send(index, to);
    let receiver = crate::receivers::name(to);
    let padding = if random.one_in(25) { random.index(20_000) } else { random.index(200) };
    let _ = write!(
        xml,
        "<message type='chat' id='{index}-{number}' to='{receiver}@{DOMAIN}'><body>{}</body></message>",
        "x".repeat(padding)
    );
}

/// Waits for the answer to the oldest ping and notes what it acknowledges.
async fn answer(
    world: &World,
    index: usize,
    client: &mut Client,
    pings: &mut VecDeque<(String, u64)>,
) -> Result<(), Over> {
    let Some((id, upto)) = pings.pop_front() else { return Ok(()) };
    loop {
        let element = timeout(PATIENCE, client.next()).await.expect("an answer to a ping")?;
        if element.starts_with("<iq") && attribute(&element, "id") == Some(&id) {
            assert!(attribute(&element, "type") == Some("result"), "{element}");
            world.ledger.acknowledged(index, upto);
            return Ok(());
        }
        world.ledger.seen_by_sender(index, &element);
    }
}

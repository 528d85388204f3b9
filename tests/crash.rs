//! "Acknowledged means durable": the server is loaded, killed with `kill -9` at random moments, started again, and in the
//! end every message is accounted for.
//!
//! ```text
//! cargo test --test crash                                             a few kills, some seconds
//! MAGPIE_CRASH_KILLS=60 cargo test --release --test crash             the long variant
//! MAGPIE_CRASH_SEED=1234 cargo test --test crash                      the choices of an earlier run
//! MAGPIE_CRASH_SECONDS=600 MAGPIE_CRASH_KILLS=1000 cargo test ...     as many kills as fit
//! ```
//!
//! The seed decides who does what and when the kill comes; the scheduler decides the rest, so a seed makes a failure
//! likely again, not certain.
//!
//! *Senders* write numbered messages in bursts and ping the server (XEP-0199) now and then. The answer to a ping
//! acknowledges everything its sender wrote on that stream before the ping. Nothing is ever sent a second time.
//! *Receivers* stay online, come and go, or are away for long. A message has *arrived* when a receiver's client has read
//! it from its socket. What the server wrote into a socket whose client does not read it any more is lost without
//! XEP-0198 and not the server's fault: so clients here read to the end, whoever ends the stream, a `kill -9` included.
//!
//! Then, for every message:
//! - acknowledged: it arrived exactly once;
//! - not acknowledged: it arrived at most once;
//! - an exception for both, counted and limited: stored messages that a process had just given to a socket when it was
//!   killed, before it could note that, may come a second time from the next process (see `ledger::undecided`);
//! - what arrived of one sender at one receiver, over all of the receiver's sessions one after the other, is in the order
//!   in which it was sent. (Unacknowledged messages may be missing, and only they; they too keep their place.)
//! - nothing is left in the store that has arrived or was acknowledged.

#![allow(clippy::unwrap_used, clippy::large_futures)]

#[path = "crash/books.rs"]
mod books;
#[path = "crash/client.rs"]
mod client;
#[path = "crash/ledger.rs"]
mod ledger;
#[path = "crash/managed.rs"]
mod managed;
#[path = "crash/process.rs"]
mod process;
#[path = "crash/random.rs"]
mod random;
#[path = "crash/receivers.rs"]
mod receivers;
#[path = "crash/resuming.rs"]
mod resuming;
#[path = "crash/rooms.rs"]
mod rooms;
#[path = "crash/senders.rs"]
mod senders;

use client::Client;
use ledger::Ledger;
use process::{Process, TestDir};
use random::Random;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

const DOMAIN: &str = "im.example";
const PASSWORD: &str = "secret";
/// Ends a test that hangs; nothing is timed by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who takes part.
const SENDERS: usize = 6;
const RECEIVERS: [(Habit, usize); 3] = [(Habit::Online, 3), (Habit::Restless, 5), (Habit::Away, 3)];

/// How a receiver lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Habit {
    /// Always there, as long as there is a server.
    Online,
    /// Comes and goes.
    Restless,
    /// Comes after every few kills, for a short while.
    Away,
}

/// What everybody does now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// What they are there for; the server is here, in this generation.
    Work(SocketAddr, usize),
    /// The server is dead: read to the end and wait.
    Dead,
    /// Senders stop; receivers log in and stay until they have everything.
    Drain(SocketAddr),
}

/// What the clients share.
#[derive(Clone)]
struct World {
    ledger: Arc<Ledger>,
    phase: watch::Receiver<Phase>,
    seed: u64,
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// The same with XEP-0198 on both sides: see `resuming`.
#[test]
fn sessions_survive_kill_9() {
    let kills = setting("MAGPIE_CRASH_KILLS").unwrap_or(8);
    let seconds = setting("MAGPIE_CRASH_SECONDS").unwrap_or(u64::MAX >> 32);
    let fresh = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
    let seed = setting("MAGPIE_CRASH_SEED").unwrap_or(fresh);
    println!("MAGPIE_CRASH_SEED={seed} MAGPIE_CRASH_KILLS={kills}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(resuming::run(seed, kills, Duration::from_secs(seconds)));
}

/// Rooms: see `rooms`.
#[test]
fn room_archives_survive_kill_9() {
    let kills = setting("MAGPIE_CRASH_KILLS").unwrap_or(5);
    let fresh = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
    let seed = setting("MAGPIE_CRASH_SEED").unwrap_or(fresh);
    println!("MAGPIE_CRASH_SEED={seed} MAGPIE_CRASH_KILLS={kills}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(rooms::run(seed, kills));
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let kills = setting("MAGPIE_CRASH_KILLS").unwrap_or(6);
    let seconds = setting("MAGPIE_CRASH_SECONDS").unwrap_or(u64::MAX >> 32);
    let fresh = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
    let seed = setting("MAGPIE_CRASH_SEED").unwrap_or(fresh);
    println!("MAGPIE_CRASH_SEED={seed} MAGPIE_CRASH_KILLS={kills}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(seed, kills, Duration::from_secs(seconds)));
}

async fn run(seed: u64, kills: u64, limit: Duration) {
    let started = Instant::now();
    let dir = TestDir::new(seed);
    let mut random = Random::new(seed, 0);
    let receivers: usize = RECEIVERS.iter().map(|(_, count)| count).sum();
    let ledger = Arc::new(Ledger::new(SENDERS, receivers));
    let mut process = Process::start(&dir).await;
    register(process.address(), (0..SENDERS).map(senders::name).chain((0..receivers).map(receivers::name))).await;

    let (phase, watch) = watch::channel(Phase::Work(process.address(), 0));
    let world = World { ledger: ledger.clone(), phase: watch, seed };
    let mut senders = JoinSet::new();
    for index in 0..SENDERS {
        senders.spawn(senders::live(world.clone(), index));
    }
    let mut crowd = JoinSet::new();
    for (index, habit) in RECEIVERS.iter().flat_map(|&(habit, count)| [habit].repeat(count)).enumerate() {
        crowd.spawn(receivers::live(world.clone(), index, habit));
    }

    let mut done = 0;
    while done < kills && started.elapsed() < limit {
        // Mostly at work, sometimes while it starts.
        let early = random.one_in(8);
        let life = Duration::from_micros(if early { random.below(60_000) } else { 200_000 + random.below(900_000) });
        if !early {
            phase.send_replace(Phase::Work(process.ready().await, usize::try_from(done).unwrap()));
        }
        sleep_until(Instant::now() + life).await;
        process.kill();
        done += 1;
        phase.send_replace(Phase::Dead);
        process = Process::spawn(&dir);
    }

    let address = process.ready().await;
    phase.send_replace(Phase::Drain(address));
    for (who, tasks) in [("senders", &mut senders), ("receivers", &mut crowd)] {
        let everybody = async { while tasks.join_next().await.transpose().unwrap().is_some() {} };
        if timeout(PATIENCE, everybody).await.is_err() {
            println!("{who} did not finish");
        }
    }
    process.kill();
    let left = process::stored(&dir, receivers).await;
    let report = ledger.reconcile(left);
    println!("kills {done}, {report}, {:.1} s", started.elapsed().as_secs_f32());
    assert!(report.is_clean(done), "seed {seed}: {}", report.complaints());
}

async fn register(address: SocketAddr, names: impl Iterator<Item = String>) {
    let mut client = Client::connect(address).await.expect("the server is there");
    client.open().await.expect("features");
    for name in names {
        client.register(&name).await.expect("an account");
    }
    client.end_orderly().await.for_each(drop);
}

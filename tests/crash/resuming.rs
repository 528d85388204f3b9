//! XEP-0198 on both sides: everybody resumes their session with the next process after a `kill -9`.
//!
//! Senders keep every stanza until the server has acknowledged it, and send the rest again when they resume. Receivers are
//! always there, or come back late, or never resume but log in anew, or come and go in order; some have two devices. Their
//! connections also break by themselves, with or without what lay in the socket.
//!
//! Then, for every message: acknowledged, it arrived, on at least one device; and on each device at most once. An exception:
//! what a device read on a session that it gave up, before it knew that the server had heard its acknowledgement
//! ("there is no way to prevent such a result in this protocol", §4). A single device that always resumes reads in order, and
//! no device that resumes is told that its session is gone.

use crate::books::Books;
use crate::client::Over;
use crate::managed::{Began, Event, Line, Session};
use crate::process::{self, Process, TestDir};
use crate::random::Random;
use crate::{DOMAIN, PATIENCE, Phase};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

const SENDERS: usize = 5;
/// The devices of each account.
const ACCOUNTS: [&[Habit]; 9] = [
    &[Habit::Resumes],
    &[Habit::Resumes],
    &[Habit::Resumes, Habit::Resumes],
    &[Habit::Resumes, Habit::Late],
    &[Habit::Late],
    &[Habit::Late],
    &[Habit::Never],
    &[Habit::Never],
    &[Habit::Visits],
];
/// So many messages may be unacknowledged before a sender waits.
const UNACKNOWLEDGED_MAX: usize = 300;

/// How a device lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Habit {
    /// Comes back at once.
    Resumes,
    /// Comes back when the server was killed once or twice more.
    Late,
    /// Logs in anew.
    Never,
    /// Comes, reads, acknowledges, and closes its stream.
    Visits,
}

#[derive(Clone)]
struct World {
    books: Arc<Books>,
    phase: watch::Receiver<Phase>,
    seed: u64,
}

pub(crate) async fn run(seed: u64, kills: u64, limit: Duration) {
    let started = Instant::now();
    let dir = TestDir::new(seed ^ 198);
    let mut random = Random::new(seed, 7);
    let devices: Vec<(usize, Habit)> =
        ACCOUNTS.iter().enumerate().flat_map(|(account, habits)| habits.iter().map(move |&h| (account, h))).collect();
    // What a session has not acknowledged when it ends goes behind what was stored meanwhile; what one of two devices had in
    // hand and did not take may come to the other one late.
    let ordered = |account: usize, habit| ACCOUNTS[account].len() == 1 && matches!(habit, Habit::Resumes | Habit::Late);
    let books = devices.iter().map(|&(account, habit)| (account, ordered(account, habit))).collect();
    let books = Arc::new(Books::new(SENDERS, ACCOUNTS.len(), books));
    let mut process = Process::start(&dir).await;
    let names = (0..SENDERS).map(crate::senders::name).chain((0..ACCOUNTS.len()).map(crate::receivers::name));
    crate::register(process.address(), names).await;

    let (phase, watch) = watch::channel(Phase::Work(process.address(), 0));
    let world = World { books: books.clone(), phase: watch, seed };
    let mut senders = JoinSet::new();
    (0..SENDERS).for_each(|index| drop(senders.spawn(Sender::new(world.clone(), index).live())));
    let mut crowd = JoinSet::new();
    for (device, &(account, habit)) in devices.iter().enumerate() {
        crowd.spawn(Device::new(world.clone(), device, account, habit).live());
    }

    let mut done = 0;
    while done < kills && started.elapsed() < limit {
        // Mostly at work, sometimes while it starts.
        let early = random.one_in(8);
        let life = Duration::from_micros(if early { random.below(60_000) } else { 150_000 + random.below(700_000) });
        if !early {
            phase.send_replace(Phase::Work(process.ready().await, usize::try_from(done).unwrap()));
        }
        sleep_until(Instant::now() + life).await;
        process.kill();
        done += 1;
        phase.send_replace(Phase::Dead);
        process = Process::spawn(&dir);
    }
    phase.send_replace(Phase::Drain(process.ready().await));
    for (who, tasks) in [("senders", &mut senders), ("devices", &mut crowd)] {
        let everybody = async { while tasks.join_next().await.transpose().unwrap().is_some() {} };
        if timeout(PATIENCE, everybody).await.is_err() {
            println!("{who} did not finish");
        }
    }
    process.kill();
    let report = books.reconcile(process::stored(&dir, ACCOUNTS.len()).await);
    println!("kills {done}, {report}, {:.1} s", started.elapsed().as_secs_f32());
    assert!(report.is_clean(), "seed {seed}: {}", report.complaints());
}

struct Sender {
    world: World,
    index: usize,
    random: Random,
    session: Option<Session>,
}

impl Sender {
    fn new(world: World, index: usize) -> Self {
        let random = Random::new(world.seed, 3_000 + index as u64);
        Self { world, index, random, session: None }
    }

    async fn live(mut self) {
        loop {
            let phase = *self.world.phase.borrow_and_update();
            let (address, drain) = match phase {
                Phase::Work(address, _) => (address, false),
                Phase::Drain(address) => (address, true),
                Phase::Dead => {
                    drop(self.world.phase.changed().await);
                    continue;
                }
            };
            if self.work(address, drain).await && drain {
                return self.world.books.sender_is_done();
            }
            sleep(Duration::from_millis(3)).await;
        }
    }

    /// `true`: everything is acknowledged, and the stream was closed.
    async fn work(&mut self, address: SocketAddr, drain: bool) -> bool {
        let name = crate::senders::name(self.index);
        let Ok((mut line, began)) = Line::begin(address, &name, "work", &mut self.session).await else { return false };
        match began {
            Began::New => {}
            Began::Resumed(numbers) => {
                self.world.books.resumed();
                self.world.books.acknowledged(self.index, numbers);
            }
            Began::Lost => self.world.books.complain(format!("sender {} lost its session", self.index)),
        }
        let ended = if drain { self.finish(&mut line).await } else { self.chat(&mut line).await };
        self.session = Some(line.into_session());
        ended.is_ok() && drain
    }

    /// Until the connection breaks, or is broken off.
    async fn chat(&mut self, line: &mut Line) -> Result<(), Over> {
        for _ in 0..5 + self.random.below(60) {
            if !matches!(*self.world.phase.borrow(), Phase::Work(..)) {
                return Ok(());
            }
            let mut xml = String::new();
            for _ in 0..1 + self.random.below(20) {
                let (number, stanza) = self.message();
                line.push(Some(number), stanza, &mut xml);
            }
            if !self.random.one_in(3) {
                Line::request(&mut xml);
            }
            line.write(&xml).await?;
            if line.unacknowledged() > UNACKNOWLEDGED_MAX {
                let mut xml = String::new();
                Line::request(&mut xml);
                line.write(&xml).await?;
                while line.unacknowledged() > UNACKNOWLEDGED_MAX / 2 {
                    self.read_one(line, PATIENCE).await?;
                }
            }
            let pause = Duration::from_micros(self.random.below(8_000));
            let deadline = Instant::now() + pause;
            while let Some(left) = deadline.checked_duration_since(Instant::now()) {
                self.read_one(line, left).await?;
            }
        }
        Ok(())
    }

    async fn finish(&mut self, line: &mut Line) -> Result<(), Over> {
        let mut xml = String::new();
        Line::request(&mut xml);
        line.write(&xml).await?;
        while line.unacknowledged() > 0 {
            self.read_one(line, PATIENCE).await?;
        }
        line.write("</stream:stream>").await
    }

    async fn read_one(&mut self, line: &mut Line, time: Duration) -> Result<(), Over> {
        let Ok(element) = timeout(time, line.next()).await else { return Ok(()) };
        let element = element?;
        let mut answer = String::new();
        match line.read(&element, &mut answer) {
            Event::Acknowledged(numbers) => self.world.books.acknowledged(self.index, numbers),
            Event::Stanza(_) if element.starts_with("<message") => {
                let start: String = element.chars().take(300).collect();
                self.world.books.complain(format!("sender {} was told {start}", self.index));
            }
            Event::Stanza(_) | Event::Nothing => {}
        }
        if answer.is_empty() { Ok(()) } else { line.write(&answer).await }
    }

    fn message(&mut self) -> (u64, String) {
        let to = self.random.index(self.world.books.accounts());
        let number = self.world.books.send(self.index, to);
        let padding = if self.random.one_in(25) { self.random.index(8_000) } else { self.random.index(200) };
        let (receiver, filling) = (crate::receivers::name(to), "x".repeat(padding));
        let mut xml = String::new();
        let _ = write!(
            xml,
            "<message type='chat' id='{}-{number}' to='{receiver}@{DOMAIN}'><body>{filling}</body></message>",
            self.index
        );
        (number, xml)
    }
}

struct Device {
    world: World,
    device: usize,
    account: usize,
    habit: Habit,
    random: Random,
    session: Option<Session>,
    /// Counts its sessions.
    sessions: usize,
    /// It has closed its stream, or tried to.
    closed: bool,
    process: u16,
}

impl Device {
    fn new(world: World, device: usize, account: usize, habit: Habit) -> Self {
        let random = Random::new(world.seed, 4_000 + device as u64);
        Self { world, device, account, habit, random, session: None, sessions: 0, closed: false, process: 0 }
    }

    async fn live(mut self) {
        let mut absent = 0;
        loop {
            let phase = *self.world.phase.borrow_and_update();
            match phase {
                Phase::Dead => drop(self.world.phase.changed().await),
                Phase::Work(..) if absent > 0 => {
                    absent -= 1;
                    drop(self.world.phase.changed().await);
                }
                Phase::Work(address, _) => {
                    self.connect(address, false).await;
                    if self.habit == Habit::Late && !matches!(*self.world.phase.borrow(), Phase::Work(..)) {
                        // Phases: dead, at work, dead, ...
                        absent = self.random.below(3);
                    }
                    sleep(Duration::from_millis(2)).await;
                }
                Phase::Drain(address) => {
                    if self.connect(address, true).await {
                        return;
                    }
                    sleep(Duration::from_millis(2)).await;
                }
            }
        }
    }

    /// `true`: it has everything.
    async fn connect(&mut self, address: SocketAddr, drain: bool) -> bool {
        self.process = address.port();
        let give_up = self.habit == Habit::Never && !drain;
        if let Some(session) = self.session.take_if(|_| give_up) {
            self.world.books.gave_up(self.device, self.sessions, session.confirmed());
        }
        let (name, resource) = (crate::receivers::name(self.account), format!("device{}", self.device));
        let begun = Line::begin(address, &name, &resource, &mut self.session).await;
        let Ok((mut line, began)) = begun else { return false };
        match began {
            Began::Resumed(_) => self.world.books.resumed(),
            Began::New => self.sessions += 1,
            Began::Lost => {
                self.sessions += 1;
                if !self.closed {
                    self.world.books.complain(format!("device {} lost its session", self.device));
                }
            }
        }
        self.closed = false;
        let ended = self.serve(&mut line, !matches!(began, Began::Resumed(_)), drain).await;
        if self.closed && ended.is_ok() && drain {
            return true;
        }
        // One that was closed may still be there, if the server was killed before it heard of that.
        self.session = Some(if ended.is_err() && self.random.one_in(2) {
            let note = |stanza, element: &str| self.note(stanza, element);
            line.read_to_end(note).await
        } else {
            // What lies in the socket is lost.
            line.into_session()
        });
        false
    }

    async fn serve(&mut self, line: &mut Line, new: bool, drain: bool) -> Result<(), Over> {
        if new {
            let mut xml = String::new();
            line.push(None, "<presence/>".to_owned(), &mut xml);
            line.write(&xml).await?;
        }
        if drain {
            return self.drain(line).await;
        }
        let length = if self.habit == Habit::Visits { 150_000 } else { 1_500_000 };
        let deadline = Instant::now() + Duration::from_micros(self.random.below(length));
        let mut phase = self.world.phase.clone();
        loop {
            let element = tokio::select! {
                element = timeout_at(deadline, line.next()) => element,
                _ = async { drop(phase.wait_for(|p| matches!(p, Phase::Drain(_))).await) } => break,
            };
            let Ok(element) = element else { break };
            self.read(line, &element?).await?;
            if self.random.one_in(20) {
                line.confirm().await?;
            }
        }
        if self.habit == Habit::Visits { self.close(line).await } else { Ok(()) }
    }

    async fn close(&mut self, line: &mut Line) -> Result<(), Over> {
        self.closed = true;
        let mut xml = String::new();
        line.acknowledge(&mut xml);
        xml.push_str("</stream:stream>");
        line.write(&xml).await
    }

    async fn read(&mut self, line: &mut Line, element: &str) -> Result<(), Over> {
        let mut answer = String::new();
        if let Event::Stanza(stanza) = line.read(element, &mut answer) {
            self.note(stanza, element);
        }
        if answer.is_empty() { Ok(()) } else { line.write(&answer).await }
    }

    fn note(&self, stanza: u32, element: &str) {
        if element.starts_with("<message") {
            self.world.books.arrived(self.device, self.sessions, self.process, stanza, element);
        }
    }

    /// Until every acknowledged message is here, and nothing comes any more.
    async fn drain(&mut self, line: &mut Line) -> Result<(), Over> {
        let deadline = Instant::now() + PATIENCE / 3;
        let mut progress = self.world.books.progress();
        while !self.world.books.complete(self.account) {
            tokio::select! {
                element = line.next() => self.read(line, &element?).await?,
                _ = progress.changed() => {}
                () = sleep_until(deadline) => break,
            }
        }
        line.confirm().await?;
        while let Ok(element) = timeout(Duration::from_millis(700), line.next()).await {
            self.read(line, &element?).await?;
        }
        self.close(line).await
    }
}

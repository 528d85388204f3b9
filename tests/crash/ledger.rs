//! What was sent, acknowledged and read, and whether it adds up.

use crate::client::attribute;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use tokio::sync::watch;

/// A message that was read.
#[derive(Clone, Copy)]
struct Arrival {
    sender: usize,
    number: u64,
    /// The server process it came from.
    process: u16,
    /// It came from the store.
    delayed: bool,
}

/// The books of a run.
pub(crate) struct Ledger {
    books: Mutex<Books>,
    progress: watch::Sender<u64>,
    senders: usize,
    receivers: usize,
}

struct Books {
    /// By sender, by number: to whom.
    sent: Vec<Vec<usize>>,
    /// By sender: how many of its messages were acknowledged, one by one (a kill leaves holes).
    acknowledged: Vec<Vec<bool>>,
    /// By sender: where its present stream began.
    begun: Vec<u64>,
    /// By receiver, in the order of reading.
    arrived: Vec<Vec<Arrival>>,
    /// By receiver: after how many arrivals what happened to its sessions.
    story: Vec<Vec<(usize, String)>>,
    /// Acknowledged and not arrived, by receiver.
    owed: Vec<i64>,
    /// Whatever arrived anywhere.
    seen: HashSet<(usize, u64)>,
    refused: Vec<(usize, String)>,
    done: Vec<bool>,
    senders_left: usize,
}

impl Ledger {
    pub(crate) fn new(senders: usize, receivers: usize) -> Self {
        let books = Books {
            sent: vec![Vec::new(); senders],
            acknowledged: vec![Vec::new(); senders],
            begun: vec![0; senders],
            arrived: vec![Vec::new(); receivers],
            story: vec![Vec::new(); receivers],
            owed: vec![0; receivers],
            seen: HashSet::new(),
            refused: Vec::new(),
            done: vec![false; receivers],
            senders_left: senders,
        };
        Self { books: Mutex::new(books), progress: watch::Sender::new(0), senders, receivers }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("nobody panics with it")
    }

    pub(crate) fn receivers(&self) -> usize {
        self.receivers
    }

    /// A message is about to be written; its number.
    pub(crate) fn send(&self, sender: usize, to: usize) -> u64 {
        let mut books = self.books();
        books.sent[sender].push(to);
        books.acknowledged[sender].push(false);
        books.sent[sender].len() as u64 - 1
    }

    /// How many messages were written.
    pub(crate) fn sent(&self, sender: usize) -> u64 {
        self.books().sent[sender].len() as u64
    }

    /// A new stream of a sender: what was not acknowledged on the last one never will be.
    pub(crate) fn begin(&self, sender: usize) {
        let mut books = self.books();
        books.begun[sender] = books.sent[sender].len() as u64;
    }

    /// A ping was answered that was written behind the first `upto` messages.
    pub(crate) fn acknowledged(&self, sender: usize, upto: u64) {
        let mut books = self.books();
        for number in (books.begun[sender]..upto).rev().map(index) {
            if std::mem::replace(&mut books.acknowledged[sender][number], true) {
                break;
            }
            let to = books.sent[sender][number];
            books.owed[to] += i64::from(!books.seen.contains(&(sender, number as u64)));
        }
        drop(books);
        self.progress.send_modify(|p| *p += 1);
    }

    /// A receiver's client has read a message.
    pub(crate) fn arrived(&self, receiver: usize, process: u16, element: &str) {
        let (sender, number) = parse(attribute(element, "id").expect("our messages have an id"));
        let delayed = element.contains("<delay ");
        let mut books = self.books();
        let first = books.seen.insert((sender, number));
        books.arrived[receiver].push(Arrival { sender, number, process, delayed });
        if first && books.acknowledged[sender][index(number)] {
            books.owed[receiver] -= 1;
        }
    }

    /// Something happened to a receiver's session; told if messages are missing there.
    pub(crate) fn note(&self, receiver: usize, what: impl Into<String>) {
        let mut books = self.books();
        let at = books.arrived[receiver].len();
        books.story[receiver].push((at, what.into()));
    }

    /// Senders get nothing but answers; a refusal is no loss, but nothing here should be refused.
    pub(crate) fn seen_by_sender(&self, sender: usize, element: &str) {
        if element.starts_with("<message") {
            self.books().refused.push((sender, element.chars().take(400).collect()));
        }
    }

    /// A sender will send nothing more.
    pub(crate) fn sender_is_done(&self) {
        self.books().senders_left -= 1;
        self.progress.send_modify(|p| *p += 1);
    }

    /// Has everything arrived there that ever will be acknowledged?
    pub(crate) fn complete(&self, receiver: usize) -> bool {
        let books = self.books();
        books.senders_left == 0 && books.owed[receiver] <= 0
    }

    /// Changes when something was acknowledged.
    pub(crate) fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    pub(crate) fn set_done(&self, receiver: usize) {
        self.books().done[receiver] = true;
    }

    pub(crate) fn done(&self, receiver: usize) -> bool {
        self.books().done[receiver]
    }

    /// The reckoning. `left`: what the store still has for each receiver.
    pub(crate) fn reconcile(&self, left: Vec<Vec<String>>) -> Report {
        let books = self.books();
        let mut report = Report { messages: books.sent.iter().map(Vec::len).sum(), ..Report::default() };
        let mut times: HashMap<(usize, u64), usize> = HashMap::new();
        for (receiver, arrived) in books.arrived.iter().enumerate() {
            let mut last = vec![None; self.senders];
            for &Arrival { sender, number, .. } in arrived {
                let time = times.entry((sender, number)).or_default();
                *time += 1;
                if *time > 1 {
                    continue;
                }
                if books.sent[sender].get(index(number)) != Some(&receiver) {
                    report.strange.push(format!("{sender}-{number} arrived at receiver{receiver}, not sent there"));
                }
                if last[sender].is_some_and(|last| last > number) {
                    let last = last[sender].unwrap_or_default();
                    report.reordered.push(format!("{sender}-{number} after {sender}-{last} at receiver{receiver}"));
                }
                last[sender] = Some(number);
            }
        }
        for (sender, numbers) in books.acknowledged.iter().enumerate() {
            for (number, &acknowledged) in numbers.iter().enumerate() {
                let to = books.sent[sender][number];
                let times = times.get(&(sender, number as u64)).copied().unwrap_or(0);
                report.acknowledged += usize::from(acknowledged);
                report.arrived += usize::from(times > 0);
                if acknowledged && times == 0 {
                    report
                        .lost
                        .push(format!("{sender}-{number} for receiver{to}{}", books.around(to, sender, number as u64)));
                }
                match (times > 1).then(|| undecided(&books.arrived[to], sender, number as u64)) {
                    Some(Some(process)) => {
                        report.undecided.insert((to, process));
                    }
                    Some(None) => report.twice.push(format!("{sender}-{number} for receiver{to}, {times} times")),
                    None => {}
                }
            }
        }
        for (receiver, stanzas) in left.iter().enumerate() {
            for stanza in stanzas {
                let id = attribute(stanza, "id").expect("our messages have an id");
                let (sender, number) = parse(id);
                let known = times.contains_key(&(sender, number));
                if known || books.acknowledged[sender][index(number)] {
                    report.left.push(format!("{id} for receiver{receiver}, arrived: {known}"));
                }
            }
        }
        report.refused = books.refused.iter().map(|(sender, element)| format!("sender{sender}: {element}")).collect();
        report
    }
}

impl Books {
    /// What happened there between the messages before and after a missing one.
    fn around(&self, receiver: usize, sender: usize, number: u64) -> String {
        let arrived = || self.arrived[receiver].iter().enumerate().filter(|(_, a)| a.sender == sender);
        let before = arrived().filter(|(_, a)| a.number < number).map(|(at, _)| at).max().unwrap_or(0);
        let after = arrived().filter(|(_, a)| a.number > number).map(|(at, _)| at).min().unwrap_or(usize::MAX);
        let story = self.story[receiver].iter().filter(|(at, _)| (before..=after).contains(at));
        let story: Vec<_> = story.map(|(at, what)| format!("{at} {what}")).collect();
        format!(" ({before} .. {after}: {})", story.join(", "))
    }
}

/// Was a message that came twice in the last stored ones a process gave to its client before it was killed? Nobody can
/// write to a socket and note on disk in one step that it was done, and the client has no way to say what it has
/// (XEP-0198): killed in between, the server gives them again. The process, if that is it.
fn undecided(arrived: &[Arrival], sender: usize, number: u64) -> Option<u16> {
    let is = |a: &&Arrival| (a.sender, a.number) == (sender, number);
    let copies: Vec<&Arrival> = arrived.iter().filter(is).collect();
    let [first, second] = copies[..] else { return None };
    let again = |a: &Arrival| arrived.iter().filter(|b| (b.sender, b.number) == (a.sender, a.number)).count() > 1;
    let mut rest = arrived.iter().skip_while(|a| !is(a)).filter(|a| a.process == first.process);
    let last = first.process != second.process && rest.all(again);
    (last && first.delayed && second.delayed).then_some(first.process)
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("fits in memory")
}

fn parse(id: &str) -> (usize, u64) {
    let (sender, number) = id.split_once('-').expect("sender-number");
    (sender.parse().expect("a sender"), number.parse().expect("a number"))
}

/// The outcome of a run.
#[derive(Default)]
pub(crate) struct Report {
    messages: usize,
    acknowledged: usize,
    arrived: usize,
    /// Batches of stored messages that a kill came upon between the socket and the note: receiver and process.
    undecided: BTreeSet<(usize, u16)>,
    lost: Vec<String>,
    twice: Vec<String>,
    reordered: Vec<String>,
    left: Vec<String>,
    refused: Vec<String>,
    strange: Vec<String>,
}

impl Report {
    fn lists(&self) -> [(&'static str, &Vec<String>); 6] {
        [
            ("lost", &self.lost),
            ("twice", &self.twice),
            ("out of order", &self.reordered),
            ("left in the store", &self.left),
            ("refused", &self.refused),
            ("strange", &self.strange),
        ]
    }

    /// Nothing wrong, and few enough kills that came in the one moment that cannot be helped.
    pub(crate) fn is_clean(&self, kills: u64) -> bool {
        self.undecided.len() as u64 <= 1 + kills / 20 && self.lists().iter().all(|(_, list)| list.is_empty())
    }

    /// The first of each kind.
    pub(crate) fn complaints(&self) -> String {
        let some = |(what, list): &(&str, &Vec<String>)| {
            let first: Vec<_> = list.iter().take(12).map(String::as_str).collect();
            format!("\n{what} ({}): {}", list.len(), first.join("; "))
        };
        self.lists().iter().filter(|(_, list)| !list.is_empty()).map(some).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "messages {}, acknowledged {}, arrived {}", self.messages, self.acknowledged, self.arrived)?;
        write!(f, ", batches killed between socket and note {}", self.undecided.len())?;
        self.lists().iter().try_for_each(|(what, list)| write!(f, ", {what} {}", list.len()))
    }
}

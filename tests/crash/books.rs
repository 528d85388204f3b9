//! What was sent, acknowledged and read on sessions that are resumed, and whether it adds up.

use crate::client::attribute;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use tokio::sync::watch;

/// A sender and a number.
type Message = (usize, u64);

/// The books of a run.
pub(crate) struct Books {
    state: Mutex<State>,
    progress: watch::Sender<u64>,
    /// By device: its account, and whether what it reads must be in order.
    devices: Vec<(usize, bool)>,
}

struct State {
    /// By sender, by number: to which account.
    sent: Vec<Vec<usize>>,
    acknowledged: Vec<BTreeSet<u64>>,
    /// By device, in the order of reading.
    arrived: Vec<Vec<Arrival>>,
    seen: BTreeSet<Message>,
    /// Acknowledged and not seen, by account.
    owed: Vec<i64>,
    senders_left: usize,
    complaints: Vec<String>,
    resumed: usize,
}

struct Arrival {
    message: Message,
    /// Its place on its session.
    stanza: u32,
    /// The session was given up, and the server need not know that it arrived there.
    unsure: bool,
    session: usize,
    process: u16,
    /// It came out of the store.
    delayed: bool,
}

impl Books {
    pub(crate) fn new(senders: usize, accounts: usize, devices: Vec<(usize, bool)>) -> Self {
        let state = State {
            sent: vec![Vec::new(); senders],
            acknowledged: vec![BTreeSet::new(); senders],
            arrived: devices.iter().map(|_| Vec::new()).collect(),
            seen: BTreeSet::new(),
            owed: vec![0; accounts],
            senders_left: senders,
            complaints: Vec::new(),
            resumed: 0,
        };
        Self { state: Mutex::new(state), progress: watch::Sender::new(0), devices }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    pub(crate) fn accounts(&self) -> usize {
        self.state().owed.len()
    }

    /// A message is about to be written; its number.
    pub(crate) fn send(&self, sender: usize, account: usize) -> u64 {
        let mut state = self.state();
        state.sent[sender].push(account);
        state.sent[sender].len() as u64 - 1
    }

    pub(crate) fn acknowledged(&self, sender: usize, numbers: Vec<u64>) {
        let mut state = self.state();
        for number in numbers {
            assert!(state.acknowledged[sender].insert(number), "acknowledged twice: {sender}-{number}");
            let account = state.sent[sender][usize::try_from(number).expect("fits")];
            state.owed[account] += i64::from(!state.seen.contains(&(sender, number)));
        }
        drop(state);
        self.progress.send_modify(|p| *p += 1);
    }

    pub(crate) fn arrived(&self, device: usize, session: usize, process: u16, stanza: u32, element: &str) {
        let Some(message) = attribute(element, "id").and_then(parse) else {
            return self.complain(format!("device {device} read {}", element.chars().take(300).collect::<String>()));
        };
        let delayed = element.contains("<delay ");
        let mut state = self.state();
        state.arrived[device].push(Arrival { message, stanza, unsure: false, session, process, delayed });
        if state.seen.insert(message) && state.acknowledged[message.0].contains(&message.1) {
            state.owed[self.devices[device].0] -= 1;
        }
        drop(state);
        self.progress.send_modify(|p| *p += 1);
    }

    /// A device gave a session up: beyond so many stanzas the server need not know what it has read.
    pub(crate) fn gave_up(&self, device: usize, session: usize, confirmed: u32) {
        let mut state = self.state();
        let of_session = state.arrived[device].iter_mut().filter(|a| a.session == session && a.stanza > confirmed);
        of_session.for_each(|arrival| arrival.unsure = true);
    }

    pub(crate) fn resumed(&self) {
        self.state().resumed += 1;
    }

    pub(crate) fn complain(&self, what: String) {
        self.state().complaints.push(what);
    }

    pub(crate) fn sender_is_done(&self) {
        self.state().senders_left -= 1;
        self.progress.send_modify(|p| *p += 1);
    }

    /// Has everything arrived there that ever will be acknowledged?
    pub(crate) fn complete(&self, account: usize) -> bool {
        let state = self.state();
        state.senders_left == 0 && state.owed[account] <= 0
    }

    pub(crate) fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    /// The reckoning. `left`: what the store still has for each account.
    pub(crate) fn reconcile(&self, left: Vec<Vec<String>>) -> Report {
        let state = self.state();
        let mut report = Report {
            messages: state.sent.iter().map(Vec::len).sum(),
            acknowledged: state.acknowledged.iter().map(BTreeSet::len).sum(),
            resumed: state.resumed,
            ..Report::default()
        };
        report.add("strange", state.complaints.iter().cloned());
        for (device, arrived) in state.arrived.iter().enumerate() {
            self.check_device(&state, device, arrived, &mut report);
        }
        for (sender, numbers) in state.acknowledged.iter().enumerate() {
            let missing = numbers.iter().filter(|&&number| !state.seen.contains(&(sender, number)));
            let account = |number: &u64| state.sent[sender][usize::try_from(*number).expect("fits")];
            report.add("lost", missing.map(|number| format!("{sender}-{number} for account {}", account(number))));
        }
        for (account, stanzas) in left.iter().enumerate() {
            // What was read on a session that was given up may be there once more.
            let sure: BTreeSet<Message> =
                state.arrived.iter().flatten().filter(|a| !a.unsure).map(|a| a.message).collect();
            let known = stanzas.iter().filter_map(|s| attribute(s, "id").and_then(parse)).filter(|m| sure.contains(m));
            report.add("left in the store", known.map(|(s, n)| format!("{s}-{n} for account {account}")));
        }
        report
    }

    fn check_device(&self, state: &State, device: usize, arrived: &[Arrival], report: &mut Report) {
        let (account, ordered) = self.devices[device];
        let mut sure: HashMap<Message, &Arrival> = HashMap::new();
        let mut last: BTreeMap<usize, u64> = BTreeMap::new();
        for arrival in arrived {
            let (sender, number) = arrival.message;
            if state.sent[sender].get(usize::try_from(number).expect("fits")) != Some(&account) {
                report.add("strange", [format!("{sender}-{number} at device {device}, not sent there")]);
            }
            if let Some(first) = sure.get(&arrival.message) {
                let delayed = |a: &Arrival| if a.delayed { "delayed " } else { "" };
                let of = |a: &Arrival| {
                    format!("{}session {} stanza {} process {}", delayed(a), a.session, a.stanza, a.process)
                };
                let (first, again) = (of(first), of(arrival));
                report.add("twice", [format!("{sender}-{number} at device {device} ({first}; {again})")]);
                continue;
            }
            if !arrival.unsure {
                sure.insert(arrival.message, arrival);
            }
            let before = last.insert(sender, number);
            if ordered && before.is_some_and(|before| before > number) {
                let before = before.unwrap_or_default();
                report.add("out of order", [format!("{sender}-{number} after {sender}-{before} at device {device}")]);
            }
            report.arrived += 1;
        }
    }
}

fn parse(id: &str) -> Option<Message> {
    let (sender, number) = id.split_once('-')?;
    Some((sender.parse().ok()?, number.parse().ok()?))
}

/// The outcome of a run.
#[derive(Default)]
pub(crate) struct Report {
    messages: usize,
    acknowledged: usize,
    arrived: usize,
    resumed: usize,
    wrong: BTreeMap<&'static str, Vec<String>>,
}

impl Report {
    fn add(&mut self, what: &'static str, found: impl IntoIterator<Item = String>) {
        self.wrong.entry(what).or_default().extend(found);
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.wrong.values().all(Vec::is_empty)
    }

    /// The first of each kind.
    pub(crate) fn complaints(&self) -> String {
        let some = |(what, list): (&&str, &Vec<String>)| {
            let first: Vec<_> = list.iter().take(12).map(String::as_str).collect();
            format!("\n{what} ({}): {}", list.len(), first.join("; "))
        };
        self.wrong.iter().filter(|(_, list)| !list.is_empty()).map(some).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, acknowledged, arrived, resumed, .. } = self;
        write!(f, "messages {messages}, acknowledged {acknowledged}, arrived {arrived}, sessions resumed {resumed}")?;
        self.wrong.iter().try_for_each(|(what, list)| write!(f, ", {what} {}", list.len()))
    }
}

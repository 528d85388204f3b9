//! Requests and answers of one session in the order of their rids (XEP-0124 §8 to §14): what may come when, what is held,
//! what is given again. No input and output and no clock: who waits for an answer is anything, times are told.
//!
//! Each rid goes one way: it is *early* while one before it is missing, then *open* (its payload has been taken, its answer
//! is owed), then *answered* (and can be had again for a while). Open rids have no gaps, so that answers keep the order.
//!
//! What a request makes the stream say is given to the oldest open one before [`Exchange::settle`] looks at how many are
//! held: so an answer is empty only if there is nothing to be said.

use super::answers::{Answers, Keep, REPEATS_MAX, Reply};
use super::keys::{Key, Keys};
use std::collections::VecDeque;
use xep_support::bosh::{Answer, Body, Condition, Created, Kind, Opened};

/// Bytes of requests that came before their turn.
const EARLY_BYTES_MAX: usize = 64 * 1024;
/// An answer this old that a client says it lacks is reported at once (§9.2 of version 1.11: "if some time has passed").
const REPORT_AFTER_MS: u64 = 2_000;

/// What was agreed when the session began (§7).
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Requests that wait for an answer at most; 0: a polling session (§11).
    pub(super) hold: usize,
    /// Requests the client may make at a time.
    pub(super) requests: usize,
    /// How long one waits.
    pub(super) wait_ms: u64,
    /// How long there may be none.
    pub(super) inactivity_ms: u64,
    /// Between two empty ones.
    pub(super) polling_ms: u64,
    /// How long a pause may be.
    pub(super) maxpause_ms: u64,
    /// The client says which answers it has.
    pub(super) acks: bool,
    /// The client knows no conditions, but HTTP errors (§16.1).
    pub(super) is_legacy: bool,
}

/// What goes on to the stream, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A stream begins (XEP-0206 §3, §5), with the attributes of this body.
    Open(Box<Body>),
    /// Elements, each of which stands alone.
    Elements(String),
    /// The client has ended it.
    Close,
}

/// What has to be done now.
#[derive(Debug)]
pub(super) struct Effects<W> {
    /// Answers to be given.
    pub(super) replies: Vec<(W, Reply)>,
    /// For the stream.
    pub(super) input: Vec<Input>,
}

impl<W> Default for Effects<W> {
    fn default() -> Self {
        Self { replies: Vec::new(), input: Vec::new() }
    }
}

struct Open<W> {
    /// Who waits; nobody when the connection broke.
    waiter: Option<W>,
    since_ms: u64,
    repeats: u8,
    key: Option<Key>,
}

struct Early<W> {
    body: Body,
    waiter: Option<W>,
    since_ms: u64,
    repeats: u8,
}

/// A session's requests.
pub(super) struct Exchange<W> {
    terms: Terms,
    /// The terms, until the client has them.
    created: Option<Box<Created>>,
    /// A stream began, and the client has not been told.
    opened: Option<Box<Opened>>,
    /// The last rid that was taken in its turn.
    taken: u64,
    open: VecDeque<Open<W>>,
    early: Vec<Early<W>>,
    answers: Answers,
    keys: Keys,
    /// For the last answer.
    last_words: String,
    /// The silence that is allowed now.
    patience_ms: u64,
    /// Since then nobody waits for an answer.
    quiet_ms: Option<u64>,
    /// When the last new request came, and whether it was empty and its answer, too.
    last_ms: u64,
    last_was_empty: bool,
    gave_nothing: bool,
    /// The answer to report.
    report: Option<(u64, u64)>,
    /// The client ends the session.
    is_closing: bool,
    /// The session is over: what a request is told that comes yet.
    over: Option<Reply>,
}

impl<W> Exchange<W> {
    /// A session that begins with this request.
    pub(super) fn begin(
        now_ms: u64,
        terms: Terms,
        created: Created,
        mut first: Body,
        waiter: W,
        effects: &mut Effects<W>,
    ) -> Result<Self, Condition> {
        let mut keys = Keys::default();
        keys.begin(first.newkey.take().as_deref())?;
        let open = Open { waiter: Some(waiter), since_ms: now_ms, repeats: 0, key: None };
        let rid = first.rid;
        let this = Self {
            terms,
            created: Some(Box::new(created)),
            opened: None,
            taken: rid,
            open: VecDeque::from([open]),
            early: Vec::new(),
            answers: Answers::before(rid),
            keys,
            last_words: String::new(),
            patience_ms: terms.inactivity_ms,
            quiet_ms: None,
            last_ms: now_ms,
            last_was_empty: false,
            gave_nothing: false,
            report: None,
            is_closing: false,
            over: None,
        };
        effects.input.push(Input::Open(Box::new(first)));
        Ok(this)
    }

    /// A request of this session.
    pub(super) fn receive(&mut self, now_ms: u64, body: Body, waiter: W, effects: &mut Effects<W>) {
        if let Some(over) = &self.over {
            // §13.3: also the last answers may not have reached the client.
            let before = self.answers.repeat(body.rid, body.key.as_deref().and_then(Key::parse));
            effects.replies.push((waiter, before.unwrap_or_else(|_| over.clone())));
            return;
        }
        self.quiet_ms = None;
        let outcome = if body.rid > self.taken {
            self.receive_new(now_ms, body, waiter, effects)
        } else {
            self.receive_again(now_ms, &body, waiter, effects)
        };
        if let Err((condition, waiter)) = outcome {
            self.fail(condition, waiter, effects);
        }
        self.note_quiet(now_ms);
    }

    fn receive_new(
        &mut self,
        now_ms: u64,
        body: Body,
        waiter: W,
        effects: &mut Effects<W>,
    ) -> Result<(), (Condition, Option<W>)> {
        let one_more = usize::from(body.pause.is_some() || body.terminates);
        // §10: one more than there may be, to pause or to end.
        let requests_max = self.terms.requests + one_more;
        if body.rid > self.taken + requests_max as u64 {
            return Err((Condition::ItemNotFound, Some(waiter)));
        }
        if let Some(early) = self.early.iter_mut().find(|early| early.body.rid == body.rid) {
            early.repeats += 1;
            let (too_often, before) = (early.repeats > REPEATS_MAX, early.waiter.replace(waiter));
            effects.replies.extend(before.map(|before| (before, Reply::again())));
            let waiter = if too_often { early.waiter.take() } else { return Ok(()) };
            return Err((Condition::PolicyViolation, waiter));
        }
        let unanswered = self.open.len() + self.early.len() + 1;
        let too_many = unanswered > requests_max;
        // §10: there is room for it, but it asks for nothing that the others do not ask for.
        let needless = self.terms.hold > 0
            && unanswered >= self.terms.requests
            && body.is_empty()
            && now_ms.saturating_sub(self.last_ms) < self.too_soon_ms()
            && self.created.is_none();
        if too_many || needless {
            return Err((Condition::PolicyViolation, Some(waiter)));
        }
        let waiting_bytes: usize = self.early.iter().map(|early| early.body.payload.len()).sum();
        if body.rid > self.taken + 1 && waiting_bytes + body.payload.len() > EARLY_BYTES_MAX {
            // §16.3: it comes again, behind the one that is missing.
            effects.replies.push((waiter, Reply::again()));
            return Ok(());
        }
        self.early.push(Early { body, waiter: Some(waiter), since_ms: now_ms, repeats: 0 });
        while let Some(at) = self.early.iter().position(|early| early.body.rid == self.taken + 1) {
            let early = self.early.swap_remove(at);
            self.take(now_ms, early, effects)?;
        }
        Ok(())
    }

    /// A request that comes sooner behind another one comes too often. The network may have kept the one before for longer.
    fn too_soon_ms(&self) -> u64 {
        self.terms.polling_ms - self.terms.polling_ms / 4
    }

    /// A request whose turn it is.
    fn take(&mut self, now_ms: u64, early: Early<W>, effects: &mut Effects<W>) -> Result<(), (Condition, Option<W>)> {
        let Early { mut body, waiter, since_ms, repeats } = early;
        let key = match self.keys.next(body.key.as_deref(), body.newkey.as_deref()) {
            Ok(key) => key,
            Err(condition) => return Err((condition, waiter)),
        };
        if body.stream.is_some() && (body.payloads > 0 || body.terminates) {
            // §15.4: there is one stream, and it has no name.
            return Err((Condition::ItemNotFound, waiter));
        }
        let is_poll = self.terms.hold == 0 && body.is_empty();
        let too_soon = since_ms.saturating_sub(self.last_ms) < self.too_soon_ms();
        if is_poll && self.last_was_empty && self.gave_nothing && too_soon {
            // §11.
            return Err((Condition::PolicyViolation, waiter));
        }
        let pause_ms = body.pause.map(|seconds| u64::from(seconds) * 1000);
        if pause_ms.is_some_and(|pause| pause > self.terms.maxpause_ms) {
            return Err((Condition::PolicyViolation, waiter));
        }
        (self.last_ms, self.last_was_empty) = (since_ms, body.is_empty());
        self.patience_ms = pause_ms.unwrap_or(self.terms.inactivity_ms);
        self.acknowledge(now_ms, body.rid, body.ack);
        self.taken += 1;
        self.open.push_back(Open { waiter, since_ms, repeats, key });
        if body.restart {
            // XEP-0206 §5: an element that comes with it is ignored.
            body.payload = String::new();
            effects.input.push(Input::Open(Box::new(body)));
        } else {
            if !body.payload.is_empty() && !self.is_closing {
                effects.input.push(Input::Elements(body.payload));
            }
            if body.terminates && !self.is_closing {
                self.is_closing = true;
                effects.input.push(Input::Close);
            }
        }
        if pause_ms.is_some() {
            // §9: none of them has a payload.
            while !self.open.is_empty() {
                self.answer_first(now_ms, "", effects);
            }
        }
        Ok(())
    }

    /// The client has answers up to here: those need not be kept. One that is missing for long is reported.
    fn acknowledge(&mut self, now_ms: u64, rid: u64, ack: Option<u64>) {
        if !self.terms.acks {
            return;
        }
        let has = ack.unwrap_or(rid - 1);
        self.answers.forget_to(has);
        self.report = self.answers.oldest(now_ms).filter(|(_, age_ms)| *age_ms >= REPORT_AFTER_MS);
    }

    /// §13.3: a rid that has come before.
    fn receive_again(
        &mut self,
        now_ms: u64,
        body: &Body,
        waiter: W,
        effects: &mut Effects<W>,
    ) -> Result<(), (Condition, Option<W>)> {
        let key = body.key.as_deref().and_then(Key::parse);
        let Some(place) = body.rid.checked_sub(self.answers.last() + 1) else {
            match self.answers.repeat(body.rid, key) {
                Ok(reply) => effects.replies.push((waiter, reply)),
                Err(condition) => return Err((condition, Some(waiter))),
            }
            return Ok(());
        };
        let open = usize::try_from(place).ok().and_then(|at| self.open.get_mut(at)).filter(|open| open.key == key);
        let Some(open) = open else { return Err((Condition::ItemNotFound, Some(waiter))) };
        open.repeats += 1;
        if open.repeats > REPEATS_MAX {
            return Err((Condition::PolicyViolation, Some(waiter)));
        }
        open.since_ms = now_ms;
        effects.replies.extend(open.waiter.replace(waiter).map(|before| (before, Reply::again())));
        Ok(())
    }

    /// The stream has begun: its answer says so.
    pub(super) fn opened(&mut self, opened: Opened) {
        self.opened = Some(Box::new(opened));
    }

    /// Is there a request that can take something?
    pub(super) fn can_take(&self) -> bool {
        self.over.is_none() && (self.is_closing || self.open.iter().any(|open| open.waiter.is_some()))
    }

    /// Elements for the client: given to the oldest request behind which somebody is, so only if [`can_take`](Self::can_take).
    pub(super) fn send(&mut self, now_ms: u64, elements: &str, effects: &mut Effects<W>) {
        if self.is_closing {
            self.last_words.push_str(elements);
            return;
        }
        // Nobody waits for these now; who asks again hears that there was nothing.
        while self.open.front().is_some_and(|first| first.waiter.is_none()) {
            self.answer_first(now_ms, "", effects);
        }
        self.answer_first(now_ms, elements, effects);
        self.note_quiet(now_ms);
    }

    /// Nobody is behind this request any more: its connection broke.
    pub(super) fn lost(&mut self, now_ms: u64, is_lost: impl Fn(&W) -> bool) {
        let places = self.open.iter_mut().map(|open| &mut open.waiter);
        for place in places.chain(self.early.iter_mut().map(|early| &mut early.waiter)) {
            if place.as_ref().is_some_and(&is_lost) {
                *place = None;
            }
        }
        self.note_quiet(now_ms);
    }

    /// Gives the answers that are due, unless the stream has to catch up with what the client sent. `true`: the client has
    /// been silent for too long.
    pub(super) fn settle(&mut self, now_ms: u64, is_behind: bool, effects: &mut Effects<W>) -> bool {
        if self.over.is_some() {
            return false;
        }
        if !is_behind && !self.is_closing {
            self.answer_due(now_ms, effects);
        }
        if self.early.iter().any(|early| self.has_waited(early.waiter.as_ref(), early.since_ms, now_ms)) {
            // §16.3: one that came before these was lost.
            let lost = self.early.drain(..).filter_map(|early| early.waiter);
            effects.replies.extend(lost.map(|waiter| (waiter, Reply::again())));
        }
        self.note_quiet(now_ms);
        self.quiet_ms.is_some_and(|since| now_ms >= since.saturating_add(self.patience_ms))
    }

    fn answer_due(&mut self, now_ms: u64, effects: &mut Effects<W>) {
        // The first one waits for the beginning of the stream, however little the client wants to wait.
        let is_first = self.created.is_some();
        let hold = if is_first { self.terms.hold.max(1) } else { self.terms.hold };
        if self.report.is_some() && !self.open.is_empty() {
            self.answer_first(now_ms, "", effects);
        }
        while self.open.len() > hold
            || !is_first && self.open.iter().any(|o| self.has_waited(o.waiter.as_ref(), o.since_ms, now_ms))
        {
            self.answer_first(now_ms, "", effects);
        }
    }

    fn has_waited(&self, waiter: Option<&W>, since_ms: u64, now_ms: u64) -> bool {
        waiter.is_some() && !self.is_closing && now_ms >= since_ms.saturating_add(self.terms.wait_ms)
    }

    /// When [`settle`](Self::settle) has something to do next, if nothing else happens. While the stream is behind that is
    /// nothing for those who wait: it is for the stream to catch up.
    pub(super) fn deadline_ms(&self, is_behind: bool) -> Option<u64> {
        if self.over.is_some() {
            return None;
        }
        let waits = |waiter: &Option<W>, since: u64| {
            let waits = waiter.is_some() && !self.is_closing && self.created.is_none();
            waits.then(|| since.saturating_add(self.terms.wait_ms))
        };
        let open = self.open.iter().filter(|_| !is_behind);
        let open = open.filter_map(|open| waits(&open.waiter, open.since_ms)).min();
        let early = self.early.iter().filter_map(|early| waits(&early.waiter, early.since_ms)).min();
        let quiet = self.quiet_ms.map(|since| since.saturating_add(self.patience_ms));
        [open, early, quiet].into_iter().flatten().min()
    }

    /// The session is over. The oldest request is told, the others get nothing (§12). If there is none the next one is told.
    pub(super) fn finish(
        &mut self,
        now_ms: u64,
        condition: Option<Condition>,
        payload: &str,
        effects: &mut Effects<W>,
    ) {
        let payload = [std::mem::take(&mut self.last_words).as_str(), payload].concat();
        let reply = Reply::end(condition, &payload, self.terms.is_legacy);
        let mut last = Some(reply.clone());
        while self.open.iter().any(|open| open.waiter.is_some()) {
            let Some(open) = self.open.pop_front() else { break };
            let reply = open.waiter.as_ref().and_then(|_| last.take()).unwrap_or_else(Reply::nothing);
            self.give(now_ms, open, reply, effects);
        }
        for waiter in self.waiters() {
            effects.replies.push((waiter, last.take().unwrap_or_else(Reply::nothing)));
        }
        let is_told = last.is_none();
        self.over.get_or_insert(if is_told { self.ended() } else { reply });
    }

    /// The session is over because of what this request is; others hear that it was not theirs.
    pub(super) fn fail(&mut self, condition: Condition, waiter: Option<W>, effects: &mut Effects<W>) {
        let is_legacy = self.terms.is_legacy;
        let reply = Reply::end(Some(condition), "", is_legacy);
        effects.replies.extend(waiter.map(|waiter| (waiter, reply)));
        let others = Reply::end(Some(Condition::OtherRequest), "", is_legacy);
        effects.replies.extend(self.waiters().into_iter().map(|waiter| (waiter, others.clone())));
        self.over = Some(self.ended());
    }

    fn ended(&self) -> Reply {
        Reply::end(Some(Condition::ItemNotFound), "", self.terms.is_legacy)
    }

    /// Bytes of answers that may be asked for again.
    pub(super) fn kept_bytes(&self) -> usize {
        self.answers.bytes() + self.over.as_ref().map_or(0, |over| over.body.len())
    }

    /// For how long the last ones may be, when it is over.
    pub(super) fn patience_ms(&self) -> u64 {
        self.terms.inactivity_ms
    }

    /// Has it ended?
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    fn waiters(&mut self) -> Vec<W> {
        self.early.sort_by_key(|early| early.body.rid);
        let open = self.open.drain(..).filter_map(|open| open.waiter);
        open.chain(self.early.drain(..).filter_map(|early| early.waiter)).collect()
    }

    /// Answers the oldest open request.
    fn answer_first(&mut self, now_ms: u64, payload: &str, effects: &mut Effects<W>) {
        let rid = self.answers.last() + 1;
        let Some(open) = self.open.pop_front() else { return };
        let created = self.created.take();
        let opened = if payload.is_empty() && created.is_none() { None } else { self.opened.take() };
        let answer = Answer {
            created: created.as_deref(),
            opened: opened.as_deref(),
            ack: Some(self.taken).filter(|taken| self.terms.acks && *taken > rid && created.is_none()),
            report: self.report.take(),
            payload,
            kind: Kind::Normal,
        };
        let says_nothing = payload.is_empty() && opened.is_none() && created.is_none();
        let reply = match says_nothing && answer.ack.is_none() && answer.report.is_none() {
            true => Reply::nothing(),
            false => Reply { status: 200, body: answer.to_xml().into_boxed_str().into_boxed_bytes().into() },
        };
        self.gave_nothing = payload.is_empty();
        self.give(now_ms, open, reply, effects);
    }

    /// Gives the oldest request its answer, which is kept for when it comes again.
    fn give(&mut self, now_ms: u64, open: Open<W>, reply: Reply, effects: &mut Effects<W>) {
        let requests = self.terms.requests;
        let rid = self.answers.last() + 1;
        let keep = Keep {
            // §13.3: as many as the client may have requests, and one more when it pauses.
            all_max: requests + usize::from(self.patience_ms != self.terms.inactivity_ms),
            // Who has made the request `taken` has seen the answers to all but the last ones (§10).
            lacked: requests.saturating_sub(usize::try_from(self.taken.saturating_sub(rid)).unwrap_or(usize::MAX)),
        };
        self.answers.push(now_ms, reply.clone(), open.repeats, open.key, keep);
        effects.replies.extend(open.waiter.map(|waiter| (waiter, reply)));
    }

    fn note_quiet(&mut self, now_ms: u64) {
        let early = self.early.iter().map(|early| &early.waiter);
        let somebody = self.open.iter().map(|open| &open.waiter).chain(early).any(Option::is_some);
        self.quiet_ms = if somebody { None } else { self.quiet_ms.or(Some(now_ms)) };
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;

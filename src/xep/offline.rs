//! XEP-0160: messages kept while nobody can take them, handed out in order at the next login with a delay stamp
//! (XEP-0203), removed only when the client has them.
//!
//! Order: everything that is stored is enqueued under the account's lock. While stored messages are being handed out, new
//! ones queue up behind them (`account::Replay`).

use crate::account::noted;
use crate::account::replay::HandOut;
use crate::account::resource::{Client, Resource};
use crate::account::{Account, AccountState, Parcel, Replay};
use crate::clock;
use crate::config::Offline as OfflineSettings;
use crate::core::Core;
use crate::delivery::message;
use crate::extension::{About, Declare, Extension, Undelivered};
use crate::hold::Hold;
use crate::journal::{Effect, EffectKind};
use crate::outbox::{Item, Receipt};
use crate::router::bounce::{bounce, storage_error};
use crate::storage::{AccountId, Error, OfflineMessage, OfflineRow};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xep_support::formats::{delay, stanza_id};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{Facts, MessageType, Print, Stanza};
use xep_support::xml::check::StreamContext;

/// Offline messages.
pub struct Offline;

impl Extension for Offline {
    fn about(&self) -> About {
        About::new("XEP-0160", "Best Practices for Handling Offline Messages", "1.0.1")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_feature(ns::MSG_OFFLINE)
            .account_feature(ns::MSG_OFFLINE)
            .undelivered(Box::new(keep))
            .available(Box::new(|core, client, _| hand_out(core, client)));
    }
}

/// Is the message worth keeping? The reason why not, if not (XEP-0160 §3, XEP-0334 §3).
fn keepable(stanza: &Stanza) -> Result<(), &'static str> {
    let facts = stanza.facts();
    if !matches!(stanza.message_type(), MessageType::Chat | MessageType::Normal) {
        return Err("not a kept type");
    }
    if facts.contains(Facts::NO_STORE) {
        return Err("no-store hint");
    }
    let worthless = |ns: &str| ns == ns::CHAT_STATES || ns == ns::HINTS;
    let only_state =
        facts.contains(Facts::CHAT_STATE) && stanza.children().all(|c| worthless(c.ns()) || c.is("thread", ns::CLIENT));
    if only_state && !facts.contains(Facts::STORE) { Err("only a chat state") } else { Ok(()) }
}

/// Stage Undelivered.
fn keep(core: &Arc<Core>, account: &Arc<Account>, state: &mut AccountState, mut parcel: Parcel) -> Undelivered {
    if let Err(reason) = keepable(&parcel.stanza) {
        // A hint is the sender's own wish and a chat state is worthless later: neither needs an error.
        return Undelivered::Dropped(reason);
    }
    let Some(id) = account.id else { return Undelivered::Pass(parcel) };
    let (messages_max, bytes_max, kept_us) = {
        let offline = &core.config().offline;
        let days = offline.expire_days;
        let expires = (days > 0).then(|| i64::from(days) * MICROS_PER_DAY);
        let call = is_about_call(&parcel.stanza).then(|| call_us(offline));
        (offline.messages_max, offline.bytes_max, call.into_iter().chain(expires).min())
    };
    if kept_us == Some(0) {
        return Undelivered::Dropped("a call");
    }
    let text = text(&mut parcel);
    let bytes = text.len();
    if state.offline.messages >= messages_max || state.offline.bytes + bytes > bytes_max {
        // XEP-0160 §3, RFC 6121 §8.5.2.2.1: the sender is told.
        return Undelivered::Refused(parcel, StanzaError::new(Condition::ServiceUnavailable));
    }
    state.offline.messages += 1;
    state.offline.bytes += bytes;
    state.offline.uncommitted += 1;
    state.offline.stored = state.offline.stored.wrapping_add(1);
    let stamp_us = parcel.stamp_us.unwrap_or_else(clock::now_micros);
    let expires_us = kept_us.map(|kept_us| stamp_us.saturating_add(kept_us));
    let row = OfflineRow { account: id, stamp_us, expires_us, stanza: text };
    let (cause, told_as) = (
        parcel.hold.as_ref().and_then(Hold::cause),
        noted::told_as(core.storage.archive_ids(), parcel.extra.as_deref()),
    );
    let (core2, account2) = (core.clone(), account.clone());
    let done = move |stored: Result<(), Error>| match stored {
        Ok(()) => {
            let mut state = account2.lock();
            state.offline.uncommitted = state.offline.uncommitted.saturating_sub(1);
            core2.counters.offline_stored.fetch_add(1, Ordering::Relaxed);
            // Dropping the parcel here lets the sender's acknowledgement go.
        }
        // A full queue answers at once, while the caller still holds the account's lock: hence a task.
        Err(error) => drop(tokio::spawn(async move { not_stored(&core2, &account2, &parcel, bytes, &error) })),
    };
    let cause = cause.map(|cause| Effect { cause, kind: EffectKind::Stored, value: told_as });
    core.storage.offline_store_caused(row, cause, Box::new(done));
    Undelivered::Kept
}

/// Is it only about a call, which rings now or never (XEP-0353)?
fn is_about_call(stanza: &Stanza) -> bool {
    let facts = stanza.facts();
    facts.contains(Facts::JINGLE_MESSAGE) && !facts.intersects(Facts::BODY | Facts::ENCRYPTED)
}

/// How long what is said about a call is kept.
fn call_us(offline: &OfflineSettings) -> i64 {
    i64::try_from(offline.call_seconds.as_micros()).unwrap_or(i64::MAX)
}

/// As it will be handed out, but for the delay: with the stanza-id, so that a client which has read its archive meanwhile
/// knows that it has the message.
fn text(parcel: &mut Parcel) -> Arc<str> {
    let Some(extra) = parcel.extra.as_deref() else { return parcel.stored() };
    let mut out = Vec::new();
    parcel.stanza.write(&mut out, &Print { extra: extra.as_bytes(), ..Print::default() });
    String::from_utf8(out).expect("made of strings").into()
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

fn not_stored(core: &Arc<Core>, account: &Account, parcel: &Parcel, bytes: usize, error: &Error) {
    {
        let mut state = account.lock();
        let offline = &mut state.offline;
        offline.uncommitted = offline.uncommitted.saturating_sub(1);
        offline.messages = offline.messages.saturating_sub(1);
        offline.bytes = offline.bytes.saturating_sub(bytes);
    }
    tracing::warn!(account = %account.jid, %error, "message not stored; its sender is told");
    bounce(core, parcel, storage_error(error));
}

/// Deletes what has expired, and says how much that was. What the accounts in memory believe is corrected.
pub async fn expire(core: &Core, now_us: i64) -> Result<u64, Error> {
    let gone = core.storage.offline_expire(now_us).await?;
    if gone > 0 {
        for account in core.accounts.all() {
            recount(core, &account).await?;
        }
    }
    Ok(gone)
}

/// XEP-0386 §3.2: a client that binds with Bind 2 reads from the archive what it has missed, so that it is not sent that as
/// well. What is not in the archive stays.
pub async fn leave_to_archive(core: &Core, account: &Account) {
    let (Some(id), true) = (account.id, core.config().archive.enabled) else { return };
    let mut mark = String::new();
    stanza_id::write(&mut mark, account.jid.as_str(), "");
    mark.truncate(mark.len() - "'/>".len());
    let commit = {
        let state = account.lock();
        let offline = &state.offline;
        if offline.messages == 0 || !matches!(offline.replay, Replay::Idle) || offline.detached.is_some() {
            return;
        }
        // Under the lock, like every message that is stored.
        core.storage.offline_leave_to_archive(id, mark)
    };
    match commit.await {
        Ok(gone) => {
            let whole = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            account.lock().offline.purged(whole(gone.count), whole(gone.bytes));
        }
        Err(error) => {
            tracing::error!(account = %account.jid, %error, "stored messages could not be left to the archive")
        }
    }
}

/// Asks the disk how much is kept for an account. An account in motion is left alone: it is counted another time.
async fn recount(core: &Core, account: &Account) -> Result<(), Error> {
    let believed = || {
        let state = account.lock();
        let offline = &state.offline;
        let still = offline.uncommitted == 0 && matches!(offline.replay, Replay::Idle) && offline.messages > 0;
        still.then_some((offline.messages, offline.bytes))
    };
    let (Some(id), Some(before)) = (account.id, believed()) else { return Ok(()) };
    let usage = core.storage.offline_count(id).await?;
    let mut state = account.lock();
    let offline = &mut state.offline;
    if offline.uncommitted == 0 && matches!(offline.replay, Replay::Idle) && (offline.messages, offline.bytes) == before
    {
        offline.messages = usize::try_from(usage.count).unwrap_or(usize::MAX);
        offline.bytes = usize::try_from(usage.bytes).unwrap_or(usize::MAX);
    }
    Ok(())
}

/// Stage Available: somebody can take messages again.
fn hand_out(core: &Arc<Core>, client: &Client) {
    let Some(id) = client.account.id else { return };
    {
        let mut state = client.account.lock();
        // Else nothing is stored, or it is being handed out already, to whoever can take it.
        if !matches!(state.offline.replay, Replay::Due) {
            return;
        }
        state.offline.replay = Replay::Storing;
    }
    let replay =
        HandingOut { core: core.clone(), account: client.account.clone(), id, after: 0, park: false, over: false };
    tokio::spawn(replay.run());
}

/// A stored message as it is handed out; `None` if it is damaged.
pub fn item(account: &Account, row: &OfflineMessage, stanza: Stanza, page: &Arc<HandOut>) -> Item {
    let mut stamp = String::with_capacity(128);
    delay::write(&mut stamp, Some(account.jid.domain()), row.stamp_us);
    let receipt = Receipt::Row(page.row(row.id, row.stanza.len()));
    Item { stanza: Arc::new(stanza), to: None, extra: Some(stamp.into()), receipt }
}

/// A stored message as a stanza.
pub fn stored(account: &Account, row: &OfflineMessage) -> Option<Stanza> {
    let stanza = Stanza::parse(row.stanza.as_bytes(), &StreamContext::stored());
    if stanza.is_err() {
        tracing::error!(account = %account.jid, row = row.id, "a stored message is damaged, skipped");
    }
    stanza.ok()
}

/// After a restart: a client that may come back has these rows in hand, the last of them `after`. Under the account's lock.
pub fn go_on(core: &Arc<Core>, account: &Arc<Account>, state: &mut AccountState, page: Arc<HandOut>, after: i64) {
    let Some(id) = account.id else { return };
    state.offline.detached = Some(Arc::downgrade(&page));
    state.offline.replay = Replay::Storing;
    let mut rest = HandingOut { core: core.clone(), account: account.clone(), id, after, park: false, over: false };
    tokio::spawn(async move {
        let rows = page.rows_left();
        if page.finished().await < rows {
            rest.after = 0;
        }
        rest.run().await;
    });
}

/// Stored messages on their way to whoever of the account's resources can take them.
struct HandingOut {
    core: Arc<Core>,
    account: Arc<Account>,
    id: AccountId,
    /// The last row that was handed to an outbox.
    after: i64,
    /// Hold new messages back in the next round, since it may be the last.
    park: bool,
    over: bool,
}

/// Bytes of one page, if outboxes are not smaller.
const PAGE_BYTES_MAX: u64 = 256 * 1024;

/// How a round ended.
enum Round {
    /// There may be more in the store.
    More(Page),
    /// This was all; new messages are live again, behind it.
    Last(Page),
    /// There is nothing, or nobody to take it.
    Over,
}

/// What was put into an outbox.
struct Page {
    handed: Arc<HandOut>,
    rows: usize,
    /// As read from the store; some of it may not have found room.
    read: usize,
}

/// The store as it was when a round began.
struct Before {
    messages: usize,
    stored: u32,
    uncommitted: bool,
    parking: bool,
}

type Refused = Vec<(Parcel, StanzaError)>;

impl HandingOut {
    /// Page by page, waiting until each is written. While the last, short page is read new messages are parked.
    async fn run(mut self) {
        loop {
            match self.round().await {
                Ok(Round::More(page)) => {
                    if page.handed.finished().await < page.rows {
                        // The client went away in the middle. What it did not get is still in the store; another resource
                        // may take it, from the first row that was not written.
                        self.after = 0;
                    }
                }
                Ok(Round::Last(page)) => {
                    let written = page.handed.finished().await == page.rows;
                    if self.is_drained(written) {
                        return;
                    }
                }
                Ok(Round::Over) => return,
                Err(error) => {
                    tracing::error!(account = %self.account.jid, %error, "stored messages could not be read");
                    return;
                }
            }
        }
    }

    async fn round(&mut self) -> Result<Round, Error> {
        let (page_rows, page_bytes) = {
            let limits = &self.core.config().limits;
            // A client that reads must not be taken for a slow one because of what we give it at once.
            let bytes = PAGE_BYTES_MAX.min(limits.outbox_bytes_max as u64 / 4);
            (limits.offline_replay_batch_max.clamp(1, limits.outbox_stanzas_max.div_ceil(2).max(1)), bytes)
        };
        let before = self.begin(page_rows);
        if before.uncommitted {
            self.core.storage.barrier().await?;
        }
        let rows = u32::try_from(page_rows).unwrap_or(u32::MAX);
        let messages = self.core.storage.offline_page(self.id, self.after, rows, page_bytes).await?;
        let Some(target) = self.target() else { return Ok(Round::Over) };
        let page = self.push(&target, messages);
        self.park = page.read == 0;
        Ok(self.conclude(&before, &target, page))
    }

    fn begin(&self, page_rows: usize) -> Before {
        let mut state = self.account.lock();
        let offline = &mut state.offline;
        let parking = self.park || offline.messages <= page_rows;
        if parking {
            offline.replay = Replay::Parking(Vec::new());
        }
        let (messages, stored, uncommitted) = (offline.messages, offline.stored, offline.uncommitted > 0);
        Before { messages, stored, uncommitted, parking }
    }

    /// Who takes them: the resource that was bound last. With nobody there the handing out is over, under the same lock:
    /// whoever comes next begins anew.
    fn target(&mut self) -> Option<Arc<Resource>> {
        let mut state = self.account.lock();
        if let Some(bound) = state.reachable().last() {
            return Some(bound.resource.clone());
        }
        let refused = self.resume(&mut state, Replay::Idle);
        drop(state);
        self.over = true;
        self.bounce_all(refused);
        None
    }

    fn push(&mut self, target: &Arc<Resource>, messages: Vec<OfflineMessage>) -> Page {
        let handed = HandOut::new(self.account.clone(), self.core.storage.clone());
        let mut page = Page { handed, rows: 0, read: messages.len() };
        // Somebody may have been blocked since (XEP-0191 §3.3).
        let blocked = self.account.lock().blocked.clone();
        let calls_after_us = clock::now_micros().saturating_sub(call_us(&self.core.config().offline));
        let mut items = Vec::with_capacity(messages.len());
        for row in messages {
            let Some(stanza) = stored(&self.account, &row) else {
                items.push((row.id, None));
                continue;
            };
            let is_over = is_about_call(&stanza) && row.stamp_us < calls_after_us;
            let is_blocked = blocked.as_ref().is_some_and(|list| stanza.from().is_some_and(|from| list.forbids(from)));
            let wanted = !(is_over || is_blocked);
            items.push((row.id, wanted.then(|| item(&self.account, &row, stanza, &page.handed))));
        }
        // Under the lock: a client that loses its connection has all of them in its outbox then, or none.
        let mut state = self.account.lock();
        if state.bound(target).is_none_or(|b| b.is_detached()) {
            return page;
        }
        for (row, item) in items {
            // A client that has just come back acknowledged some of what was being read (XEP-0198 §5).
            if let Some(item) = item.filter(|_| row > state.offline.had_upto) {
                if target.outbox.push(item).is_err() {
                    break;
                }
                page.rows += 1;
            }
            self.after = row;
        }
        page
    }

    /// Is everything that was stored in the outbox now? Then what was parked follows it there, else into the store.
    fn conclude(&mut self, before: &Before, target: &Arc<Resource>, page: Page) -> Round {
        let mut state = self.account.lock();
        // A message whose session ended meanwhile may have been stored, older than those parked.
        let unchanged = before.parking && state.offline.stored == before.stored;
        let all = page.read == 0 || page.read == before.messages && page.rows == page.read;
        let last = unchanged && all && state.bound(target).is_some_and(|b| !b.is_detached());
        let empty = last && page.read == 0;
        if empty && state.offline.uncommitted == 0 {
            // What has expired meanwhile was still counted.
            (state.offline.messages, state.offline.bytes) = (0, 0);
        }
        let next = match (last, empty) {
            (_, true) => Replay::Idle,
            (true, false) => Replay::Draining,
            (false, _) => Replay::Storing,
        };
        let refused = self.resume(&mut state, next);
        drop(state);
        self.over = empty;
        self.bounce_all(refused);
        match (last, empty) {
            (_, true) => Round::Over,
            (true, false) => Round::Last(page),
            (false, _) => Round::More(page),
        }
    }

    /// After the last page: was that all? Else there is another round.
    fn is_drained(&mut self, written: bool) -> bool {
        let mut state = self.account.lock();
        let more = !written || state.offline.messages > 0 && state.reachable().next().is_some();
        if more {
            self.after = 0;
            state.offline.replay = Replay::Storing;
        } else {
            state.offline.replay = Replay::Idle;
            self.over = true;
        }
        !more
    }

    /// What was parked goes on, in its order and before anything newer.
    fn resume(&self, state: &mut AccountState, next: Replay) -> Refused {
        let mut refused = Vec::new();
        if let Replay::Parking(parcels) = std::mem::replace(&mut state.offline.replay, next) {
            for parcel in parcels {
                refused.extend(message::deliver_locked(&self.core, &self.account, state, parcel));
            }
        }
        refused
    }

    fn bounce_all(&self, refused: Refused) {
        for (parcel, error) in refused {
            bounce(&self.core, &parcel, error);
        }
    }
}

impl Drop for HandingOut {
    /// However it ended: nothing stays parked.
    fn drop(&mut self) {
        if !self.over {
            let refused = self.resume(&mut self.account.lock(), Replay::Idle);
            self.bounce_all(refused);
        }
    }
}

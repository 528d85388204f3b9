//! XEP-0198 across restarts: the sessions of the last process wait for their clients as if these had just lost their
//! connections. How it is known what they were is told in `journal`.

use super::detached::Detached;
use super::stream_management::limits;
use super::{bind, leave};
use crate::account::Account;
use crate::account::ack::{Ack, Log, Resume, Sent};
use crate::account::replay::HandOut;
use crate::account::resource::{Bound, Client, Resource};
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::hold::{Fate, Pending};
use crate::journal::{Flags, RestoredOut, RestoredSession};
use crate::outbox::{Item, Receipt};
use crate::router;
use crate::storage::OfflineMessage;
use crate::xep::client_state;
use crate::xep::muc::surviving;
use crate::xep::offline;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use xep_support::jid::{FullJid, Jid};
use xep_support::stanza::Stanza;
use xep_support::xml::check::StreamContext;

/// Takes the sessions of the last process up. To be called before anybody can connect; what comes back waits for their
/// clients, each for one.
pub async fn revive(
    core: &Arc<Core>,
    restored: Vec<RestoredSession>,
) -> Vec<impl Future<Output = ()> + Send + 'static> {
    if !restored.is_empty() {
        tracing::info!(sessions = restored.len(), "taking up the sessions of the last process");
    }
    let mut fates = Fates::default();
    let mut known = Vec::new();
    for session in restored {
        match account_of(core, &session).await {
            Some((account, jid)) => {
                fates.learn(&account, &session);
                known.push((account, jid, session));
            }
            None => core.journal.note(|batch| batch.gone(session.session)),
        }
    }
    let mut rows = Rows::of(&known);
    let (mut waiting, mut leaving, mut in_rooms) = (Vec::new(), Vec::new(), Vec::new());
    for (account, jid, mut session) in known {
        let rooms = (std::mem::take(&mut session.rooms), std::mem::take(&mut session.told));
        let page = rows.read(core, &account, &session).await;
        let over = session.leaving;
        let (client, ack, max) = rebuild(core, account, jid, session, &mut fates, &page);
        if over || max.is_zero() {
            leaving.push((client, ack));
        } else if let Some(detached) = wait(core, &client, ack, max, page) {
            if !rooms.0.is_empty() {
                in_rooms.push((client.clone(), rooms));
            }
            let core = core.clone();
            waiting.push(async move { detached.until_resumed_or_over(&core, &client).await });
        }
    }
    for (client, (rooms, told)) in in_rooms {
        let presence = client.account.lock().bound(&client.resource).and_then(|bound| bound.presence.clone());
        surviving::restore(core, &client, &rooms, &told, presence.as_deref());
    }
    surviving::settle(core);
    // Last, so that what they leave finds who is still there.
    for (client, ack) in leaving {
        leave::depart(core, &client, CloseReason::ConnectionLost, Vec::new(), Some(ack));
    }
    waiting
}

/// Whose session is it, if that account is still there?
async fn account_of(core: &Arc<Core>, session: &RestoredSession) -> Option<(Arc<Account>, FullJid)> {
    let jid = Jid::parse(&session.jid).ok()?;
    let full = jid.bare().with_resource(jid.resource()?).ok()?;
    match router::load(core, &jid.bare()).await {
        Ok(Some(account)) if account.id.is_some_and(|id| id.0 == session.account) => Some((account, full)),
        Ok(_) => None,
        Err(error) => {
            tracing::error!(account = %jid, %error, "a session of the last process is lost");
            None
        }
    }
}

/// Messages that several clients were given: one fate for all of them.
#[derive(Default)]
struct Fates {
    by_group: HashMap<u64, Arc<Fate>>,
    /// By the stanza they come from and the account they are for.
    by_cause: HashMap<(u32, u32, i64), Arc<Fate>>,
}

impl Fates {
    fn learn(&mut self, account: &Account, session: &RestoredSession) {
        let id = account.id.map_or(0, |id| id.0);
        for out in session.outs.iter().filter(|out| !out.moved && out.row == 0) {
            let known = out.cause.and_then(|(s, n)| self.by_cause.get(&(s, n, id))).cloned();
            let fate = match out.group {
                0 => known.or_else(|| out.cause.map(|_| Fate::new(0))),
                group => Some(
                    self.by_group.entry(group).or_insert_with(|| known.unwrap_or_else(|| Fate::new(group))).clone(),
                ),
            };
            let Some(fate) = fate else { continue };
            if out.settled {
                fate.acknowledged();
            }
            if let Some((s, n)) = out.cause {
                self.by_cause.insert((s, n, id), fate);
            }
        }
    }

    fn of(&self, account: &Account, out: &RestoredOut) -> Option<Arc<Fate>> {
        let id = account.id.map_or(0, |id| id.0);
        let by_cause = || out.cause.and_then(|(s, n)| self.by_cause.get(&(s, n, id)));
        self.by_group.get(&out.group).or_else(by_cause).cloned()
    }

    /// What those whom a stanza reached make of it.
    fn caused_by(&self, session: u32, stanza: u32) -> Option<Arc<Fate>> {
        let from = |(s, n, _): &(u32, u32, i64)| *s == session && *n == stanza;
        self.by_cause.iter().find(|(key, _)| from(key)).map(|(_, fate)| fate.clone())
    }
}

/// Rows of the offline store that clients have in hand.
struct Rows {
    /// Of each account: who was given a row last. It is theirs; others were given it before and have lost it again.
    owner: HashMap<i64, (i64, u32)>,
}

/// Of one session: the rows that are still stored and its own, and their page; and a page for those that are not.
struct Page {
    own: Arc<HandOut>,
    lost: Arc<HandOut>,
    messages: HashMap<i64, OfflineMessage>,
}

impl Rows {
    fn of(known: &[(Arc<Account>, FullJid, RestoredSession)]) -> Self {
        let mut owner: HashMap<i64, (i64, u32)> = HashMap::new();
        for (_, _, session) in known {
            for out in session.outs.iter().filter(|out| out.row != 0) {
                let last = owner.entry(out.row).or_default();
                *last = (*last).max((out.at_us, session.session));
            }
        }
        Self { owner }
    }

    async fn read(&mut self, core: &Arc<Core>, account: &Arc<Account>, session: &RestoredSession) -> Option<Page> {
        let is_own = |row: &i64| self.owner.get(row).is_some_and(|&(_, owner)| owner == session.session);
        let rows: Vec<i64> = session.outs.iter().map(|out| out.row).filter(|&row| row != 0).collect();
        let first = *rows.first()?;
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let found = match core.storage.offline_page(account.id?, first - 1, count, u64::MAX >> 1).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(account = %account.jid, %error, "stored messages could not be read");
                Vec::new()
            }
        };
        let messages = found.into_iter().filter(|m| rows.contains(&m.id) && is_own(&m.id)).map(|m| (m.id, m)).collect();
        let page = || HandOut::new(account.clone(), core.storage.clone());
        let lost = page();
        lost.revoke();
        Some(Page { own: page(), lost, messages })
    }
}

impl Page {
    fn item(&self, account: &Account, row: i64) -> Item {
        let message = self.messages.get(&row).and_then(|message| Some((message, offline::stored(account, message)?)));
        let found = message.map(|(message, stanza)| offline::item(account, message, stanza, &self.own));
        found.unwrap_or_else(|| Item { receipt: Receipt::Row(self.lost.row(row, 0)), ..nothing() })
    }
}

/// In the place of what is not sent again.
fn nothing() -> Item {
    Item::plain(Arc::new(Stanza::message(xep_support::stanza::MessageType::Headline, None, None, [])))
}

fn rebuild(
    core: &Arc<Core>,
    account: Arc<Account>,
    jid: FullJid,
    mut session: RestoredSession,
    fates: &mut Fates,
    page: &Option<Page>,
) -> (Client, Box<Ack>, Duration) {
    for (&stanza, effects) in &mut session.effects {
        effects.fate = fates.caused_by(session.session, stanza);
    }
    let mut unacked = VecDeque::with_capacity(session.outs.len());
    for out in &session.outs {
        let item = match page {
            Some(page) if out.row != 0 && !out.moved => page.item(&account, out.row),
            _ => live(&account, out, fates),
        };
        unacked.push_back(Sent { item, at_us: out.at_us });
    }
    let pending = Arc::new(Pending::default());
    pending.journaled_as(session.session);
    pending.begin(session.safe);
    if !session.effects.is_empty() {
        pending.has_caused(std::mem::take(&mut session.effects));
    }
    let outbox = bind::outbox(core);
    outbox.journaled_as(session.session);
    let RestoredSession { peer, encrypted, since_us, .. } = session;
    let resource = Arc::new(Resource { jid, outbox, peer, encrypted, since_us, agent: OnceLock::new() });
    let (kept_max, ack_limits, location) = limits(core);
    let max = Duration::from_secs(session.max_seconds.into()).min(kept_max);
    let gone_us = if session.away_us == 0 { 0 } else { clock::now_micros().saturating_sub(session.away_us).max(0) };
    let left = max.saturating_sub(Duration::from_micros(gone_us.unsigned_abs()));
    let resume = Resume { id: session.id.as_str().into(), location, max };
    let log = Log::new(core.journal.clone(), session.session, core.storage.archive_ids());
    let ack = Ack::new(Some(resume), ack_limits, log).restored(session.safe, session.had, unacked);
    let client = Client { account, resource, pending };
    if !session.leaving && !left.is_zero() {
        rebind(core, &client, &session);
    }
    (client, Box::new(ack), left)
}

fn live(account: &Account, out: &RestoredOut, fates: &Fates) -> Item {
    let lost = |item: Item| Item { receipt: Receipt::Unacked(Fate::gone().share()), ..item };
    if out.moved {
        return lost(nothing());
    }
    let Ok(stanza) = Stanza::parse(&out.text, &StreamContext::stored()) else {
        tracing::error!(account = %account.jid, "a stanza in the session journal is damaged, skipped");
        return lost(nothing());
    };
    let receipt = fates.of(account, out).map_or(Receipt::None, |fate| Receipt::Unacked(fate.share()));
    Item { receipt, ..Item::plain(Arc::new(stanza)) }
}

/// Its presence stands, and it gets what it asked for.
fn rebind(core: &Arc<Core>, client: &Client, session: &RestoredSession) {
    let mut bound = Bound::new(client.resource.clone());
    let presence = session.presence.as_deref();
    let parsed = presence.and_then(|text| Stanza::parse(text.as_bytes(), &StreamContext::stored()).ok());
    (bound.presence, bound.priority) = (parsed.map(Arc::new), session.priority);
    bound.interested = session.flags.0 & Flags::INTERESTED != 0;
    bound.carbons = session.flags.0 & Flags::CARBONS != 0;
    bound.blocklist = session.flags.0 & Flags::BLOCKLIST != 0;
    bound.detached_ms = Some(clock::monotonic_ms());
    client.resource.outbox.lost();
    client_state::deactivate(core, &client.resource);
    let mut state = client.account.lock();
    state.resources.reserve_exact(1);
    state.resources.push(bound);
    drop(state);
    client.account.touch(clock::monotonic_seconds());
    core.counters.sessions.fetch_add(1, Ordering::Relaxed);
}

fn wait(core: &Arc<Core>, client: &Client, ack: Box<Ack>, max: Duration, page: Option<Page>) -> Option<Detached> {
    let id = ack.resume.as_ref()?.id.clone();
    let session = core.resumable.insert(&id, client.clone());
    let mut state = client.account.lock();
    if let Some(page) = page
        && let Some(&last) = page.messages.keys().max()
    {
        offline::go_on(core, &client.account, &mut state, page.own, last);
    }
    let ticket = session.deposit(ack);
    session.ready();
    state.bound(&client.resource)?.away = Some(session.clone());
    Some(Detached::new(session, ticket, id, max))
}

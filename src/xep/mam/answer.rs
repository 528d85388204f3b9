//! Answers about the archive: results, one message each, through the client's own outbox, and the `<fin/>` behind them.

use super::query::Query;
use super::{enabled, query as asked};
use crate::account::Account;
use crate::account::resource::Client;
use crate::core::Core;
use crate::extension::{Answer, IqCall, IqResult};
use crate::ops;
use crate::outbox::Item;
use crate::router::bounce::refused;
use crate::storage::{ArchiveIds, ArchiveOwner, ArchivePage, ArchiveQuery, ArchivedMessage};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xep_support::formats::date::{self, Precision};
use xep_support::formats::{delay, rsm};
use xep_support::jid::BareJid;
use xep_support::ns;
use xep_support::stanza::Stanza;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;
use xep_support::xml::writer::push_attr;

/// What somebody reads.
pub(super) struct Source {
    /// Whose archive.
    pub owner: ArchiveOwner,
    /// Its address.
    pub jid: BareJid,
    /// Who reads may know the authors of what has this id or a later one (§6.1.2).
    pub authors_from: Option<i64>,
}

/// §4.1.5: the fields of a query.
pub(super) fn form(call: IqCall<'_>) -> Answer {
    match enabled(call.core) {
        Ok(()) => Answer::with(asked::form(true)),
        Err(error) => Answer::error(error),
    }
}

/// §4: a query.
pub(super) fn query(call: IqCall<'_>) -> Answer {
    let read = || {
        enabled(call.core)?;
        Ok((ops::registered(&call.client.account)?, Query::read(&call.payload, call.core.storage.archive_ids())?))
    };
    let (id, query) = match read() {
        Ok(read) => read,
        Err(error) => return Answer::error(error),
    };
    let (core, client) = (call.core.clone(), call.client.clone());
    Answer::later(async move {
        let source = Source { owner: id.into(), jid: client.account.jid.clone(), authors_from: None };
        // Queries are answered as fast as the client reads. One that has lost its connection may come back for the answer.
        client.resource.outbox.room().await;
        written(&core, &client.account).await?;
        answer(&core, &client, &source, query).await
    })
}

/// §5: the first and the last message.
pub(super) fn metadata(call: IqCall<'_>) -> Answer {
    if let Err(error) = enabled(call.core).and_then(|()| ops::registered(&call.client.account)) {
        return Answer::error(error);
    }
    let (core, account) = (call.core.clone(), call.client.account.clone());
    Answer::later(async move { metadata_now(&core, &account).await.map(Some) })
}

/// The same for a client that is just being bound (XEP-0386 §3.2.1); nothing where there is no archive.
pub async fn metadata_of(core: &Core, account: &Account) -> Option<Element> {
    enabled(core).ok()?;
    metadata_now(core, account).await.ok()
}

async fn metadata_now(core: &Core, account: &Account) -> Result<Element, StanzaError> {
    let id = ops::registered(account)?;
    written(core, account).await?;
    ends(core, id).await
}

/// §5.
pub(super) async fn ends(core: &Core, owner: impl Into<ArchiveOwner>) -> Result<Element, StanzaError> {
    let bounds = core.storage.archive_bounds(owner).await.map_err(refused("archive"))?;
    let end = |name: &'static str, id: i64| {
        Element::new(name, ns::MAM)
            .attr("id", core.storage.archive_ids().tell(id).to_string())
            .attr("timestamp", date::format(id, Precision::Millis))
    };
    let ends = bounds.map(|(first, last)| [end("start", first), end("end", last)]);
    Ok(Element::new("metadata", ns::MAM).children(ends.into_iter().flatten()))
}

/// Waits for what is on its way into the archive. Else a client could be told the end of it, then get a later message
/// directly, and never see the one in between.
async fn written(core: &Core, account: &Account) -> Result<(), StanzaError> {
    if account.archive_pending.load(Ordering::Acquire) > 0 {
        core.storage.barrier().await.map_err(refused("archive"))?;
    }
    Ok(())
}

/// A page and what is behind it. What is on its way into the archive has been waited for.
pub(super) async fn answer(core: &Core, client: &Client, source: &Source, mut query: Query) -> IqResult {
    let limits = PageLimits::of(core);
    let (storage, id) = (&core.storage, source.owner);
    // What it names was archived once; whether it still is decides if the client's place in the archive is known.
    if !query.named.is_empty() && !storage.archive_knows(id, &query.named).await.map_err(refused("archive"))? {
        return Err(StanzaError::new(Condition::ItemNotFound));
    }
    if let Some(text) = &query.text {
        query.filter.words = super::search::words(core, id, text).await?;
    }
    if query.max == Some(0) {
        return Ok(Some(fin(&rsm::Page { ends: None, count: count(core, id, &query.filter).await? }, false)));
    }
    let rows =
        query.max.map_or(limits.messages_default, |max| limits.messages_max.min(max.try_into().unwrap_or(u32::MAX)));
    let page = storage.archive_page(id, &query.filter, query.from, rows, limits.bytes).await;
    let page = page.map_err(refused("archive"))?;
    let ids = storage.archive_ids();
    let answer = fin(&range(ids, &page, query.is_first), !page.more);
    send(client, source, ids, &query, page);
    Ok(Some(answer))
}

/// How much goes into one page.
struct PageLimits {
    messages_default: u32,
    messages_max: u32,
    bytes: u64,
}

impl PageLimits {
    /// A page takes at most a quarter of an outbox, and there is not more than that in it before.
    fn of(core: &Core) -> Self {
        let config = core.config();
        let (archive, limits) = (&config.archive, &config.limits);
        let number = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
        let messages_max = number(limits.archive_page_messages_max.min(limits.outbox_stanzas_max / 4));
        let outbox_bytes = limits.outbox_bytes_max / 4;
        Self {
            messages_default: number(archive.page_messages).min(messages_max),
            messages_max,
            bytes: limits.archive_page_bytes_max.min(outbox_bytes) as u64,
        }
    }
}

/// Messages looked at to answer how many there are; above it the answer would cost more than it is worth (XEP-0059 §2.7).
const COUNTED_MAX: u32 = 100_000;

async fn count(core: &Core, id: ArchiveOwner, filter: &ArchiveQuery) -> Result<Option<u64>, StanzaError> {
    let count = core.storage.archive_count(id, filter, COUNTED_MAX + 1).await.map_err(refused("archive"))?;
    Ok((count <= COUNTED_MAX.into()).then_some(count))
}

/// §4.3.2. The number of all results is known for free when they are all on one page; else it is left out, because
/// counting them would make the price of a page depend on the size of the archive.
fn range(ids: ArchiveIds, page: &ArchivePage, is_first: bool) -> rsm::Page {
    let ends = page.messages.first().zip(page.messages.last());
    rsm::Page {
        ends: ends.map(|(first, last)| (ids.tell(first.id).to_string(), ids.tell(last.id).to_string())),
        count: (is_first && !page.more).then_some(page.messages.len() as u64),
    }
}

fn fin(page: &rsm::Page, complete: bool) -> Element {
    Element::new("fin", ns::MAM).attr_opt("complete", complete.then_some("true")).child(page.to_element())
}

fn send(client: &Client, source: &Source, ids: ArchiveIds, query: &Query, page: ArchivePage) {
    let mut messages = page.messages;
    if query.flipped {
        messages.reverse();
    }
    let mut opening = format!("<result xmlns='{}'", ns::MAM);
    if let Some(id) = &query.query_id {
        push_attr(&mut opening, "queryid", id);
    }
    let mut inner = String::new();
    for mut message in messages {
        inner.clear();
        // A room is the author of what it says itself.
        let is_shown = source.authors_from.is_some_and(|from| message.id >= from);
        message.author = message.author.filter(|author| is_shown && author != source.jid.as_str());
        result(&mut inner, &opening, ids, &message);
        let (from, to) = (source.jid.as_jid(), client.jid().as_jid());
        let stanza = Stanza::message_around(Some(from), Some(to), &inner);
        if client.resource.outbox.push(Item::plain(Arc::new(stanza))).is_err() {
            return;
        }
    }
}

/// §4.2: the message as it was received, and when. With its author, if there is one to be shown (§6.1.2).
fn result(out: &mut String, opening: &str, ids: ArchiveIds, message: &ArchivedMessage) {
    let stanza = message.stanza.strip_prefix("<message").unwrap_or_default();
    out.reserve(stanza.len() + 320);
    out.push_str(opening);
    push_attr(out, "id", &ids.tell(message.id).to_string());
    out.push_str("><forwarded xmlns='");
    out.push_str(ns::FORWARD);
    out.push_str("'>");
    delay::write(out, None, message.id);
    // XEP-0297 §3.2 rule 3.
    out.push_str("<message xmlns='");
    out.push_str(ns::CLIENT);
    out.push('\'');
    match message.author.as_deref().zip(stanza.strip_suffix("</message>")) {
        Some((author, stanza)) => {
            out.push_str(stanza);
            out.push_str("<x xmlns='");
            out.push_str(ns::MUC_USER);
            out.push_str("'><item");
            push_attr(out, "jid", author);
            out.push_str("/></x></message>");
        }
        None => out.push_str(stanza),
    }
    out.push_str("</forwarded></result>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_as_printed() {
        let stanza = "<message from='a@x/1' id='m'><body>hi</body></message>".to_owned();
        let mut out = String::new();
        let ids = ArchiveIds::new([0; 16]);
        let message = ArchivedMessage { id: 1_000_234, stanza, author: None };
        result(&mut out, "<result xmlns='urn:xmpp:mam:2' queryid='f27'", ids, &message);
        let expected = format!(
            "<result xmlns='urn:xmpp:mam:2' queryid='f27' id='{}'><forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:01.000Z'/>\
             <message xmlns='jabber:client' from='a@x/1' id='m'><body>hi</body></message></forwarded></result>",
            ids.tell(1_000_234)
        );
        assert_eq!(out, expected);
        let message = ArchivedMessage { author: Some("a@x/'1'".into()), ..message };
        out.clear();
        result(&mut out, "<result", ids, &message);
        let author =
            "</body><x xmlns='http://jabber.org/protocol/muc#user'><item jid='a@x/&apos;1&apos;'/></x></message>";
        assert!(out.contains(author), "{out}");
    }

    #[test]
    fn the_number_of_results_only_when_it_is_free() {
        let message = |id| ArchivedMessage { id, stanza: String::new(), author: None };
        let page = |more| ArchivePage { messages: vec![message(3), message(5)], more };
        let ids = ArchiveIds::new([0; 16]);
        let told = |page: &ArchivePage, is_first| range(ids, page, is_first);
        let ends = Some((ids.tell(3).to_string(), ids.tell(5).to_string()));
        assert_eq!(told(&page(false), true), rsm::Page { ends: ends.clone(), count: Some(2) });
        assert_eq!(told(&page(true), true), rsm::Page { ends: ends.clone(), count: None });
        assert_eq!(told(&page(false), false), rsm::Page { ends, count: None });
        assert_eq!(told(&ArchivePage::default(), true), rsm::Page { ends: None, count: Some(0) });
    }
}

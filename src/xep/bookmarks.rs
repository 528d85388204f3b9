//! XEP-0402: bookmarks of rooms, an item each. Clients of the older formats see the same ones: the list in private storage
//! (XEP-0048 before version 1.1, XEP-0049) is made from the items, and the list in an item of its own (XEP-0048, XEP-0411)
//! is kept up to date. Nothing is converted while a node is open to others (XEP-0411 §5).

use crate::account::Account;
use crate::core::Core;
use crate::extension::{About, Declare, Extension};
use crate::pubsub::{AccessModel, Change, NodeEvent, Owner};
use crate::router;
use crate::router::bounce::refused;
use crate::storage::AccountId;
use crate::xep::pubsub::{Publish, all_items, last_item, node, publish, retract, standalone};
use std::sync::Arc;
use xep_support::formats::bookmarks::{Bookmark, from_storage, merged, to_storage};
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::jid::BareJid;
use xep_support::ns;
use xep_support::stanza::error::StanzaError;
use xep_support::xml::{Element, StreamContext};

/// Feature of XEP-0402 §6: the same for the list in an item of its own.
const COMPAT_PEP: &str = "urn:xmpp:bookmarks:1#compat-pep";

/// Where private storage keeps what only the old format has.
pub(super) const KEY: &str = "{storage:bookmarks}storage";

/// The id of the one item with the list (XEP-0048 §3.1).
const CURRENT: &str = "current";

/// Bookmarks that take more than so many items may take are not converted: their list would not fit into one.
const BYTES_IN_ITEMS: u64 = 2;

/// Bookmarks, an item each.
pub struct Bookmarks;

impl Extension for Bookmarks {
    fn about(&self) -> About {
        About::new("XEP-0402", "PEP Native Bookmarks", "1.2.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.registered_feature(ns::BOOKMARKS_COMPAT).registered_feature(COMPAT_PEP).node_events(Box::new(changed));
    }
}

/// The list in private storage and that in an item are the same.
pub struct BookmarksConversion;

impl Extension for BookmarksConversion {
    fn about(&self) -> About {
        About::new("XEP-0411", "Bookmarks Conversion", "1.1.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.registered_feature(ns::BOOKMARKS_CONVERSION);
    }
}

/// Both formats of one account, in its turn.
struct Shelf<'a> {
    core: &'a Arc<Core>,
    owner: Owner,
    id: AccountId,
}

/// Whoever deletes the old list deletes no bookmarks: clients do that when they have moved on.
fn changed(core: &Arc<Core>, event: &NodeEvent<'_>) {
    let old = &*event.node.name == ns::BOOKMARKS && matches!(event.change, Change::Published(_));
    if event.internal || !(old || &*event.node.name == ns::BOOKMARKS_PEP) {
        return;
    }
    let Some((account, id)) = event.owner.account().and_then(|account| Some((account.clone(), account.id?))) else {
        return;
    };
    let what = if old { "bookmarks in a list" } else { "bookmarks" };
    if !core.conversions.ask(&account.jid, what) {
        return;
    }
    let core = core.clone();
    core.work.clone().spawn(async move {
        let _turn = core.conversions.asked(&account.jid, what).await;
        let shelf = Shelf { core: &core, owner: Owner::Account(account.clone()), id };
        let result = if old { shelf.take_list_of_item().await } else { shelf.keep_list_in_item().await };
        if let Err(error) = result {
            tracing::error!(account = %account.jid, reason = error.condition.as_str(), "bookmarks were not converted");
        }
    });
}

/// Noted in storage when the lists from before there were items have become items.
const CONVERTED: &str = "bookmarks converted";

/// Accounts whose lists are looked for at once.
const OLD_LISTS_AT_ONCE: u32 = 100;

/// XEP-0411 §4: lists that were written before this server knew items become items, once. It may be interrupted.
pub async fn convert_old_lists(core: &Arc<Core>) {
    let done = core.storage.meta_get(CONVERTED).await;
    if done.as_ref().is_ok_and(|done| done.as_ref().is_none_or(|done| done.is_empty())) {
        match convert_all(core).await {
            Ok(()) => drop(core.storage.meta_set(CONVERTED, b"yes".to_vec()).await),
            Err(error) => tracing::error!(reason = error.condition.as_str(), "old bookmarks were not converted"),
        }
    }
}

async fn convert_all(core: &Arc<Core>) -> Result<(), StanzaError> {
    let mut after = AccountId(0);
    loop {
        let found = core.storage.private_holders(KEY, after, "<conference", OLD_LISTS_AT_ONCE).await;
        let found = found.map_err(refused("bookmarks"))?;
        let Some((last, _)) = found.last() else { return Ok(()) };
        after = *last;
        for (id, jid) in found {
            let Ok(jid) = BareJid::parse(&jid) else { continue };
            let Some(account) = router::load(core, &jid).await.map_err(refused("bookmarks"))? else { continue };
            let _turn = core.conversions.of(&jid).await;
            let shelf = Shelf { core, owner: Owner::Account(account), id };
            if let Err(error) = shelf.take_old_list().await {
                tracing::error!(account = %jid, reason = error.condition.as_str(), "old bookmarks were not converted");
            }
        }
    }
}

/// The list as private storage shows it; `None`: there is nothing that would have to be converted.
pub(super) async fn read_list(
    core: &Arc<Core>,
    account: &Arc<Account>,
    id: AccountId,
) -> Result<Option<Element>, StanzaError> {
    let _turn = core.conversions.of(&account.jid).await;
    let shelf = Shelf { core, owner: Owner::Account(account.clone()), id };
    if !shelf.is_convertible().await? {
        return Ok(None);
    }
    let bookmarks = shelf.bookmarks().await?;
    let kept = shelf.kept().await?;
    if bookmarks.is_empty() && kept.is_none() {
        return Ok(None);
    }
    Ok(Some(shelf.list(&bookmarks, kept.as_ref())))
}

/// A client has written the list into private storage. Gives what is to be kept there; `None`: all of it.
pub(super) async fn write_list(
    core: &Arc<Core>,
    account: &Arc<Account>,
    id: AccountId,
    list: &Element,
) -> Result<Option<Element>, StanzaError> {
    let _turn = core.conversions.of(&account.jid).await;
    let shelf = Shelf { core, owner: Owner::Account(account.clone()), id };
    if !shelf.is_convertible().await? {
        return Ok(None);
    }
    let others = shelf.take(list).await?;
    let bookmarks = shelf.bookmarks().await?;
    let kept = to_storage([], others);
    shelf.publish_list(&shelf.list(&bookmarks, Some(&kept))).await?;
    Ok(Some(kept))
}

impl Shelf<'_> {
    /// Does nobody else see the bookmarks, and are they so few that a list can hold them? All of them are read for every
    /// change of one.
    async fn is_convertible(&self) -> Result<bool, StanzaError> {
        let bytes_max = (self.core.config().limits.pubsub_item_bytes_max as u64).saturating_mul(BYTES_IN_ITEMS);
        for name in [ns::BOOKMARKS_PEP, ns::BOOKMARKS] {
            let Some(node) = node(self.core, &self.owner, name).await? else { continue };
            if node.config.access_model != AccessModel::Whitelist {
                return Ok(false);
            }
            let summary = self.core.storage.pubsub_summary(node.id).await.map_err(refused("bookmarks"))?;
            if summary.is_some_and(|summary| summary.bytes > bytes_max) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn bookmarks(&self) -> Result<Vec<Bookmark>, StanzaError> {
        let items_max = u32::try_from(self.core.config().limits.pubsub_items_per_node_max).unwrap_or(u32::MAX);
        let items = all_items(self.core, &self.owner, ns::BOOKMARKS_PEP, items_max).await?;
        let bookmark = |(jid, payload): (String, String)| {
            let conference = parse(&payload).filter(|e| e.is("conference", ns::BOOKMARKS_PEP))?;
            Some(Bookmark { jid, conference })
        };
        Ok(items.into_iter().map(|item| (item.id, item.payload)).filter_map(bookmark).collect())
    }

    /// What private storage has: things only the old format knows, and rooms from before there was anything else.
    async fn kept(&self) -> Result<Option<Element>, StanzaError> {
        let kept = self.core.storage.private_get(self.id, KEY).await.map_err(refused("bookmarks"))?;
        Ok(kept.as_deref().and_then(parse).filter(|e| e.is("storage", ns::BOOKMARKS)))
    }

    /// Everything in the old format.
    fn list(&self, bookmarks: &[Bookmark], kept: Option<&Element>) -> Element {
        let (old, others) = kept.map(from_storage).unwrap_or_default();
        let unknown = old.iter().filter(|old| !bookmarks.iter().any(|b| b.jid == old.jid));
        to_storage(bookmarks.iter().chain(unknown), others)
    }

    /// XEP-0402 §5.3.2: makes the items what the list says. Nobody is told of what has not changed. Gives what else is in
    /// the list.
    async fn take(&self, list: &Element) -> Result<Vec<Element>, StanzaError> {
        let (wanted, others) = from_storage(list);
        let before = self.bookmarks().await?;
        for bookmark in &wanted {
            let conference = match before.iter().find(|b| b.jid == bookmark.jid) {
                Some(old) => merged(&old.conference, &bookmark.conference),
                None => Some(bookmark.conference.clone()),
            };
            if let Some(conference) = conference {
                self.publish(ns::BOOKMARKS_PEP, &bookmark.jid, &conference).await?;
            }
        }
        for gone in before.iter().filter(|old| !wanted.iter().any(|b| b.jid == old.jid)) {
            let place = (ns::BOOKMARKS_PEP, gone.jid.as_str());
            retract(self.core, &self.owner, self.owner.jid(), place, true, true).await?;
        }
        Ok(others)
    }

    /// Rooms that are in private storage and nowhere else become items.
    async fn take_old_list(&self) -> Result<(), StanzaError> {
        let Some(kept) = self.kept().await? else { return Ok(()) };
        if !self.is_convertible().await? {
            return Ok(());
        }
        let before = self.bookmarks().await?;
        let (old, others) = from_storage(&kept);
        for bookmark in old.iter().filter(|old| !before.iter().any(|b| b.jid == old.jid)) {
            self.publish(ns::BOOKMARKS_PEP, &bookmark.jid, &bookmark.conference).await?;
        }
        self.keep(others).await?;
        self.keep_list_in_item().await
    }

    /// Leaves in private storage what only the old format knows.
    async fn keep(&self, others: Vec<Element>) -> Result<(), StanzaError> {
        let kept = to_storage([], others).to_xml(ns::PRIVATE);
        self.core.storage.private_set(self.id, KEY, &kept).await.map_err(refused("bookmarks"))
    }

    /// A client has published the list.
    async fn take_list_of_item(&self) -> Result<(), StanzaError> {
        let Some(list) = self.list_in_item().await?.filter(|list| list.is("storage", ns::BOOKMARKS)) else {
            return Ok(());
        };
        if !self.is_convertible().await? {
            tracing::info!(account = %self.owner.jid(), "bookmarks are open to others, or too many, and not converted");
            return Ok(());
        }
        let others = self.take(&list).await?;
        self.keep(others).await
    }

    /// A client has changed an item (§5.3.1).
    async fn keep_list_in_item(&self) -> Result<(), StanzaError> {
        if !self.is_convertible().await? {
            return Ok(());
        }
        let (bookmarks, kept) = (self.bookmarks().await?, self.kept().await?);
        self.publish_list(&self.list(&bookmarks, kept.as_ref())).await
    }

    async fn publish_list(&self, list: &Element) -> Result<(), StanzaError> {
        if self.list_in_item().await?.as_ref() == Some(list) {
            return Ok(());
        }
        self.publish(ns::BOOKMARKS, CURRENT, list).await
    }

    async fn list_in_item(&self) -> Result<Option<Element>, StanzaError> {
        let item = last_item(self.core, &self.owner, ns::BOOKMARKS).await?;
        Ok(item.and_then(|item| parse(&item.payload)))
    }

    async fn publish(&self, name: &str, id: &str, payload: &Element) -> Result<(), StanzaError> {
        let wish = Publish {
            node: name.to_owned(),
            id: Some(id.to_owned()),
            payload: Some(standalone(payload)),
            options: Some(options(name)),
            internal: true,
            ..Publish::default()
        };
        publish(self.core, &self.owner, self.owner.jid(), wish).await.map(|_| ())
    }
}

/// XEP-0402 §3.3, XEP-0048 §3.1: what the node must be like, or becomes.
fn options(name: &str) -> DataForm {
    let field = |var, value| Field::new(var, FieldType::TextSingle).value(value);
    let form = DataForm::new(FormType::Submit)
        .with_form_type(ns::PUBSUB_PUBLISH_OPTIONS)
        .field(field("pubsub#persist_items", "true"))
        .field(field("pubsub#access_model", "whitelist"));
    match name {
        ns::BOOKMARKS_PEP => {
            let form = form.field(field("pubsub#max_items", "max"));
            form.field(field("pubsub#send_last_published_item", "never"))
        }
        _ => form,
    }
}

fn parse(payload: &str) -> Option<Element> {
    Element::parse_in(payload, &StreamContext::stored()).ok()
}

//! Items for those who ask for them (XEP-0060 §6.5), in pages (XEP-0059).

use super::asker::Asker;
use super::{error, notify};
use crate::clock;
use crate::pubsub::{Item, Node};
use crate::router::bounce::refused;
use crate::storage::{ItemPage, ItemQuery, PageFrom};
use xep_support::formats::rsm;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;
use xep_support::xml::writer::{escape_text, push_attr};

/// §6.5.2 to §6.5.8: the answer, printed.
pub(super) async fn retrieve(asker: Asker<'_>, request: &Element, items: &Element) -> Result<String, StanzaError> {
    let name = items.get_attr("node").ok_or_else(error::node_required)?;
    let node = asker.node(name).await?;
    asker.may_retrieve(&node)?;
    if !node.config.persist_items {
        return Err(error::unsupported("persistent-items"));
    }
    let ids: Vec<String> = named(items)?;
    if !ids.is_empty() {
        let (count, bytes_max) = {
            let limits = &asker.core.config().limits;
            (limits.pubsub_page_items_max, limits.pubsub_page_bytes_max as u64)
        };
        let ids = &ids[..ids.len().min(count)];
        let found = asker.core.storage.pubsub_items_by_id(node.id, clock::now_micros(), ids, bytes_max).await;
        return Ok(print(&node, &found.map_err(refused("pubsub"))?, None));
    }
    let wanted = Wanted::read(asker, request, items)?;
    if wanted.query.items_max == 0 {
        let page = page(asker, &node, &ItemQuery { items_max: 1, ..wanted.query }).await?;
        return Ok(print(&node, &[], Some(&ItemPage { items: Vec::new(), index: 0, ..page })));
    }
    let page = page(asker, &node, &wanted.query).await?;
    let complete = page.items.len() as u64 == page.count;
    Ok(print(&node, &page.items, (wanted.in_pages || !complete && !wanted.newest).then_some(&page)))
}

/// The ids that are asked for.
fn named(items: &Element) -> Result<Vec<String>, StanzaError> {
    let wanted = items.child_elements().filter(|child| child.is("item", ns::PUBSUB));
    wanted.map(|item| item.get_attr("id").map(str::to_owned).ok_or_else(error::item_required)).collect()
}

async fn page(asker: Asker<'_>, node: &Node, query: &ItemQuery) -> Result<ItemPage, StanzaError> {
    let page = asker.core.storage.pubsub_items(node.id, clock::now_micros(), query).await;
    // XEP-0059 §2.5: the item the page is to follow does not exist.
    page.map_err(refused("pubsub"))?.ok_or_else(|| StanzaError::new(Condition::ItemNotFound))
}

struct Wanted {
    query: ItemQuery,
    /// The request speaks of pages.
    in_pages: bool,
    /// It asks for the newest so many.
    newest: bool,
}

impl Wanted {
    fn read(asker: Asker<'_>, request: &Element, items: &Element) -> Result<Self, StanzaError> {
        let set = rsm::Request::of(request).map_err(|_| error::bad("a number in <set/> is none"))?;
        if set.index.is_some() {
            return Err(StanzaError::new(Condition::FeatureNotImplemented).with_text("pages by index"));
        }
        let newest = match items.get_attr("max_items") {
            None => None,
            Some(number) => match number.trim().parse::<u32>() {
                Ok(number) if number > 0 => Some(number),
                _ => return Err(error::bad("max_items is not a positive number")),
            },
        };
        let limits = &asker.core.config().limits;
        let most = u32::try_from(limits.pubsub_page_items_max).unwrap_or(u32::MAX);
        let max = set.max.map(|max| u32::try_from(max).unwrap_or(u32::MAX));
        let from = if set.before.is_some() || newest.is_some() { PageFrom::Newest } else { PageFrom::Oldest };
        let query = ItemQuery {
            after: set.after,
            before: set.before.filter(|before| !before.is_empty()),
            from,
            items_max: most.min(max.unwrap_or(most)).min(newest.unwrap_or(most)),
            bytes_max: limits.pubsub_page_bytes_max as u64,
        };
        Ok(Self { query, in_pages: request.find("set", ns::RSM).is_some(), newest: newest.is_some() })
    }
}

fn print(node: &Node, items: &[Item], page: Option<&ItemPage>) -> String {
    let bytes: usize = items.iter().map(|item| item.payload.len() + item.id.len() + 64).sum();
    let mut out = String::with_capacity(bytes + 256);
    out.push_str("<pubsub");
    push_attr(&mut out, "xmlns", ns::PUBSUB);
    out.push_str("><items");
    push_attr(&mut out, "node", &node.name);
    out.push('>');
    for item in items {
        notify::write_item(&mut out, &node.config, item, true);
    }
    out.push_str("</items>");
    if let Some(page) = page {
        write_set(&mut out, page);
    }
    out.push_str("</pubsub>");
    out
}

/// XEP-0059 §2: which page this is.
fn write_set(out: &mut String, page: &ItemPage) {
    out.push_str("<set");
    push_attr(out, "xmlns", ns::RSM);
    out.push('>');
    if let (Some(first), Some(last)) = (page.items.first(), page.items.last()) {
        out.push_str("<first");
        push_attr(out, "index", &page.index.to_string());
        out.push('>');
        escape_text(out, &first.id);
        out.push_str("</first><last>");
        escape_text(out, &last.id);
        out.push_str("</last>");
    }
    out.push_str("<count>");
    out.push_str(&page.count.to_string());
    out.push_str("</count></set>");
}

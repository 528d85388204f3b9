//! XEP-0431: messages that contain certain words. The words of an account are indexed when it searches.

use crate::core::Core;
use crate::extension::{About, Declare, Extension};
use crate::router::bounce::refused;
use crate::storage::{ArchiveOwner, Storage};
use std::sync::Arc;
use xep_support::ns;
use xep_support::stanza::Stanza;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::check::StreamContext;

/// Full-text search.
pub struct FullText;

/// The field of the query form.
pub(super) const FIELD: &str = "{urn:xmpp:fulltext:0}fulltext";

impl Extension for FullText {
    fn about(&self) -> About {
        About::new("XEP-0431", "Full Text Search in MAM", "0.2.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.account_feature_if(ns::FULLTEXT, |config| config.archive.enabled);
    }
}

/// Messages in one step of indexing; it holds up the other writers for some milliseconds.
const STEP_MESSAGES: u32 = 500;

/// Brings the index of an archive up to date, and gives the words in its language; `None` if there are none. A long
/// archive takes several attempts, each of which goes on where the last one ended.
pub(super) async fn words(core: &Core, owner: ArchiveOwner, text: &str) -> Result<Option<String>, StanzaError> {
    let Some(words) = Storage::archive_words(owner, text) else { return Ok(None) };
    let mut left = core.config().limits.archive_indexed_per_search_max;
    loop {
        let found = core.storage.archive_unindexed(owner, STEP_MESSAGES).await.map_err(refused("search"))?;
        let Some(&(_, upto, _)) = found.messages.last() else { return Ok(Some(words)) };
        if left == 0 {
            return Err(StanzaError::new(Condition::ResourceConstraint).with_text("the index is still being made"));
        }
        left = left.saturating_sub(found.messages.len());
        let texts = found.messages.iter().map(|(row, _, stanza)| (*row, stanza.len(), text_of(stanza))).collect();
        core.storage.archive_index(owner, found.after, upto, texts).await.map_err(refused("search"))?;
    }
}

/// What people read in a message.
fn text_of(stored: &str) -> String {
    let Ok(stanza) = Stanza::parse(stored.as_bytes(), &StreamContext::stored()) else { return String::new() };
    let read = stanza.children().filter(|c| c.is("body", ns::CLIENT) || c.is("subject", ns::CLIENT));
    let texts: Vec<_> = read.filter_map(|c| c.parse()).map(|el| el.text_content()).collect();
    texts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_bodies_are_read() {
        let stored = "<message from='a@x/1'><subject>one</subject><body>t&amp;wo</body><body xml:lang='de'>drei</body>\
                      <x xmlns='urn:x'>four</x></message>";
        assert_eq!(text_of(stored), "one\nt&wo\ndrei");
        assert_eq!(text_of("<message"), "");
    }
}

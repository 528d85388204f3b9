//! XEP-0424: what its sender takes back leaves a tombstone in both archives. The retraction itself is archived like any
//! other message.

use crate::extension::{About, Declare, Extension};
use crate::hold::Hold;
use crate::storage::{ArchiveOwner, Storage};
use std::sync::Arc;
use xep_support::formats::date::{self, Precision};
use xep_support::ns;
use xep_support::stanza::Stanza;
use xep_support::xml::Element;
use xep_support::xml::check::StreamContext;

/// Retractions.
pub struct Retraction;

impl Extension for Retraction {
    fn about(&self) -> About {
        About::new("XEP-0424", "Message Retraction", "0.4.2")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        for feature in [ns::RETRACT, ns::RETRACT_TOMBSTONE] {
            d.account_feature_if(feature, |config| config.archive.enabled);
        }
    }
}

/// What a retraction asks for.
#[derive(Clone, PartialEq, Debug)]
struct Wish {
    /// Who took it back: the bare JID.
    author: String,
    /// The id of the message that goes.
    target: String,
    /// The id of the retraction.
    id: String,
    /// When it came.
    stamp_us: i64,
}

impl Wish {
    fn of(retraction: &Stanza, stamp_us: i64) -> Option<Self> {
        Some(Self {
            author: retraction.from()?.bare_str().to_owned(),
            target: retraction.child("retract", ns::RETRACT)?.get_attr("id")?.to_owned(),
            id: retraction.id()?.into_owned(),
            stamp_us,
        })
    }

    /// The tombstone for a stored message, if it is the one that is meant: §5, from the same bare JID.
    fn tombstone(&self, stored: &str) -> Option<String> {
        let mut stanza = Stanza::parse(stored.as_bytes(), &StreamContext::stored()).ok()?;
        let meant = stanza.id().as_deref() == Some(&*self.target)
            && stanza.from().is_some_and(|from| from.bare_str() == self.author)
            && !stanza.has_child("retracted", ns::RETRACT);
        if !meant {
            return None;
        }
        stanza.retain_children(|_| false);
        let retracted = Element::new("retracted", ns::RETRACT)
            .attr("id", &*self.id)
            .attr("stamp", date::format(self.stamp_us, Precision::Millis));
        stanza.push_child(&retracted);
        Some(stanza.to_xml())
    }
}

/// Replaces the message in one archive. In the writer's queue behind the retraction's own row, which has this `id`; its
/// sender is not told before it is done.
pub(super) fn retract(
    storage: &Storage,
    owner: ArchiveOwner,
    peer: &str,
    id: i64,
    retraction: &Stanza,
    hold: Option<Hold>,
) {
    let Some(wish) = Wish::of(retraction, id) else { return };
    let mark = Storage::archive_mark(Some(&wish.target));
    let done = storage.archive_retract(owner, peer, mark, id, move |stored| {
        let _until_done = &hold;
        wish.tombstone(stored)
    });
    // Nobody waits: the hold does.
    drop(done);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(xml: &str) -> Stanza {
        Stanza::parse(xml.as_bytes(), &StreamContext::client()).expect("a stanza")
    }

    #[test]
    fn only_its_author_retracts_a_message() {
        let retraction = stanza(
            "<message from='romeo@x/phone' to='juliet@y' id='r1'><body>gone</body>\
             <retract xmlns='urn:xmpp:message-retract:1' id='m1'/></message>",
        );
        let wish = Wish::of(&retraction, 0).expect("a wish");
        let message = |from: &str, id: &str| {
            format!(
                "<message from='{from}' to='juliet@y/home' type='chat' id='{id}'><body>secret</body><x xmlns='urn:x'/></message>"
            )
        };
        assert_eq!(
            wish.tombstone(&message("romeo@x/orchard", "m1")).as_deref(),
            Some(
                "<message from='romeo@x/orchard' to='juliet@y/home' type='chat' id='m1'>\
                 <retracted xmlns='urn:xmpp:message-retract:1' id='r1' stamp='1970-01-01T00:00:00.000Z'/></message>"
            )
        );
        let tombstone = wish.tombstone(&message("romeo@x/orchard", "m1")).expect("a tombstone");
        for other in [message("juliet@y/home", "m1"), message("romeo@x/orchard", "m2"), tombstone, "<x".into()] {
            assert_eq!(wish.tombstone(&other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_retraction() {
        for xml in [
            "<message from='a@x/1' id='r'><retract xmlns='urn:xmpp:message-retract:1'/></message>",
            "<message from='a@x/1'><retract xmlns='urn:xmpp:message-retract:1' id='1'/></message>",
            "<message from='a@x/1' id='r'><body>hi</body></message>",
        ] {
            assert_eq!(Wish::of(&stanza(xml), 0), None, "{xml}");
        }
    }
}

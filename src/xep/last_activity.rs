//! XEP-0012: how long the server has been up, and when somebody was last here.

use crate::account::resource::Client;
use crate::clock;
use crate::core::Core;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall, IqResult};
use crate::router;
use crate::router::bounce::refused;
use std::sync::Arc;
use xep_support::jid::BareJid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{IqType, Stanza};
use xep_support::xml::Element;

/// Last activity of the server and its accounts.
pub struct LastActivity;

impl Extension for LastActivity {
    fn about(&self) -> About {
        About::new("XEP-0012", "Last Activity", "2.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let query = ("query", ns::LAST);
        d.server_feature(ns::LAST)
            .account_feature(ns::LAST)
            .iq(Addressee::Server, IqType::Get, query, uptime)
            // Whoever asks about itself is connected (§3).
            .iq(Addressee::OwnAccount, IqType::Get, query, |_| Answer::with(activity(0, None)))
            .iq(Addressee::OtherAccount, IqType::Get, query, other)
            // §4: a client is not asked by somebody who may not see it.
            .guard(query)
            .unavailable(Box::new(remember));
    }
}

/// §5.
fn uptime(call: IqCall<'_>) -> Answer {
    Answer::with(activity(clock::now_micros() - call.core.started_us, None))
}

/// §3.
fn other(call: IqCall<'_>) -> Answer {
    let (core, asker, asked) = (call.core.clone(), call.client.account.jid.clone(), call.to.bare());
    Answer::later(async move { of_account(&core, &asker, &asked).await })
}

/// Only those who may see the account's presence get an answer. To all others, and that it does not exist must not show
/// either, it is forbidden (§3, §8).
async fn of_account(core: &Arc<Core>, asker: &BareJid, asked: &BareJid) -> IqResult {
    let forbidden = || StanzaError::new(Condition::Forbidden);
    let account = router::load(core, asked).await.map_err(refused("last activity"))?.ok_or_else(forbidden)?;
    {
        let state = account.lock();
        if !state.roster.subscription(asker.as_str()).from {
            return Err(forbidden());
        }
        if !state.resources.is_empty() {
            return Ok(Some(activity(0, None)));
        }
    }
    // The end of the last session may still be in the queue.
    core.storage.barrier().await.map_err(refused("last activity"))?;
    let record = core.storage.account(asked.as_str()).await.map_err(refused("last activity"))?;
    let row = record.ok_or_else(forbidden)?.account;
    match row.last_logout_us {
        Some(at_us) => Ok(Some(activity(clock::now_micros() - at_us, row.last_status))),
        // It was never there.
        None => Err(StanzaError::new(Condition::ItemNotFound)),
    }
}

/// The clock may have been set back: no time is less than none.
fn activity(since_us: i64, status: Option<String>) -> Element {
    let seconds = since_us.max(0) / 1_000_000;
    let query = Element::new("query", ns::LAST).attr("seconds", seconds.to_string());
    match status {
        Some(status) => query.text(status),
        None => query,
    }
}

/// Stage Unavailable: the last resource that anybody could see is gone. Nobody waits for the disk: what a power cut takes
/// is the time of a logout.
fn remember(core: &Arc<Core>, client: &Client, presence: &Stanza) {
    let Some(id) = client.account.id else { return };
    {
        let state = client.account.lock();
        if state.removed || state.available().next().is_some() {
            return;
        }
    }
    drop(core.storage.account_set_last_logout(id, clock::now_micros(), status(presence)));
}

/// Bytes of a status text that are kept.
const STATUS_BYTES_MAX: usize = 1024;

/// The status text of the presence (RFC 6121 §4.7.2.2), the first where there are several languages.
fn status(presence: &Stanza) -> Option<String> {
    let child = presence.children().find(|child| child.is("status", ns::CLIENT))?;
    let mut text = child.parse()?.text_content();
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let kept = ends.take_while(|&end| end <= STATUS_BYTES_MAX).last().unwrap_or(0);
    text.truncate(kept);
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use xep_support::xml::check::StreamContext;

    fn status_of(children: &str) -> Option<String> {
        let xml = format!("<presence type='unavailable'>{children}</presence>");
        status(&Stanza::parse(xml.as_bytes(), &StreamContext::client()).expect("presence"))
    }

    #[test]
    fn the_examples_of_section_3() {
        let answer = activity(903_999_999, Some("Heading Home".into()));
        assert_eq!(answer.to_xml(ns::CLIENT), "<query xmlns='jabber:iq:last' seconds='903'>Heading Home</query>");
        assert_eq!(activity(-5, None).to_xml(ns::CLIENT), "<query xmlns='jabber:iq:last' seconds='0'/>");
    }

    #[test]
    fn the_first_status_counts_and_is_bounded() {
        assert_eq!(status_of(""), None);
        assert_eq!(status_of("<status/>"), None);
        assert_eq!(status_of("<status xmlns='urn:x'>no</status>"), None);
        assert_eq!(status_of("<status>a</status><status xml:lang='de'>b</status>").as_deref(), Some("a"));
        let long = "ä".repeat(STATUS_BYTES_MAX);
        let kept = status_of(&format!("<status>x{long}</status>")).expect("a status");
        assert_eq!(kept.len(), STATUS_BYTES_MAX - 1);
    }
}

//! XEP-0202: what time it is at the server. In UTC, as everything the server says about time.

use crate::clock;
use crate::extension::{About, Addressee, Answer, Declare, Extension};
use std::sync::Arc;
use xep_support::formats::date::{self, Precision};
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::xml::Element;

/// Entity time of the server.
pub struct EntityTime;

impl Extension for EntityTime {
    fn about(&self) -> About {
        About::new("XEP-0202", "Entity Time", "2.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_feature(ns::TIME)
            .iq(Addressee::Server, IqType::Get, ("time", ns::TIME), |_| Answer::with(time(clock::now_micros())));
    }
}

/// §2. The offset says nothing about where the machine stands (§6).
fn time(now_us: i64) -> Element {
    let utc = date::format(now_us, Precision::Seconds);
    Element::new("time", ns::TIME)
        .child(Element::new("tzo", ns::TIME).text("+00:00"))
        .child(Element::new("utc", ns::TIME).text(utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_section_3_in_utc() {
        let expected = "<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2006-12-19T17:58:35Z</utc></time>";
        assert_eq!(time(1_166_551_115_999_999).to_xml(ns::CLIENT), expected);
    }
}

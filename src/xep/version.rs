//! XEP-0092: which software the server runs. The operating system is told only if the operator wants it (§5).

use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall};
use std::sync::Arc;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::xml::Element;

/// The name people know the server by.
pub const NAME: &str = "Magpie";

/// Software version of the server.
pub struct SoftwareVersion;

impl Extension for SoftwareVersion {
    fn about(&self) -> About {
        About::new("XEP-0092", "Software Version", "1.1")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_feature(ns::VERSION).iq(Addressee::Server, IqType::Get, ("query", ns::VERSION), get);
    }
}

fn get(call: IqCall<'_>) -> Answer {
    let os = call.core.config().software.show_os.then_some(std::env::consts::OS);
    Answer::with(version(os))
}

/// §2.
fn version(os: Option<&str>) -> Element {
    let text = |name: &'static str, value: &str| Element::new(name, ns::VERSION).text(value);
    Element::new("query", ns::VERSION)
        .child(text("name", NAME))
        .child(text("version", env!("CARGO_PKG_VERSION")))
        .child_opt(os.map(|os| text("os", os)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operating_system_only_if_asked_for() {
        assert!(version(None).find("os", ns::VERSION).is_none());
        let os = version(Some("linux")).find("os", ns::VERSION).map(Element::text_content);
        assert_eq!(os.as_deref(), Some("linux"));
        let name = version(None).find("name", ns::VERSION).map(Element::text_content);
        assert_eq!(name.as_deref(), Some("Magpie"));
    }
}

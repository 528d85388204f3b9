//! What a node of an account begins with where its document asks for something else than XEP-0163 §5 does: things that are
//! private must not be shown to contacts because a client forgot to say so, and keys are no use if strangers cannot have
//! them.

use super::{AccessModel, Most, NodeConfig, SendLastPublishedItem};

impl NodeConfig {
    /// What the node of this name begins with on an account.
    pub fn for_node(name: &str) -> Self {
        let usual = Self::for_account();
        let never = SendLastPublishedItem::Never;
        match name {
            // XEP-0402 §3.3, XEP-0490 §7, XEP-0292 §5.2: lists for the devices of a user.
            "urn:xmpp:bookmarks:1" | "urn:xmpp:mds:displayed:0" | "urn:xmpp:contacts" => Self {
                access_model: AccessModel::Whitelist,
                max_items: Most::Max,
                send_last_published_item: never,
                ..usual
            },
            // XEP-0048 §3.1: one item with all of it.
            "storage:bookmarks" => Self { access_model: AccessModel::Whitelist, ..usual },
            // XEP-0384 §5.3: who writes to somebody for the first time needs the keys.
            "urn:xmpp:omemo:2:devices" | "eu.siacs.conversations.axolotl.devicelist" => {
                Self { access_model: AccessModel::Open, ..usual }
            }
            "urn:xmpp:omemo:2:bundles" => {
                Self { access_model: AccessModel::Open, max_items: Most::Max, send_last_published_item: never, ..usual }
            }
            name if name.starts_with("eu.siacs.conversations.axolotl.bundles:") => {
                Self { access_model: AccessModel::Open, send_last_published_item: never, ..usual }
            }
            // XEP-0292 §4.2.2: "a pure notification".
            "urn:xmpp:vcard4" => Self { deliver_payloads: false, ..usual },
            _ => usual,
        }
    }
}

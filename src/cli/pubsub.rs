//! `magpie pubsub …`: its arguments, its request, and how the answer looks.

use super::ask;
use super::table::render;
use super::words::{bytes, count, sheet};
use crate::admin::protocol::{Failure, NodeDetails, NodeRow, OfNode, Request};
use clap::Subcommand;

/// `magpie pubsub …`
#[derive(Debug, Subcommand)]
pub enum Pubsub {
    /// List nodes, of all accounts and services or of one
    List {
        /// Only those of this account or service (pubsub.example.org)
        owner: Option<String>,
    },
    /// Show how a node is configured, and who may what there
    Show {
        /// The account or service
        owner: String,
        /// The node
        node: String,
    },
    /// Delete a node with its items; its subscribers are told
    Delete {
        /// The account or service
        owner: String,
        /// The node
        node: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

pub(super) fn request(pubsub: &Pubsub) -> Result<Request, Failure> {
    let of = |owner: &String, node: &String| OfNode { owner: owner.clone(), node: node.clone() };
    Ok(match pubsub {
        Pubsub::List { owner } => Request::PubsubList { owner: owner.clone(), after: OfNode::default() },
        Pubsub::Show { owner, node } => Request::PubsubShow(of(owner, node)),
        Pubsub::Delete { owner, node, yes } => {
            ask::confirm(*yes, &format!("Delete the node {node} of {owner} with its items?"))?;
            Request::PubsubDelete(of(owner, node))
        }
    })
}

pub(super) fn listed(nodes: &[NodeRow]) -> String {
    if nodes.is_empty() {
        return "no nodes\n".to_owned();
    }
    let row = |n: &NodeRow| {
        let published = n.published.clone().unwrap_or_else(|| "-".to_owned());
        let size = bytes(n.bytes);
        let counts = [n.items.to_string(), size, n.subscriptions.to_string()];
        let [items, size, subscriptions] = counts;
        [n.owner.clone(), n.node.clone(), n.access_model.clone(), items, size, subscriptions, published]
    };
    let rows: Vec<_> = nodes.iter().map(row).collect();
    render(["OWNER", "NODE", "ACCESS", "ITEMS", "SIZE", "SUBSCRIBED", "LAST PUBLISHED"], &rows)
}

pub(super) fn shown(n: &NodeDetails) -> String {
    let s = &n.summary;
    let published = s.published.clone().unwrap_or_else(|| "never".to_owned());
    let mut lines = vec![
        ("node", format!("{} of {}", s.node, s.owner)),
        ("created", format!("{} by {}", n.created, n.creator)),
        ("items", format!("{}, {}", count(s.items, "item"), bytes(s.bytes))),
        ("published", published),
    ];
    lines.extend(n.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let mut out = sheet(&lines);
    for (heading, rows) in [("AFFILIATION", &n.affiliations), ("SUBSCRIPTION", &n.subscriptions)] {
        if !rows.is_empty() {
            let rows: Vec<_> = rows.iter().map(|(jid, what)| [jid.clone(), what.clone()]).collect();
            out.push('\n');
            out.push_str(&render(["ADDRESS", heading], &rows));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_listed_and_shown() {
        let summary = NodeRow {
            owner: "pubsub.b".into(),
            node: "n\u{1b}".into(),
            title: "T".into(),
            access_model: "open".into(),
            items: 1,
            bytes: 2048,
            subscriptions: 3,
            published: None,
        };
        let expected = "OWNER     NODE  ACCESS  ITEMS  SIZE     SUBSCRIBED  LAST PUBLISHED\n\
            pubsub.b  n\u{fffd}    open    1      2.0 KiB  3           -\n";
        assert_eq!(listed(std::slice::from_ref(&summary)), expected);
        assert_eq!(listed(&[]), "no nodes\n");
        let details = NodeDetails {
            summary,
            creator: "a@b".into(),
            created: "then".into(),
            settings: vec![("title".into(), "T".into())],
            affiliations: vec![("a@b".into(), "owner".into())],
            subscriptions: Vec::new(),
        };
        let text = shown(&details);
        for part in ["created    then by a@b\n", "items      1 item, 2.0 KiB\n", "title      T\n", "a@b      owner\n"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

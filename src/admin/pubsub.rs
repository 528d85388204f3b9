//! Nodes of publish-subscribe (XEP-0060), of services and accounts: how many there are and what they are like, never what
//! their items say.

use super::protocol::{Failure, FailureKind, NodeDetails, NodeRow, OfNode, Reply};
use super::{PAGE_ROWS, bare, load, local, moment};
use crate::core::Core;
use crate::hosts::Place;
use crate::pubsub::{NodeConfig, Owner, filled_form};
use crate::storage::NodeSummary;
use crate::xep::pubsub;
use std::sync::Arc;
use xep_support::stanza::error::{Condition, StanzaError};

pub(super) async fn list(core: &Arc<Core>, owner: Option<&str>, after: &OfNode) -> Result<Reply, Failure> {
    core.storage.barrier().await?;
    let owner = match owner {
        Some(owner) => Some(find(core, owner).await?),
        None => None,
    };
    let address = owner.as_ref().map(|owner| owner.jid().as_str());
    let after = (after.owner.as_str(), after.node.as_str());
    let found = core.storage.pubsub_summaries(address, after, PAGE_ROWS).await?;
    let more = found.len() == PAGE_ROWS as usize;
    Ok(Reply::Nodes { nodes: found.into_iter().map(row).collect(), more })
}

fn row(node: NodeSummary) -> NodeRow {
    let config = NodeConfig::from_stored(&node.config);
    NodeRow {
        owner: node.owner,
        node: node.name,
        title: config.as_ref().map(|config| config.title.clone()).unwrap_or_default(),
        access_model: config.map_or("damaged", |config| config.access_model.name()).to_owned(),
        items: node.items,
        bytes: node.bytes,
        subscriptions: node.subscriptions,
        published: node.published_us.map(moment),
    }
}

/// The service or account of this address.
async fn find(core: &Arc<Core>, owner: &str) -> Result<Owner, Failure> {
    let jid = bare(owner)?;
    if matches!(core.hosts.place(jid.as_jid()), Place::Service(pubsub::SERVICE)) && jid.is_domain() {
        return Ok(Owner::Service(jid.into_jid()));
    }
    local(core, owner)?;
    load(core, owner).await.map(Owner::Account)
}

fn no_node(of: &OfNode) -> Failure {
    Failure::new(FailureKind::NotFound, format!("{} has no node {}", of.owner, of.node))
}

fn failed(of: &OfNode, error: &StanzaError) -> Failure {
    match error.condition {
        Condition::ItemNotFound => no_node(of),
        condition => Failure::new(FailureKind::Failed, format!("{}: {condition}", of.node)),
    }
}

pub(super) async fn show(core: &Arc<Core>, of: &OfNode) -> Result<Reply, Failure> {
    core.storage.barrier().await?;
    let owner = find(core, &of.owner).await?;
    let node = pubsub::node(core, &owner, &of.node).await.map_err(|error| failed(of, &error))?;
    let node = node.ok_or_else(|| no_node(of))?;
    let summary = core.storage.pubsub_summary(node.id).await?.ok_or_else(|| no_node(of))?;
    let fields = filled_form(&node.config, &owner).fields;
    let setting = |field: xep_support::formats::form::Field| {
        let var = field.var.filter(|var| var != "FORM_TYPE")?;
        Some((var.trim_start_matches("pubsub#").to_owned(), field.values.join(", ")))
    };
    let affiliations = node.affiliations.iter().map(|(jid, a)| (jid.to_string(), a.name().to_owned()));
    let subscriptions = node.subscriptions.iter().map(|(jid, s)| (jid.to_string(), s.name().to_owned()));
    Ok(Reply::Node(Box::new(NodeDetails {
        summary: row(summary),
        creator: node.creator.to_string(),
        created: moment(node.created_us),
        settings: fields.into_iter().filter_map(setting).collect(),
        affiliations: affiliations.collect(),
        subscriptions: subscriptions.collect(),
    })))
}

/// Subscribers are told, if the node is like that.
pub(super) async fn delete(core: &Arc<Core>, of: &OfNode) -> Result<Reply, Failure> {
    let owner = find(core, &of.owner).await?;
    pubsub::delete(core, &owner, &of.node).await.map_err(|error| failed(of, &error))?;
    Ok(Reply::NodeDeleted(of.clone()))
}

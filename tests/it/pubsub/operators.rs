//! What operators see and do: `magpie pubsub list|show|delete`.

use magpie::admin::protocol::{FailureKind, NodeDetails, NodeRow, OfNode, Reply, Request};

use super::*;

fn handle(server: &TestServer, request: Request) -> Result<Reply, FailureKind> {
    server.runtime().block_on(server.server().admin().handle(request)).map_err(|failure| failure.kind)
}

fn of(owner: &str, node: &str) -> OfNode {
    OfNode { owner: owner.into(), node: node.into() }
}

fn list(server: &TestServer, owner: Option<&str>) -> Vec<NodeRow> {
    let request = Request::PubsubList { owner: owner.map(str::to_owned), after: OfNode::default() };
    match handle(server, request) {
        Ok(Reply::Nodes { nodes, more: false }) => nodes,
        other => panic!("{other:?}"),
    }
}

fn show(server: &TestServer, owner: &str, node: &str) -> NodeDetails {
    match handle(server, Request::PubsubShow(of(owner, node))) {
        Ok(Reply::Node(details)) => *details,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nodes_are_listed_shown_and_deleted() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    create(&mut romeo, "", "own", &[]);
    create(&mut romeo, SERVICE, "n", &[("title", "T"), ("access_model", "whitelist")]);
    publish(&mut romeo, SERVICE, "n", "1");
    affiliate(&mut romeo, SERVICE, "n", "juliet@im.example", "member");
    subscribe(&mut juliet, SERVICE, "n", "juliet@im.example");
    juliet.sync();

    let names = |rows: Vec<NodeRow>| rows.into_iter().map(|row| (row.owner, row.node)).collect::<Vec<_>>();
    let both = [(SERVICE.to_owned(), "n".to_owned()), ("romeo@im.example".to_owned(), "own".to_owned())];
    assert_eq!(names(list(&server, None)), both);
    assert_eq!(names(list(&server, Some("romeo@im.example"))), both[1..]);
    let row = list(&server, Some(SERVICE)).pop().expect("a node");
    assert_eq!((row.title.as_str(), row.access_model.as_str()), ("T", "whitelist"));
    assert_eq!((row.items, row.subscriptions, row.published.is_some()), (1, 1, true));

    let details = show(&server, SERVICE, "n");
    assert_eq!((details.summary, details.creator.as_str()), (row, "romeo@im.example"));
    assert!(details.settings.contains(&("access_model".to_owned(), "whitelist".to_owned())));
    let pair = |jid: &str, what: &str| (jid.to_owned(), what.to_owned());
    assert_eq!(details.affiliations, [pair("juliet@im.example", "member"), pair("romeo@im.example", "owner")]);
    assert_eq!(details.subscriptions, [pair("juliet@im.example", "subscribed")]);

    assert!(handle(&server, Request::PubsubDelete(of(SERVICE, "n"))).is_ok());
    juliet.expect(&event(SERVICE, "juliet@im.example", "<delete node='n'/>"));
    refused(&mut romeo, "get", SERVICE, NS, "<items node='n'/>", ("cancel", "item-not-found", ""));
    for request in [
        Request::PubsubDelete(of(SERVICE, "n")),
        Request::PubsubShow(of(SERVICE, "n")),
        Request::PubsubShow(of("nobody@im.example", "n")),
    ] {
        assert_eq!(handle(&server, request).unwrap_err(), FailureKind::NotFound);
    }
    for owner in ["im.example", "someone@pubsub.im.example", "elsewhere.example", "@"] {
        assert_eq!(
            handle(&server, Request::PubsubShow(of(owner, "n"))).unwrap_err(),
            FailureKind::BadRequest,
            "{owner}"
        );
    }
}

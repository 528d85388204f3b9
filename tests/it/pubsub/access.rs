//! §4.1, §4.5: who may subscribe and retrieve items, affiliation by affiliation, model by model.

use super::*;

const OK: (&str, &str, &str) = ("", "", "");
const FORBIDDEN: (&str, &str, &str) = ("auth", "forbidden", "");

#[track_caller]
fn outcome(client: &mut Client, kind: &str, to: &str, request: &str, error: (&str, &str, &str)) {
    if error != OK {
        return refused(client, kind, to, NS, request, error);
    }
    ask(client, kind, to, NS, request);
    let answer = answer(client);
    assert_eq!(answer.attr("type"), Some("result"), "{request}: {}", answer.raw);
}

/// The rows of §4.1 for each access model.
#[test]
fn affiliations_and_access_models() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    let closed = ("cancel", "not-allowed", "closed-node");
    let unsubscribed = ("auth", "not-authorized", "not-subscribed");
    let presence = ("auth", "not-authorized", "presence-subscription-required");
    let group = ("auth", "not-authorized", "not-in-roster-group");
    for (to, model, subscribing, retrieving) in [
        (SERVICE, "open", OK, OK),
        (SERVICE, "whitelist", closed, closed),
        (SERVICE, "authorize", OK, unsubscribed),
        ("romeo@im.example", "open", OK, OK),
        ("romeo@im.example", "presence", presence, presence),
        ("romeo@im.example", "roster", group, group),
        ("romeo@im.example", "whitelist", closed, closed),
        ("romeo@im.example", "authorize", OK, unsubscribed),
    ] {
        create(&mut romeo, to, model, &[("access_model", model), ("send_last_published_item", "never")]);
        publish(&mut romeo, to, model, "1");
        for (affiliation, subscribing, retrieving) in [
            ("none", subscribing, retrieving),
            ("outcast", FORBIDDEN, FORBIDDEN),
            ("publish-only", FORBIDDEN, FORBIDDEN),
            ("member", OK, OK),
            ("publisher", OK, OK),
            ("owner", OK, OK),
        ] {
            affiliate(&mut romeo, to, model, "juliet@im.example", affiliation);
            juliet.sync();
            outcome(&mut juliet, "get", to, &format!("<items node='{model}'/>"), retrieving);
            outcome(
                &mut juliet,
                "set",
                to,
                &format!("<subscribe node='{model}' jid='juliet@im.example'/>"),
                subscribing,
            );
            if subscribing == OK {
                set(&mut juliet, to, NS, &format!("<unsubscribe node='{model}' jid='juliet@im.example'/>"));
            }
        }
    }
}

/// §4.5: who sees the presence of the owner, and is in the right group.
#[test]
fn presence_and_roster_groups() {
    let server = server();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    let mut juliet = server.present("juliet", "balcony");
    create(&mut romeo, "", "presence", &[("access_model", "presence")]);
    create(&mut romeo, "", "friends", &[("access_model", "roster"), ("roster_groups_allowed", "Friends")]);
    let request = |node: &str| format!("<items node='{node}'/>");
    let to = "romeo@im.example";
    let group = ("auth", "not-authorized", "not-in-roster-group");
    refused(&mut juliet, "get", to, NS, &request("friends"), group);
    // In the group, but without seeing the owner's presence.
    romeo.roster_set("r", "<item jid='juliet@im.example'><group>Friends</group></item>");
    romeo.sync();
    refused(&mut juliet, "get", to, NS, &request("friends"), group);
    romeo.send("<presence to='juliet@im.example' type='subscribed'/>");
    juliet.send("<presence to='romeo@im.example' type='subscribe'/>");
    juliet.sync();
    romeo.send("<presence to='juliet@im.example' type='subscribed'/>");
    romeo.sync();
    juliet.sync();
    assert_eq!(item_ids(&mut juliet, to, &request("presence")), [""; 0]);
    assert_eq!(item_ids(&mut juliet, to, &request("friends")), [""; 0]);
    romeo.roster_set("r", "<item jid='juliet@im.example'><group>Foes</group></item>");
    romeo.sync();
    refused(&mut juliet, "get", to, NS, &request("friends"), group);
    assert_eq!(item_ids(&mut juliet, to, &request("presence")), [""; 0]);
    romeo.send("<presence to='juliet@im.example' type='unsubscribed'/>");
    romeo.sync();
    juliet.sync();
    let presence = ("auth", "not-authorized", "presence-subscription-required");
    refused(&mut juliet, "get", to, NS, &request("presence"), presence);
}

/// Administrators own the nodes of the service, not those of accounts.
#[test]
fn administrators_own_the_nodes_of_the_service() {
    let server = TestServer::with(|c| {
        c.pubsub.create = NodeCreation::Everybody;
        c.admins = vec!["admin@im.example".to_owned()];
    });
    let mut romeo = server.online("romeo", "orchard");
    let mut admin = server.online("admin", "office");
    for to in [SERVICE, "romeo@im.example"] {
        create(&mut romeo, to, "n", &[("access_model", "whitelist")]);
    }
    assert_eq!(item_ids(&mut admin, SERVICE, "<items node='n'/>"), [""; 0]);
    publish(&mut admin, SERVICE, "n", "1");
    set(&mut admin, SERVICE, OWNER, "<delete node='n'/>");
    refused(&mut admin, "get", "romeo@im.example", NS, "<items node='n'/>", ("cancel", "not-allowed", "closed-node"));
    refused(&mut admin, "set", "romeo@im.example", OWNER, "<delete node='n'/>", FORBIDDEN);
}

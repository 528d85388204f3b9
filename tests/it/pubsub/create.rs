//! §8.1: making nodes.

use super::*;

/// §8.1.2, Examples: with the defaults; once.
#[test]
fn a_node_is_made_once() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    ask(&mut romeo, "set", SERVICE, NS, "<create node='musings'/>");
    romeo.expect("<iq type='result' id='ps' from='pubsub.im.example' to='{jid}'/>");
    let conflict = ("cancel", "conflict", "");
    refused(&mut romeo, "set", SERVICE, NS, "<create node='musings'/>", conflict);
    let mut juliet = server.online("juliet", "balcony");
    refused(&mut juliet, "set", SERVICE, NS, "<create node='musings'/>", conflict);
    // Another address, another node.
    set(&mut juliet, "", NS, "<create node='musings'/>");
}

/// §8.1.1: the service makes a name that is its own.
#[test]
fn an_instant_node_gets_a_name() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    for to in [SERVICE, "romeo@im.example"] {
        let mut names = Vec::new();
        for create in ["<create/>", "<create node=''/>"] {
            let answer = set(&mut romeo, to, NS, create);
            let pubsub = answer.find("pubsub", NS).expect("pubsub");
            let name = pubsub.find("create", NS).and_then(|el| el.attr("node")).expect("a name").to_owned();
            assert_eq!(item_ids(&mut romeo, to, &format!("<items node='{name}'/>")), [""; 0]);
            names.push(name);
        }
        assert_ne!(names[0], names[1]);
    }
}

/// §8.1.1: who may make nodes at the service is a setting; on an account its owner may.
#[test]
fn not_everybody_may_make_nodes() {
    let mut server = TestServer::with(|c| c.admins = vec!["Romeo@im.example".to_owned()]);
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    let forbidden = ("auth", "forbidden", "");
    set(&mut romeo, SERVICE, NS, "<create node='a'/>");
    for create in ["<create node='b'/>", "<create/>", "<create node='a'/>"] {
        refused(&mut juliet, "set", SERVICE, NS, create, forbidden);
        refused(&mut juliet, "set", "romeo@im.example", NS, create, forbidden);
        // Nobody learns who exists.
        refused(&mut juliet, "set", "nobody@im.example", NS, create, forbidden);
    }
    server.restart_with(|c| c.pubsub.create = NodeCreation::Everybody);
    let mut juliet = server.login("juliet", "secret", "balcony");
    set(&mut juliet, SERVICE, NS, "<create node='b'/>");
}

/// §8.1.3.
#[test]
fn a_node_is_made_as_it_is_wanted() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "n", &[("title", "A title"), ("max_items", "7"), ("access_model", "whitelist")]);
    let config = get(&mut romeo, SERVICE, OWNER, "<configure node='n'/>");
    for (var, value) in
        [("title", "A title"), ("max_items", "7"), ("access_model", "whitelist"), ("persist_items", "1")]
    {
        assert_eq!(configure::value(&config, var), [value], "{var}");
    }
    let bad = ("modify", "bad-request", "");
    let configure = format!("<configure>{}</configure>", form(CONFIG, &[]));
    let named = format!("<configure node='x'>{}</configure>", form(CONFIG, &[]));
    let other = format!("<configure>{}</configure>", form("urn:x", &[]));
    refused(&mut romeo, "set", SERVICE, NS, &format!("{configure}<create node='x'/>"), bad);
    refused(&mut romeo, "set", SERVICE, NS, &format!("<create node='x'/>{named}"), bad);
    refused(&mut romeo, "set", SERVICE, NS, &format!("<create node='x'/>{other}"), bad);
    // Nothing was made by that; an empty <configure/> means the defaults.
    set(&mut romeo, SERVICE, NS, "<create node='x'/><configure/>");
}

/// §8.1.2: a service has neither presence nor rosters.
#[test]
fn access_models_a_node_cannot_have() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    for (to, model) in [(SERVICE, "presence"), (SERVICE, "roster"), (SERVICE, "secret"), ("", "secret")] {
        let configure = format!("<configure>{}</configure>", form(CONFIG, &[("access_model", model)]));
        let error = ("modify", "not-acceptable", "unsupported-access-model");
        refused(&mut romeo, "set", to, NS, &format!("<create node='n'/>{configure}"), error);
    }
    for model in ["open", "authorize", "whitelist"] {
        create(&mut romeo, SERVICE, model, &[("access_model", model)]);
    }
    for model in ["open", "authorize", "whitelist", "presence", "roster"] {
        create(&mut romeo, "", model, &[("access_model", model)]);
    }
}

/// What is asked for must be something.
#[test]
fn requests_for_nothing() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let bad = ("modify", "bad-request", "");
    for (kind, ns) in [("set", NS), ("get", NS), ("set", OWNER), ("get", OWNER)] {
        for inside in ["", "<nonsense node='n'/>", "<create xmlns='urn:x' node='n'/>"] {
            refused(&mut romeo, kind, SERVICE, ns, inside, bad);
        }
    }
    romeo.expect_nothing();
}

/// A temporary account keeps nothing (XEP-0175).
#[test]
fn anonymous_users_have_no_nodes() {
    let server = TestServer::with(|c| {
        c.pubsub.create = NodeCreation::Everybody;
        c.domains.push("guests.example".into());
        c.auth.anonymous_domains = vec!["guests.example".into()];
    });
    let mut guest = server.connect();
    guest.domain = "guests.example".into();
    guest.log_in("ANONYMOUS", "", "", "");
    refused(&mut guest, "set", "", NS, "<create node='n'/>", ("cancel", "not-allowed", ""));
    refused(&mut guest, "set", "", NS, &publish_xml("n", "1", &saying("x")), ("cancel", "not-allowed", ""));
    let mut romeo = server.online("romeo", "orchard");
    create(&mut romeo, SERVICE, "open", &[]);
    // §6.1.3.6.
    let jid = guest.jid.clone().expect("bound");
    refused(
        &mut guest,
        "set",
        SERVICE,
        NS,
        &format!("<subscribe node='open' jid='{jid}'/>"),
        ("cancel", "forbidden", ""),
    );
    assert_eq!(item_ids(&mut guest, SERVICE, "<items node='open'/>"), [""; 0]);
}

//! XEP-0050: commands, by those of XEP-0401, one of which has a form.

use magpie::config::Inviters;

use crate::support::xml::El;
use crate::support::{Client, TestServer};

const COMMANDS: &str = "http://jabber.org/protocol/commands";
const INFO: &str = "http://jabber.org/protocol/disco#info";
const CREATE: &str = "urn:xmpp:invite#create-account";

/// Romeo may make accounts, juliet may not.
fn server() -> TestServer {
    TestServer::with(|c| c.admins = vec!["romeo@im.example".into()])
}

fn request(node: &str, attributes: &str, inside: &str) -> String {
    format!(
        "<iq type='set' id='c' to='im.example'><command xmlns='{COMMANDS}' node='{node}' {attributes}>{inside}</command></iq>"
    )
}

fn filled(username: &str) -> String {
    format!("<x xmlns='jabber:x:data' type='submit'><field var='username'><value>{username}</value></field></x>")
}

/// Begins the command with the form; the id of its session.
#[track_caller]
fn begin(client: &mut Client) -> String {
    client.send(&request(CREATE, "action='execute'", ""));
    let answer = client.expect(&format!(
        "<iq type='result' id='c' from='im.example' to='{{jid}}'>\
         <command xmlns='{COMMANDS}' node='{CREATE}' sessionid='{{any}}' status='executing'>\
         <actions execute='complete'><complete/></actions><x xmlns='jabber:x:data' type='form'><any/></x></command></iq>"
    ));
    session(&answer)
}

fn session(answer: &El) -> String {
    answer.find("command", COMMANDS).and_then(|command| command.attr("sessionid")).expect("a session").to_owned()
}

#[track_caller]
fn refused(client: &mut Client, request: &str, condition: (&str, &str), detail: Option<&str>) {
    client.send(request);
    let error = client.expect_stanza_error("iq", "c", condition.0, condition.1);
    if let Some(detail) = detail {
        let error = error.elements().find(|el| el.name == "error").expect("an error").clone();
        assert!(error.find(detail, COMMANDS).is_some(), "{detail}: {error:?}");
    }
}

/// §2.1, §2.2: the feature; the list, which has what the asker may run.
#[test]
fn the_list_is_for_the_asker() {
    let server = server();
    let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
    romeo.send(&format!("<iq type='get' id='d' to='im.example'><query xmlns='{INFO}'/></iq>"));
    assert!(romeo.next().raw.contains(&format!("<feature var='{COMMANDS}'/>")));
    let list = format!(
        "<iq type='get' id='d' to='im.example'><query xmlns='http://jabber.org/protocol/disco#items' node='{COMMANDS}'/></iq>"
    );
    let expected = |items: &str| {
        format!(
            "<iq type='result' id='d' from='im.example' to='{{jid}}'>\
             <query xmlns='http://jabber.org/protocol/disco#items' node='{COMMANDS}'>{items}</query></iq>"
        )
    };
    let invite = "<item jid='im.example' node='urn:xmpp:invite#invite' name='Invite user'/>";
    let create = format!("<item jid='im.example' node='{CREATE}' name='Create account'/>");
    romeo.send(&list);
    let own = "<item jid='im.example' node='invitations' name='My invitations'/>\
               <item jid='im.example' node='revoke-invitations' name='Withdraw invitations'/>";
    romeo.expect(&expected(&format!("{invite}{create}{own}")));
    juliet.send(&list);
    juliet.expect(&expected(&format!("{invite}{own}")));
    // The server's other items have no commands among them.
    romeo.send("<iq type='get' id='d' to='im.example'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
    assert!(!romeo.next().raw.contains("urn:xmpp:invite"));
}

/// §2.2: what a command is.
#[test]
fn a_command_is_a_node() {
    let server = server();
    let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
    let ask = |node: &str| format!("<iq type='get' id='d' to='im.example'><query xmlns='{INFO}' node='{node}'/></iq>");
    let answer = |node: &str, kind: &str, name: &str, forms: &str| {
        format!(
            "<iq type='result' id='d' from='im.example' to='{{jid}}'><query xmlns='{INFO}' node='{node}'>\
             <identity category='automation' type='{kind}' name='{name}'/><feature var='{COMMANDS}'/>{forms}</query></iq>"
        )
    };
    romeo.send(&ask(COMMANDS));
    romeo.expect(&answer(COMMANDS, "command-list", "Commands", ""));
    romeo.send(&ask(CREATE));
    romeo.expect(&answer(CREATE, "command-node", "Create account", "<feature var='jabber:x:data'/>"));
    for (client, node) in [(&mut romeo, "urn:x"), (&mut juliet, CREATE)] {
        client.send(&ask(node));
        client.expect_stanza_error("iq", "d", "cancel", "item-not-found");
    }
}

/// §4.4.
#[test]
fn what_makes_no_sense_is_refused() {
    let server = server();
    let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
    let bad = ("modify", "bad-request");
    refused(&mut romeo, &request("urn:x", "", ""), ("cancel", "item-not-found"), None);
    refused(&mut juliet, &request(CREATE, "", ""), ("auth", "forbidden"), None);
    refused(&mut romeo, &request(CREATE, "action='dance'", ""), bad, Some("malformed-action"));
    for action in ["cancel", "prev", "next", "complete"] {
        refused(&mut romeo, &request(CREATE, &format!("action='{action}'"), ""), bad, Some("bad-action"));
    }
    refused(&mut romeo, &request(CREATE, "sessionid='mine'", &filled("paris")), bad, Some("bad-sessionid"));
    let nameless = format!("<iq type='set' id='c' to='im.example'><command xmlns='{COMMANDS}'/></iq>");
    refused(&mut romeo, &nameless, bad, None);
    romeo.send(&format!("<iq type='get' id='c' to='im.example'><command xmlns='{COMMANDS}' node='{CREATE}'/></iq>"));
    romeo.expect_stanza_error("iq", "c", "cancel", "not-allowed");
}

/// §2.4.2, §4.4: what is refused leaves the session where it was; what is done ends it.
#[test]
fn a_session_goes_on_until_it_is_done() {
    let server = server();
    let (mut romeo, mut other) = (server.online("romeo", "orchard"), server.login("romeo", "secret", "street"));
    let id = begin(&mut romeo);
    let with = |action: &str, inside: &str| request(CREATE, &format!("sessionid='{id}' action='{action}'"), inside);
    let bad = ("modify", "bad-request");
    for action in ["prev", "next"] {
        refused(&mut romeo, &with(action, &filled("paris")), bad, Some("bad-action"));
    }
    for inside in ["", "<x xmlns='jabber:x:data' type='form'/>", "<x xmlns='jabber:x:data'/>"] {
        refused(&mut romeo, &with("execute", inside), bad, Some("bad-payload"));
    }
    refused(&mut romeo, &with("complete", &filled("a b")), bad, Some("bad-payload"));
    refused(&mut romeo, &with("complete", &filled("romeo")), ("cancel", "conflict"), None);
    refused(&mut other, &with("complete", &filled("paris")), ("cancel", "not-allowed"), Some("session-expired"));
    romeo.send(&with("complete", &filled("paris")));
    let done = romeo.expect(&format!(
        "<iq type='result' id='c' from='im.example' to='{{jid}}'>\
         <command xmlns='{COMMANDS}' node='{CREATE}' sessionid='{id}' status='completed'>\
         <x xmlns='jabber:x:data' type='result'><any/></x></command></iq>"
    ));
    assert_eq!(session(&done), id);
    refused(&mut romeo, &with("complete", &filled("tybalt")), ("cancel", "not-allowed"), Some("session-expired"));
}

/// §2.4.3, XEP-0004 §3.2.
#[test]
fn a_session_can_be_cancelled() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    for (action, inside) in [("cancel", ""), ("execute", "<x xmlns='jabber:x:data' type='cancel'/>")] {
        let id = begin(&mut romeo);
        let cancel = request(CREATE, &format!("sessionid='{id}' action='{action}'"), inside);
        romeo.send(&cancel);
        romeo.expect(&format!(
            "<iq type='result' id='c' from='im.example' to='{{jid}}'>\
             <command xmlns='{COMMANDS}' node='{CREATE}' sessionid='{id}' status='canceled'/></iq>"
        ));
        refused(&mut romeo, &cancel, ("cancel", "not-allowed"), Some("session-expired"));
    }
}

/// `limits.command_sessions_max`, and a few for each client: the oldest makes room.
#[test]
fn sessions_are_bounded() {
    let server = TestServer::with(|c| {
        c.registration.invite_accounts = Inviters::Everybody;
        c.limits.command_sessions_max = 2;
    });
    let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
    let first = begin(&mut romeo);
    let second = begin(&mut romeo);
    begin(&mut juliet);
    let cancel = |id: &str| request(CREATE, &format!("sessionid='{id}' action='cancel'"), "");
    refused(&mut romeo, &cancel(&first), ("cancel", "not-allowed"), Some("session-expired"));
    romeo.send(&cancel(&second));
    romeo.expect("<iq type='result' id='c' any-attrs='true'><any/></iq>");
}

/// A right that is taken away is gone in the middle of a command, too.
#[test]
fn a_right_is_asked_for_at_each_step() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let id = begin(&mut romeo);
    let config = (**server.server().core().config()).clone();
    server.server().core().config.store(std::sync::Arc::new(magpie::config::Config { admins: Vec::new(), ..config }));
    refused(&mut romeo, &request(CREATE, &format!("sessionid='{id}'"), &filled("paris")), ("auth", "forbidden"), None);
}

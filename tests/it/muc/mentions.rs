//! XEP-0513: who may mention whom.

use super::*;

const MENTIONS: &str = "urn:xmpp:mentions:0";
const INFO: &str = "http://jabber.org/protocol/disco#info";

fn permissions(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='mentions#{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{MENTIONS}</value></field>{fields}</x>"
    )
}

/// A mention, with these attributes.
fn mention(attrs: &str) -> String {
    format!("<mention xmlns='{MENTIONS}' {attrs}/>")
}

fn everybody() -> String {
    mention(&format!("mentions='{MENTIONS}#channel'"))
}

/// The mentions in what comes to the crone when somebody says something with this inside.
#[track_caller]
fn said(by: &mut Client, crone: &mut Client, inside: &str) -> Vec<String> {
    by.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body>{inside}</message>"));
    let el = crone.next();
    assert_eq!((el.attr("type"), el.attr("id")), (Some("groupchat"), Some("m")), "{}", el.raw);
    el.elements().filter(|child| child.name == "mention").map(|child| child.raw.clone()).collect()
}

/// §3.6: everybody may look at them, and they are in what the room tells of itself.
#[test]
fn the_permissions() {
    let server = TestServer::start();
    let (_crone, _wicca, mut hag) = coven(&server);
    ask(&mut hag, "get", MENTIONS, "");
    let list = |var: &str, label: &str, value: &str| {
        format!(
            "<field var='mentions#{var}' type='list-single' label='{label}'><required/><value>{value}</value>\
             <option label='Participants'><value>participants</value></option>\
             <option label='Moderators Only'><value>moderators</value></option>\
             <option label='Nobody'><value>none</value></option></field>"
        )
    };
    hag.expect(&format!(
        "<iq type='result' id='q' from='{ROOM}' to='{{jid}}'><query xmlns='{MENTIONS}'>\
         <x xmlns='jabber:x:data' type='form'><title>Permissions for Explicit Mentions</title>\
         <instructions>{{any}}</instructions>\
         <field var='FORM_TYPE' type='hidden'><value>{MENTIONS}</value></field>\
         <field var='mentions#count' type='text-single' label='{{any}}'><required/><value>10</value></field>{}{}{}{}\
         </x></query></iq>",
        list("individual", "Who can mention individual users?", "participants"),
        list("channel", "Who can mention rooms?", "moderators"),
        list("associations", "Who can mention roles/affiliations?", "moderators"),
        list("hats", "Who can mention hats?", "moderators"),
    ));
    ask(&mut hag, "get", INFO, "");
    let info = answer(&mut hag);
    let has = |feature: &str| {
        let query = info.find("query", INFO).expect("an answer");
        query.elements().any(|el| el.name == "feature" && el.attr("var") == Some(feature))
    };
    for feature in ["", "#channel", "#associations", "#hats"] {
        assert!(has(&format!("{MENTIONS}{feature}")), "{feature}: {}", info.raw);
    }
    assert!(!has(&format!("{MENTIONS}#server")), "{}", info.raw);
    assert!(info.raw.contains("mentions#channel"), "{}", info.raw);
}

/// §3.6: owners change them, and all are told what has changed.
#[test]
fn changed_by_owners() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    for client in [&mut wicca, &mut hag] {
        refused(client, "set", MENTIONS, &permissions(&[("count", "1")]), ("auth", "forbidden"));
    }
    let new = [("count", "1"), ("channel", "participants"), ("individual", "participants")];
    set(&mut crone, MENTIONS, &permissions(&new));
    hag.expect(&format!(
        "<message from='{ROOM}' to='{{jid}}' type='groupchat'><x xmlns='{USER}'><status code='104'/></x></message>"
    ));
    hag.expect(&format!(
        "<message from='{ROOM}' to='{{jid}}' type='groupchat'><x xmlns='jabber:x:data' type='result'><title>{{any}}</title>\
         <field var='FORM_TYPE' type='hidden'><value>{MENTIONS}</value></field>\
         <field var='mentions#count' type='text-single' label='{{any}}'><value>1</value></field>\
         <field var='mentions#channel' type='list-single' label='{{any}}'><value>participants</value></field></x></message>"
    ));
    // The same again is no change.
    set(&mut crone, MENTIONS, &permissions(&[("count", "1")]));
    set(&mut crone, MENTIONS, "<x xmlns='jabber:x:data' type='cancel'/>");
    hag.expect_nothing();
}

/// §3.6: what is not to be understood, or cannot be, changes nothing.
#[test]
fn forms_that_are_wrong() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    enter(&mut crone, "firstwitch");
    refused(&mut crone, "set", MENTIONS, &permissions(&[("count", "1")]), ("cancel", "item-not-found"));
    set(&mut crone, OWNER, "<x xmlns='jabber:x:data' type='submit'/>");
    for (var, value) in [("count", "-1"), ("count", "101"), ("individual", "everybody"), ("channel", "")] {
        refused(&mut crone, "set", MENTIONS, &permissions(&[(var, value)]), ("modify", "not-acceptable"));
    }
    for bad in ["", "<x xmlns='jabber:x:data' type='form'/>", &form(&[("mentions#count", "1")])] {
        refused(&mut crone, "set", MENTIONS, bad, ("modify", "bad-request"));
    }
    ask(&mut crone, "get", MENTIONS, "");
    assert!(answer(&mut crone).raw.contains("<value>10</value>"));
}

/// §3.6, §7: what somebody may not mention nobody sees as mentioned; the message comes all the same.
#[test]
fn what_may_not_be_mentioned() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let one = mention("occupantid='x' begin='0' end='2'");
    assert_eq!(said(&mut hag, &mut crone, &one).len(), 1);
    assert_eq!(said(&mut hag, &mut crone, &everybody()), [""; 0]);
    let owners = mention(&format!("mentions='{MENTIONS}#owner'"));
    let kept = said(&mut hag, &mut crone, &format!("{one}{owners}"));
    assert!(kept.len() == 1 && kept[0].contains("occupantid"), "{kept:?}");
    // A group that is not known here is no way round.
    assert_eq!(said(&mut hag, &mut crone, &mention("mentions='urn:x'")), [""; 0]);
    assert_eq!(said(&mut wicca, &mut crone, &everybody()).len(), 1);
    set(&mut crone, MENTIONS, &permissions(&[("channel", "participants"), ("individual", "none"), ("count", "2")]));
    settle(&mut crone, &mut []);
    assert_eq!(said(&mut hag, &mut crone, &everybody()).len(), 1);
    assert_eq!(said(&mut hag, &mut crone, &one), [""; 0]);
    assert_eq!(said(&mut hag, &mut crone, &everybody().repeat(2)).len(), 2);
    assert_eq!(said(&mut hag, &mut crone, &everybody().repeat(3)), [""; 0]);
}

/// They last as long as the room.
#[test]
fn permissions_are_stored() {
    let mut server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    create(&mut crone, "firstwitch");
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    set(&mut crone, MENTIONS, &permissions(&[("count", "7")]));
    server.restart();
    let mut crone = server.login("crone", "secret", "desktop");
    ask(&mut crone, "get", MENTIONS, "");
    assert!(answer(&mut crone).raw.contains("<value>7</value>"));
}

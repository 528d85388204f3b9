//! XEP-0115 §5.4: who is asked, how often, and what an answer is worth.

use super::{MOOD, Software, TUNE, answer, expect_question, introduce, soon, wants};
use crate::support::TestServer;

/// §8.2: a hash is asked for once; then it holds for everybody.
#[test]
fn one_answer_is_for_all_who_have_the_hash() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
    let software = Software::wants("Exodus", &[TUNE]);
    introduce(&mut romeo, &software);
    soon(|| wants(&server, "romeo/orchard", TUNE) == Some(true));
    assert_eq!(wants(&server, "romeo/orchard", MOOD), Some(false));
    juliet.send(&format!("<presence>{}</presence>", software.c()));
    juliet.expect(&format!("<presence from='{{jid}}' to='{{jid}}'>{}</presence>", software.c()));
    juliet.expect_nothing();
    assert_eq!(wants(&server, "juliet/balcony", TUNE), Some(true));
}

#[test]
fn nobody_is_asked_without_capabilities_and_not_again_with_the_same() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<presence><show>away</show></presence>");
    romeo.expect("<presence from='{jid}' to='{jid}'><show>away</show></presence>");
    romeo.expect_nothing();
    let software = Software::wants("Exodus", &[TUNE]);
    introduce(&mut romeo, &software);
    soon(|| wants(&server, "romeo/orchard", TUNE).is_some());
    for presence in [format!("<presence>{}<show>xa</show></presence>", software.c()), "<presence/>".to_owned()] {
        romeo.send(&presence);
        romeo.sync();
        assert_eq!(wants(&server, "romeo/orchard", TUNE), Some(true), "XEP-0115 §8.4: still");
    }
    romeo.send("<presence type='unavailable'/>");
    romeo.sync();
    assert_eq!(wants(&server, "romeo/orchard", TUNE), None);
}

/// §5.4, step 3.9: the next one who has the hash is asked; a lie counts for the liar alone.
#[test]
fn a_liar_speaks_for_itself() {
    let server = TestServer::start();
    let mut iago = server.online("iago", "venice");
    let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
    let software = Software::wants("Exodus", &[TUNE]);
    iago.send(&format!("<presence>{}</presence>", software.c()));
    expect_question(&mut iago, &format!("urn:test#{}", software.ver));
    romeo.send(&format!("<presence>{}</presence>", software.c()));
    romeo.sync();
    answer(&mut iago, &format!("<feature var='{MOOD}+notify'/>"));
    expect_question(&mut romeo, &format!("urn:test#{}", software.ver));
    assert_eq!(wants(&server, "iago/venice", MOOD), Some(true));
    assert_eq!(wants(&server, "romeo/orchard", MOOD), None);
    answer(&mut romeo, &software.children);
    soon(|| wants(&server, "romeo/orchard", TUNE) == Some(true));
    juliet.send(&format!("<presence>{}</presence>", software.c()));
    juliet.sync();
    assert_eq!(wants(&server, "juliet/balcony", TUNE), Some(true));
    assert_eq!(wants(&server, "iago/venice", TUNE), Some(false));
}

/// The same when the first one refuses, or says something that is no answer at all.
#[test]
fn who_does_not_answer_is_passed_over() {
    for refusal in [
        "<iq type='error' to='im.example' id='{question}'><error type='cancel'>\
         <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
        "<iq type='result' to='im.example' id='{question}'/>",
        "<iq type='result' to='im.example' id='{question}'><query xmlns='urn:x'/></iq>",
    ] {
        let server = TestServer::start();
        let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
        let software = Software::wants("Exodus", &[TUNE]);
        romeo.send(&format!("<presence>{}</presence>", software.c()));
        expect_question(&mut romeo, &format!("urn:test#{}", software.ver));
        juliet.send(&format!("<presence>{}</presence>", software.c()));
        juliet.sync();
        romeo.send(refusal);
        expect_question(&mut juliet, &format!("urn:test#{}", software.ver));
        answer(&mut juliet, &software.children);
        soon(|| wants(&server, "juliet/balcony", TUNE) == Some(true));
        // He is not asked again for the same, but what is known now counts for him.
        romeo.send(&format!("<presence>{}</presence>", software.c()));
        romeo.sync();
        assert_eq!(wants(&server, "romeo/orchard", TUNE), Some(true));
    }
}

/// Capabilities that change while somebody is asked about those before.
#[test]
fn only_the_latest_count() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let (old, new) = (Software::wants("Old", &[TUNE]), Software::wants("New", &[MOOD]));
    romeo.send(&format!("<presence>{}</presence>", old.c()));
    expect_question(&mut romeo, &format!("urn:test#{}", old.ver));
    romeo.send(&format!("<presence>{}</presence>", new.c()));
    romeo.sync();
    answer(&mut romeo, &old.children);
    expect_question(&mut romeo, &format!("urn:test#{}", new.ver));
    assert_eq!(wants(&server, "romeo/orchard", TUNE), None);
    answer(&mut romeo, &new.children);
    soon(|| wants(&server, "romeo/orchard", MOOD) == Some(true));
    assert_eq!(wants(&server, "romeo/orchard", TUNE), Some(false));
}

/// The answer must come from who was asked.
#[test]
fn nobody_answers_for_another() {
    let server = TestServer::start();
    let (mut romeo, mut iago) = (server.online("romeo", "orchard"), server.online("iago", "venice"));
    let software = Software::wants("Exodus", &[TUNE]);
    romeo.send(&format!("<presence>{}</presence>", software.c()));
    expect_question(&mut romeo, &format!("urn:test#{}", software.ver));
    let question = romeo.var("question");
    iago.set_var("question", &question);
    answer(&mut iago, &software.children);
    iago.sync();
    assert_eq!(wants(&server, "romeo/orchard", TUNE), None);
    answer(&mut romeo, &software.children);
    soon(|| wants(&server, "romeo/orchard", TUNE) == Some(true));
}

/// The client is asked under each node it uses, not under somebody else's.
#[test]
fn the_node_is_the_clients_own() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
    let software = Software::wants("Exodus", &[TUNE]);
    romeo.send(&format!("<presence>{}</presence>", software.c()));
    expect_question(&mut romeo, &format!("urn:test#{}", software.ver));
    juliet.send(&format!("<presence>{}</presence>", software.c().replace("urn:test", "urn:fork")));
    juliet.sync();
    answer(&mut romeo, "");
    expect_question(&mut juliet, &format!("urn:fork#{}", software.ver));
}

/// A session that goes on (XEP-0198) with a server that knows nothing of it any more is asked again.
#[test]
fn a_resumed_session_is_asked_if_nothing_is_known() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let software = Software::wants("Exodus", &[TUNE]);
    introduce(&mut romeo, &software);
    soon(|| wants(&server, "romeo/orchard", TUNE) == Some(true));
    romeo.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    romeo.expect("<enabled xmlns='urn:xmpp:sm:3' id='{sm}' resume='true' max='{any}'/>");
    let id = romeo.var("sm");
    for forgotten in [false, true] {
        if forgotten {
            let account = server.server().core().accounts.find("romeo@im.example").unwrap();
            account.lock().resources[0].interest = None;
        }
        let mut again = server.connect_tls();
        again.open_to_features();
        again.authenticate("SCRAM-SHA-256", "romeo", "secret");
        again.open_to_features();
        again.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
        again.expect("<resumed xmlns='urn:xmpp:sm:3' previd='{any}' h='{any}'/>");
        assert_eq!(wants(&server, "romeo/orchard", TUNE), Some(true), "known, or looked up");
        romeo = again;
    }
    drop(romeo);
}

//! XEP-0115 §5.4, §9.3, §13 and XEP-0390 §4.4: answers that cannot be verified, and those that can.

use sha2::{Digest, Sha256};

use super::{MOOD, STANDARD, Software, TUNE, answer, expect_question, soon, wants};
use crate::support::{Client, TestServer};
use base64::Engine;

/// Both have the same; the first one answers this. Does it count for the second one?
#[track_caller]
fn convinces(server: &TestServer, c: &str, node: &str, children: &str) -> bool {
    let (mut romeo, mut juliet) = (server.login("romeo", "secret", "a"), server.login("juliet", "secret", "b"));
    romeo.send(&format!("<presence>{c}</presence>"));
    expect_question(&mut romeo, node);
    answer(&mut romeo, children);
    soon(|| wants(server, "romeo/a", TUNE).is_some());
    juliet.send(&format!("<presence>{c}</presence>"));
    juliet.sync();
    let known = wants(server, "juliet/b", TUNE).is_some();
    close(romeo);
    close(juliet);
    known
}

fn close(mut client: Client) {
    client.send("<presence type='unavailable'/>");
    client.sync();
    client.close();
}

fn c(hash: &str, ver: &str) -> String {
    format!("<c xmlns='http://jabber.org/protocol/caps' hash='{hash}' node='n' ver='{ver}'/>")
}

/// §5.4, steps 3.3 to 3.6, each with the hash that somebody who does not care about it would compute.
#[test]
fn ill_formed_answers_convince_nobody() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let form = |fields: &str| format!("<x xmlns='jabber:x:data' type='result'>{fields}</x>");
    let hidden = |value: &str| format!("<field var='FORM_TYPE' type='hidden'><value>{value}</value></field>");
    let identity = "<identity category='client' type='pc'/>";
    for (text, children) in [
        ("client/pc//<client/pc//<".to_owned(), identity.repeat(2)),
        ("a<a<".to_owned(), "<feature var='a'/><feature var='a'/>".to_owned()),
        ("t<t<".to_owned(), form(&hidden("t")).repeat(2)),
        ("t<u<".to_owned(), form(&[hidden("t"), hidden("u")].concat())),
        (
            "t<a<b<".to_owned(),
            form("<field var='FORM_TYPE'><value>t</value></field><field var='a'><value>b</value></field>"),
        ),
        // §9.3.
        (format!("{TUNE}+notify<"), form(&hidden(&format!("{TUNE}+notify")))),
        (format!("a<{TUNE}+notify<"), format!("<feature var='a&lt;{TUNE}+notify'/>")),
    ] {
        let ver = STANDARD.encode(sha1::Sha1::digest(text));
        assert!(!convinces(&server, &c("sha-1", &ver), &format!("n#{ver}"), &children), "{children}");
    }
    let ver = STANDARD.encode(sha1::Sha1::digest("a<"));
    let ignored = form("<field var='a'><value>b</value></field>");
    assert!(convinces(&server, &c("sha-1", &ver), &format!("n#{ver}"), &format!("<feature var='a'/>{ignored}")));
}

/// §5.3: the example, and with a better function.
#[test]
fn the_examples_convince() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let psi = "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
        <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>\
        <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
        <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>\
        <x xmlns='jabber:x:data' type='result'>\
        <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>\
        <field var='ip_version' type='text-multi'><value>ipv4</value><value>ipv6</value></field>\
        <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>\
        <field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field></x>";
    let ver = "q07IKJEyjvHSyhy//CH0CxmKi8w=";
    assert!(convinces(&server, &c("sha-1", ver), &format!("n#{ver}"), psi));
    let ver = STANDARD.encode(Sha256::digest("a<"));
    assert!(convinces(&server, &c("sha-256", &ver), &format!("n#{ver}"), "<feature var='a'/>"));
}

/// §5.4 step 2, §13: no hash, or by a function nobody has. Each one is asked, and speaks for itself.
#[test]
fn what_cannot_be_verified_counts_for_one() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    assert!(!convinces(&server, &c("md5", "v"), "n#v", "<feature var='a'/>"));
    let mut romeo = server.login("romeo", "secret", "a");
    romeo.send("<presence><c xmlns='http://jabber.org/protocol/caps' node='n' ver='0.9' ext='x y'/></presence>");
    romeo.expect("<presence any-attrs='true'><one/></presence>");
    romeo.expect(
        "<iq type='get' from='im.example' to='{jid}' id='{question}'>\
         <query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    );
    answer(&mut romeo, &format!("<feature var='{MOOD}+notify'/>"));
    soon(|| wants(&server, "romeo/a", MOOD) == Some(true));
}

/// XEP-0390 §4.4: its hashes are used where they are, under nodes of their own.
#[test]
fn version_two() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let input = format!("{TUNE}+notify\u{1f}\u{1c}client\u{1f}pc\u{1f}\u{1f}X\u{1f}\u{1e}\u{1c}\u{1c}");
    let hash = STANDARD.encode(Sha256::digest(input));
    let c = format!("<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>{hash}</hash></c>");
    let node = format!("urn:xmpp:caps#sha-256.{hash}");
    let identity = "<identity category='client' type='pc' name='X'/>";
    let feature = format!("<feature var='{TUNE}+notify'/>");
    assert!(!convinces(&server, &c, &node, &format!("{identity}{feature}<x xmlns='urn:x'/>")), "§4.1 step 1");
    assert!(!convinces(&server, &c, &node, identity));
    let both = format!("{c}{}", Software::wants("X", &[MOOD]).c());
    assert!(convinces(&server, &both, &node, &format!("{identity}{feature}")));
    let mut romeo = server.login("romeo", "secret", "a");
    romeo.send(&format!("<presence>{c}</presence>"));
    romeo.sync();
    assert_eq!(wants(&server, "romeo/a", TUNE), Some(true));
}

/// XEP-0390 §4.1: the language of the stream is that of the identity.
#[test]
fn languages_are_inherited() {
    let server = TestServer::start();
    server.accounts(&["romeo"]);
    let input = "\u{1c}client\u{1f}pc\u{1f}it\u{1f}X\u{1f}\u{1e}\u{1c}\u{1c}";
    let hash = STANDARD.encode(Sha256::digest(input));
    let mut romeo = server.login("romeo", "secret", "a");
    romeo.send(&format!(
        "<presence><c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>{hash}</hash></c></presence>"
    ));
    expect_question(&mut romeo, &format!("urn:xmpp:caps#sha-256.{hash}"));
    romeo.send(
        "<iq type='result' to='im.example' id='{question}' xml:lang='it'>\
         <query xmlns='http://jabber.org/protocol/disco#info'>\
         <identity category='client' type='pc' name='X'/></query></iq>",
    );
    soon(|| server.server().core().capabilities.known() == 1);
}

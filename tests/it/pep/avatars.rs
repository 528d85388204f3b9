//! XEP-0398: avatars of XEP-0084 and photographs of XEP-0153 are the same.

use super::{event, expect_event, features, items, options, publish, result, wanting};
use crate::support::xml::El;
use crate::support::{Client, TestServer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

const DATA: &str = "urn:xmpp:avatar:data";
const METADATA: &str = "urn:xmpp:avatar:metadata";

/// A picture: its id, and its bytes in base64. What it shows is left to the imagination.
fn picture(bytes: &[u8]) -> (String, String) {
    let png = [b"\x89PNG\r\n\x1a\n", bytes].concat();
    let id = Sha1::digest(&png).iter().map(|b| format!("{b:02x}")).collect();
    (id, STANDARD.encode(png))
}

fn data_item((id, base64): &(String, String)) -> String {
    format!("<item id='{id}'><data xmlns='{DATA}'>{base64}</data></item>")
}

fn metadata_item((id, _): &(String, String)) -> String {
    format!(
        "<item id='{id}'><metadata xmlns='{METADATA}'><info bytes='9' id='x' url='http://a.example/b' type='image/gif'/>\
         <info bytes='9' id='{id}' type='image/png'/></metadata></item>"
    )
}

#[track_caller]
fn publish_avatar(client: &mut Client, picture: &(String, String), access: &str) {
    let options = options(&[("access_model", access)]);
    publish(client, DATA, &data_item(picture), &options);
    publish(client, METADATA, &metadata_item(picture), &options);
}

#[track_caller]
fn card(client: &mut Client, of: &str) -> El {
    client.send(&format!("<iq type='get' id='card' to='{of}@im.example'><vCard xmlns='vcard-temp'/></iq>"));
    result(client, "card").find("vCard", "vcard-temp").expect("a card").clone()
}

#[track_caller]
fn set_card(client: &mut Client, inside: &str) {
    client.send(&format!("<iq type='set' id='card'><vCard xmlns='vcard-temp'>{inside}</vCard></iq>"));
    result(client, "card");
}

fn photo((_, base64): &(String, String)) -> String {
    format!("<PHOTO><TYPE>image/png</TYPE><BINVAL>{base64}</BINVAL></PHOTO>")
}

fn x(photo: &str) -> String {
    format!("<x xmlns='vcard-temp:x:update'><photo>{photo}</photo></x>")
}

/// Waits for presence that says this of the photograph.
#[track_caller]
fn expect_photo(client: &mut Client, from: &str, hash: &str) {
    loop {
        let element = client.next();
        let update = element.find("x", "vcard-temp:x:update");
        if element.name != "presence" || element.attr("from") != Some(from) || update.is_none() {
            continue;
        }
        let photo = update.unwrap().find("photo", "vcard-temp:x:update").expect("a photo").text();
        assert_eq!(photo, hash);
        return;
    }
}

fn friends() -> (TestServer, Client, Client) {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    romeo.sync();
    juliet.sync();
    (server, romeo, juliet)
}

/// §2.
#[test]
fn the_account_says_so() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    assert!(features(&mut romeo).contains(&"urn:xmpp:pep-vcard-conversion:0".to_owned()));
}

/// §3.1, §4: into the card and into the presence of everybody's every resource.
#[test]
fn a_published_avatar_is_a_photograph() {
    let (mut server, mut romeo, mut juliet) = friends();
    set_card(&mut romeo, "<FN>Romeo</FN>");
    let picture = picture(b"1");
    publish_avatar(&mut romeo, &picture, "open");
    expect_photo(&mut juliet, "romeo@im.example/orchard", &picture.0);
    expect_photo(&mut romeo, "romeo@im.example/orchard", &picture.0);
    let card = card(&mut juliet, "romeo");
    assert!(card.raw.contains("<FN>Romeo</FN>") && card.raw.contains(&photo(&picture)), "{}", card.raw);
    // What he sends from now on has it, to whomever.
    romeo.send("<presence><show>away</show></presence>");
    juliet.expect(&format!(
        "<presence from='{{romeo}}' to='juliet@im.example'><show>away</show>{}</presence>",
        x(&picture.0)
    ));
    romeo.send("<presence to='juliet@im.example/balcony'/>");
    juliet.expect(&format!("<presence from='{{romeo}}' to='{{jid}}'>{}</presence>", x(&picture.0)));
    // Also after a restart.
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<presence/>");
    romeo.expect(&format!("<presence from='{{jid}}' to='{{jid}}'>{}</presence>", x(&picture.0)));
    romeo.send("<presence type='unavailable'/>");
    romeo.expect("<presence type='unavailable' from='{jid}' to='{jid}'/>");
}

/// §4: what a client says itself.
#[test]
fn presence_that_speaks_of_photographs_already() {
    let (_server, mut romeo, mut juliet) = friends();
    let picture = picture(b"1");
    set_card(&mut romeo, &photo(&picture));
    expect_photo(&mut juliet, "romeo@im.example/orchard", &picture.0);
    let (none, ours) = ("<x xmlns='vcard-temp:x:update'><photo/></x>".to_owned(), x(&picture.0));
    for (said, seen) in [
        (none.clone(), none),
        ("<x xmlns='vcard-temp:x:update'/>".to_owned(), ours.clone()),
        (x("0123"), ours.clone()),
        (ours.clone(), ours.clone()),
    ] {
        romeo.send(&format!("<presence>{said}</presence>"));
        juliet.expect(&format!("<presence from='{{romeo}}' to='juliet@im.example'>{seen}</presence>"));
    }
}

#[test]
fn nothing_is_added_for_who_has_no_photograph() {
    let (_server, mut romeo, mut juliet) = friends();
    for said in ["", "<x xmlns='vcard-temp:x:update'/>", "<x xmlns='vcard-temp:x:update'><photo>01</photo></x>"] {
        romeo.send(&format!("<presence>{said}</presence>"));
        juliet.expect(&format!("<presence from='{{romeo}}' to='juliet@im.example'>{said}</presence>"));
    }
}

/// §3.2: data first, then metadata; whoever wants to know is told.
#[test]
fn a_photograph_is_an_avatar() {
    let (server, mut romeo, _) = friends();
    let mut chamber = wanting(&server, "juliet", "chamber", &[METADATA]);
    let picture = picture(b"1");
    set_card(&mut romeo, &format!("<FN>R</FN>{}", photo(&picture).replace("image/png", "image/gif")));
    let metadata = items(&mut romeo, "romeo", METADATA);
    let expected = format!(
        "<item id='{0}'><metadata xmlns='{METADATA}'><info bytes='9' id='{0}' type='image/png'/></metadata></item>",
        picture.0
    );
    assert_eq!(metadata.len(), 1);
    romeo
        .matches(&expected.replace("<item ", "<item xmlns='http://jabber.org/protocol/pubsub' "), &metadata[0])
        .unwrap();
    expect_event(&mut chamber, &event("romeo", METADATA, &expected, false));
    let data = items(&mut chamber, "romeo", DATA);
    assert!(data[0].attr("id") == Some(&picture.0) && data[0].raw.contains(&picture.1), "{}", data[0].raw);
    // The same once more is no news.
    set_card(&mut romeo, &photo(&picture));
    chamber.sync();
    set_card(&mut romeo, &photo(&super::avatars::picture(b"2")));
    expect_event(&mut chamber, &event("romeo", METADATA, "<item id='{any}'><one/></item>", false));
    // As public as the card (a stranger may have it).
    server.account("paris", "secret");
    let mut paris = server.login("paris", "secret", "x");
    assert_eq!(items(&mut paris, "romeo", DATA).len(), 1);
}

/// XEP-0084 §3.5, and the same in the other format.
#[test]
fn an_avatar_is_taken_away() {
    let (_server, mut romeo, mut juliet) = friends();
    let picture = picture(b"1");
    publish_avatar(&mut romeo, &picture, "open");
    expect_photo(&mut juliet, "romeo@im.example/orchard", &picture.0);
    publish(&mut romeo, METADATA, &format!("<item><metadata xmlns='{METADATA}'/></item>"), "");
    expect_photo(&mut juliet, "romeo@im.example/orchard", "");
    set_card(&mut romeo, &photo(&picture));
    expect_photo(&mut juliet, "romeo@im.example/orchard", &picture.0);
    set_card(&mut romeo, "<FN>R</FN>");
    expect_photo(&mut juliet, "romeo@im.example/orchard", "");
    let metadata = items(&mut romeo, "romeo", METADATA);
    assert!(!metadata[0].raw.contains("info"), "{}", metadata[0].raw);
    assert_eq!(card(&mut juliet, "romeo").elements().count(), 1);
}

/// §7: cards are public. What is for contacts is not put there, and takes away what was.
#[test]
fn an_avatar_for_contacts_stays_out_of_the_card() {
    let (_server, mut romeo, mut juliet) = friends();
    let (public, private) = (picture(b"1"), picture(b"2"));
    publish_avatar(&mut romeo, &public, "open");
    expect_photo(&mut juliet, "romeo@im.example/orchard", &public.0);
    romeo.send(&format!(
        "<iq type='set' id='conf'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='{DATA}'>\
         <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/pubsub#node_config</value></field><field var='pubsub#access_model'>\
         <value>presence</value></field></x></configure></pubsub></iq>"
    ));
    result(&mut romeo, "conf");
    publish(&mut romeo, DATA, &data_item(&private), "");
    publish(&mut romeo, METADATA, &metadata_item(&private), "");
    expect_photo(&mut juliet, "romeo@im.example/orchard", "");
    assert_eq!(items(&mut juliet, "romeo", DATA)[0].attr("id"), Some(&*private.0));
}

/// §3.1: the hash must be that of the picture, and the picture must be there.
#[test]
fn a_picture_that_is_another_one_is_not_taken() {
    let (_server, mut romeo, mut juliet) = friends();
    let (wrong, right) = (picture(b"1"), picture(b"2"));
    let options = options(&[("access_model", "open")]);
    publish(&mut romeo, DATA, &data_item(&(wrong.0.clone(), right.1.clone())), &options);
    publish(&mut romeo, METADATA, &metadata_item(&wrong), &options);
    publish(&mut romeo, METADATA, &metadata_item(&picture(b"nowhere")), &options);
    publish(&mut romeo, DATA, &data_item(&right), &options);
    publish(&mut romeo, METADATA, &metadata_item(&right), &options);
    expect_photo(&mut juliet, "romeo@im.example/orchard", &right.0);
}

/// §7: a picture that is not for everybody any more leaves the card, without another one being published.
#[test]
fn a_picture_that_is_hidden_later() {
    for node in [METADATA, DATA] {
        let (_server, mut romeo, mut juliet) = friends();
        let picture = picture(b"1");
        publish_avatar(&mut romeo, &picture, "open");
        expect_photo(&mut juliet, "romeo@im.example/orchard", &picture.0);
        romeo.send(&format!(
            "<iq type='set' id='hide'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='{node}'>\
             <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
             <value>http://jabber.org/protocol/pubsub#node_config</value></field>\
             <field var='pubsub#access_model'><value>whitelist</value></field></x></configure></pubsub></iq>"
        ));
        result(&mut romeo, "hide");
        expect_photo(&mut juliet, "romeo@im.example/orchard", "");
        juliet.send("<iq type='get' id='card' to='romeo@im.example'><vCard xmlns='vcard-temp'/></iq>");
        juliet.expect_stanza_error("iq", "card", "cancel", "service-unavailable");
    }
}

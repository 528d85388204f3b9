use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use sha1::Digest;

use super::*;

/// XEP-0390 §4.5.1.
const SIMPLE: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>\
    <identity category='client' name='BombusMod' type='mobile'/><feature var='http://jabber.org/protocol/si'/>\
    <feature var='http://jabber.org/protocol/bytestreams'/>\
    <feature var='http://jabber.org/protocol/chatstates'/><feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/disco#items'/><feature var='urn:xmpp:ping'/>\
    <feature var='jabber:iq:time'/><feature var='jabber:iq:privacy'/><feature var='jabber:iq:version'/>\
    <feature var='http://jabber.org/protocol/rosterx'/><feature var='urn:xmpp:time'/>\
    <feature var='jabber:x:oob'/><feature var='http://jabber.org/protocol/ibb'/>\
    <feature var='http://jabber.org/protocol/si/profile/file-transfer'/><feature var='urn:xmpp:receipts'/>\
    <feature var='jabber:iq:roster'/><feature var='jabber:iq:last'/></query>";

/// XEP-0390 §4.5.2.
const COMPLEX: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>\
    <identity category='client' name='Tkabber' type='pc' xml:lang='en'/>\
    <identity category='client' name='Ткаббер' type='pc' xml:lang='ru'/><feature var='games:board'/>\
    <feature var='http://jabber.org/protocol/activity'/>\
    <feature var='http://jabber.org/protocol/activity+notify'/>\
    <feature var='http://jabber.org/protocol/bytestreams'/>\
    <feature var='http://jabber.org/protocol/chatstates'/><feature var='http://jabber.org/protocol/commands'/>\
    <feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/evil'/>\
    <feature var='http://jabber.org/protocol/feature-neg'/><feature var='http://jabber.org/protocol/geoloc'/>\
    <feature var='http://jabber.org/protocol/geoloc+notify'/><feature var='http://jabber.org/protocol/ibb'/>\
    <feature var='http://jabber.org/protocol/iqibb'/><feature var='http://jabber.org/protocol/mood'/>\
    <feature var='http://jabber.org/protocol/mood+notify'/><feature var='http://jabber.org/protocol/rosterx'/>\
    <feature var='http://jabber.org/protocol/si'/>\
    <feature var='http://jabber.org/protocol/si/profile/file-transfer'/>\
    <feature var='http://jabber.org/protocol/tune'/><feature var='http://www.facebook.com/xmpp/messages'/>\
    <feature var='http://www.xmpp.org/extensions/xep-0084.html#ns-metadata+notify'/>\
    <feature var='jabber:iq:avatar'/><feature var='jabber:iq:browse'/><feature var='jabber:iq:dtcp'/>\
    <feature var='jabber:iq:filexfer'/><feature var='jabber:iq:ibb'/><feature var='jabber:iq:inband'/>\
    <feature var='jabber:iq:jidlink'/><feature var='jabber:iq:last'/><feature var='jabber:iq:oob'/>\
    <feature var='jabber:iq:privacy'/><feature var='jabber:iq:roster'/><feature var='jabber:iq:time'/>\
    <feature var='jabber:iq:version'/><feature var='jabber:x:data'/><feature var='jabber:x:event'/>\
    <feature var='jabber:x:oob'/><feature var='urn:xmpp:avatar:metadata+notify'/><feature var='urn:xmpp:ping'/>\
    <feature var='urn:xmpp:receipts'/><feature var='urn:xmpp:time'/><x xmlns='jabber:x:data' type='result'>\
    <field type='hidden' var='FORM_TYPE'><value>urn:xmpp:dataforms:softwareinfo</value></field>\
    <field var='software'><value>Tkabber</value></field><field var='software_version'>\
    <value>0.11.1-svn-20111216-mod (Tcl/Tk 8.6b2)</value></field><field var='os'><value>Windows</value></field>\
    <field var='os_version'><value>XP</value></field></x></query>";

fn element(xml: &str) -> Element {
    Element::parse(xml, ns::CLIENT).expect("XML")
}

fn query(children: &str) -> Element {
    element(&format!("<query xmlns='{}'>{children}</query>", ns::DISCO_INFO))
}

fn sha1(info: &Element) -> Result<String, IllFormed> {
    verification_string(info).map(|s| STANDARD.encode(sha1::Sha1::digest(s)))
}

fn sha256(info: &Element) -> Result<String, IllFormed> {
    hash_input(info, None).map(|s| STANDARD.encode(sha2::Sha256::digest(s)))
}

/// XEP-0115 §5.2.
#[test]
fn the_simple_example() {
    let info = query(
        "<identity category='client' name='Exodus 0.9.1' type='pc'/>\
         <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
         <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>",
    );
    assert_eq!(sha1(&info).as_deref(), Ok("QgayPKawpkPSDYmwT/WM94uAlu0="));
}

const SOFTWARE: &str = "<field var='os'><value>Mac</value></field>\
    <field var='os_version'><value>10.5.1</value></field><field var='software'><value>Psi</value></field>\
    <field var='ip_version' type='text-multi'><value>ipv6</value><value>ipv4</value></field>\
    <field var='software_version'><value>0.11</value></field>";

fn psi(form_type: &str, more: &str) -> Element {
    query(&format!(
        "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
         <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>\
         <x xmlns='jabber:x:data' type='result'>{form_type}{SOFTWARE}</x>{more}\
         <feature var='http://jabber.org/protocol/muc'/><feature var='http://jabber.org/protocol/disco#info'/>\
         <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#items'/>"
    ))
}

const SOFTWARE_TYPE: &str =
    "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>";

/// XEP-0115 §5.3, in another order.
#[test]
fn the_complex_example() {
    let expected = "client/pc/el/Ψ 0.11<client/pc/en/Psi 0.11<http://jabber.org/protocol/caps<\
        http://jabber.org/protocol/disco#info<http://jabber.org/protocol/disco#items<http://jabber.org/protocol/muc<\
        urn:xmpp:dataforms:softwareinfo<ip_version<ipv4<ipv6<os<Mac<os_version<10.5.1<software<Psi<\
        software_version<0.11<";
    let info = psi(SOFTWARE_TYPE, "");
    assert_eq!(verification_string(&info).as_deref(), Ok(expected));
    assert_eq!(sha1(&info).as_deref(), Ok("q07IKJEyjvHSyhy//CH0CxmKi8w="));
}

/// XEP-0115 §5.4, step 3.3 to 3.5.
#[test]
fn what_stands_there_twice_is_ill_formed() {
    let identity = "<identity category='client' type='pc' name='a'/>";
    assert_eq!(sha1(&query(&[identity, identity].concat())), Err(IllFormed::Identity));
    let other = "<identity category='client' type='pc' name='b'/>";
    assert!(sha1(&query(&[identity, other].concat())).is_ok());
    assert_eq!(sha1(&query("<feature var='a'/><feature var='b'/><feature var='a'/>")), Err(IllFormed::Feature));
    let form = |fields: &str| format!("<x xmlns='jabber:x:data' type='result'>{fields}</x>");
    let again = form(SOFTWARE_TYPE);
    assert_eq!(sha1(&psi(SOFTWARE_TYPE, &again)), Err(IllFormed::FormType));
    for two in [
        "<field var='FORM_TYPE' type='hidden'><value>a</value><value>b</value></field>",
        "<field var='FORM_TYPE' type='hidden'><value>b</value></field>\
         <field var='FORM_TYPE' type='hidden'><value>a</value></field>",
    ] {
        assert_eq!(sha1(&query(&form(two))), Err(IllFormed::FormType), "{two}");
    }
    let same = "<field var='FORM_TYPE' type='hidden'><value>a</value><value>a</value></field>";
    assert_eq!(verification_string(&query(&form(same))).as_deref(), Ok("a<"));
}

/// Step 3.6: such a form is left out.
#[test]
fn forms_without_a_hidden_type_do_not_count() {
    let without = "q07IKJEyjvHSyhy//CH0CxmKi8w=";
    for form_type in
        ["", "<field var='FORM_TYPE'><value>urn:x</value></field>", "<field var='FORM_TYPE' type='hidden'/>"]
    {
        let more =
            format!("<x xmlns='jabber:x:data' type='result'>{form_type}<field var='a'><value>b</value></field></x>");
        assert_eq!(sha1(&psi(SOFTWARE_TYPE, &more)).as_deref(), Ok(without), "{form_type}");
    }
}

/// §9.3: the same text from other parts must not change what somebody is told.
#[test]
fn an_answer_that_could_be_another_one_has_no_hash() {
    let form = |form_type: &str, var: &str, value: &str| {
        format!(
            "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>{form_type}</value></field>\
             <field var='{var}'><value>{value}</value></field></x>"
        )
    };
    for liar in [
        "<feature var='a&lt;b+notify'/>".to_owned(),
        "<identity category='client' type='pc' name='x&lt;urn:x+notify'/>".to_owned(),
        "<identity category='client' type='pc' name='x+notify'/>".to_owned(),
        form("a+notify", "b", "c"),
        form("a", "b+notify", "c"),
        form("a", "b", "c+notify"),
        form("a", "b", "c&lt;d"),
    ] {
        assert_eq!(sha1(&query(&liar)), Err(IllFormed::Ambiguous), "{liar}");
    }
}

/// XEP-0390 §4.5.1 and §4.5.2.
#[test]
fn the_examples_of_version_two() {
    assert_eq!(sha256(&element(SIMPLE)).as_deref(), Ok("kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8="));
    assert_eq!(sha256(&element(COMPLEX)).as_deref(), Ok("u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY="));
    assert_eq!(hash_input(&element(SIMPLE), None).map(|input| input.len()), Ok(0x1d9));
    assert_eq!(hash_input(&element(COMPLEX), None).map(|input| input.len()), Ok(0x543));
}

/// XEP-0390 §4.1, steps 1 to 3.
#[test]
fn what_version_two_cannot_hash() {
    for (children, expected) in [
        ("<x xmlns='urn:x'/>", IllFormed::Element),
        ("<item xmlns='http://jabber.org/protocol/disco#info'/>", IllFormed::Element),
        ("<x xmlns='jabber:x:data'><reported/></x>", IllFormed::FormItems),
        ("<x xmlns='jabber:x:data'><item/></x>", IllFormed::FormItems),
        ("<x xmlns='jabber:x:data'><field var='a'/></x>", IllFormed::Untyped),
        ("<x xmlns='jabber:x:data'><field var='FORM_TYPE'><value>a</value></field></x>", IllFormed::Untyped),
        ("<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'/></x>", IllFormed::Untyped),
    ] {
        assert_eq!(sha256(&query(children)), Err(expected), "{children}");
    }
}

/// XEP-0390 §4.1: languages that are inherited count, the nearest one first.
#[test]
fn languages_are_inherited() {
    let with = |own: &str, of_query: &str| {
        element(&format!("<query xmlns='{}'{of_query}><identity category='a' type='b'{own}/></query>", ns::DISCO_INFO))
    };
    let lang = |info: &Element, outer| {
        let input = hash_input(info, outer).expect("well-formed");
        String::from_utf8(input).expect("text").split('\u{1f}').nth(2).map(str::to_owned)
    };
    assert_eq!(lang(&with(" xml:lang='de'", " xml:lang='en'"), Some("fr")).as_deref(), Some("de"));
    assert_eq!(lang(&with("", " xml:lang='en'"), Some("fr")).as_deref(), Some("en"));
    assert_eq!(lang(&with("", ""), Some("fr")).as_deref(), Some("fr"));
    assert_eq!(lang(&with("", ""), None).as_deref(), Some(""));
}

#[test]
fn interest_is_what_ends_in_notify() {
    let info =
        query("<feature var='a'/><feature var='b+notify'/><feature var='+notify'/><feature var='c+notify+notify'/>");
    assert_eq!(interest(&info).collect::<Vec<_>>(), ["b", "c+notify"]);
}

/// XEP-0390 §4.3.
#[test]
fn nodes() {
    let node = hash_node("sha-256", "abc/+=");
    assert_eq!(node, "urn:xmpp:caps#sha-256.abc/+=");
    assert_eq!(parse_hash_node(&node), Some(("sha-256", "abc/+=")));
    assert_eq!(parse_hash_node("urn:xmpp:caps#x.y.abc"), Some(("x.y", "abc")));
    assert_eq!(parse_hash_node("urn:xmpp:caps#abc"), None);
    assert_eq!(parse_hash_node("urn:x"), None);
}

fn presence(children: &str) -> Stanza {
    let cx = crate::xml::StreamContext::new(ns::CLIENT.to_owned());
    Stanza::parse(format!("<presence>{children}</presence>").as_bytes(), &cx).expect("a stanza")
}

#[test]
fn adverts() {
    let old = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>";
    let new = "<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'> h </hash></c>";
    let advert = Advert::of(&presence(&format!("<show>away</show>{old}{new}"))).expect("an advert");
    let caps = Caps { node: "n".into(), hash: Some("sha-1".into()), ver: "v".into() };
    assert_eq!(advert, Advert { hashes: vec![("sha-256".into(), "h".into())], legacy: Some(caps) });
    for none in
        ["", "<c xmlns='urn:x'/>", "<c xmlns='http://jabber.org/protocol/caps' ver='v'/>", "<c xmlns='urn:xmpp:caps'/>"]
    {
        assert_eq!(Advert::of(&presence(none)), None, "{none}");
    }
    assert!(Advert::is_repeated(&presence(old), &presence(&format!("<status>x</status>{old}"))));
    assert!(!Advert::is_repeated(&presence(old), &presence(new)));
    assert!(!Advert::is_repeated(&presence(""), &presence(new)));
}

#[test]
fn printing() {
    let mut out = String::new();
    write_legacy(&mut out, &Caps { node: "n".into(), hash: Some("sha-1".into()), ver: "v".into() });
    write_hashes(&mut out, [("sha-256", "h")]);
    let advert = Advert::of(&presence(&out)).expect("an advert");
    assert_eq!((advert.hashes.len(), advert.legacy.map(|c| c.ver).as_deref()), (1, Some("v")));
}

proptest! {
    /// The order in which things stand there does not matter.
    #[test]
    fn order_does_not_matter(
        names in proptest::collection::btree_set("[a-z/+<]{0,6}", 0..8),
        seed in any::<prop::sample::Index>(),
    ) {
        let escaped: Vec<_> = names.iter().map(|name| name.replace('<', "&lt;")).collect();
        let children = |names: &[String]| -> String {
            let one = |name: &String| format!("<feature var='{name}'/><identity category='{name}' type='a'/>");
            names.iter().map(one).collect()
        };
        let mut turned = escaped.clone();
        if !turned.is_empty() {
            let middle = seed.index(turned.len());
            turned.rotate_left(middle);
        }
        let (one, other) = (query(&children(&escaped)), query(&children(&turned)));
        prop_assert_eq!(verification_string(&one), verification_string(&other));
        prop_assert_eq!(hash_input(&one, None), hash_input(&other, None));
    }
}

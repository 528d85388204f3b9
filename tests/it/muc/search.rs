//! Rooms are looked for (XEP-0433).

use super::*;

const SEARCH: &str = "urn:xmpp:channel-search:0:search";
const SERVICE: &str = "conference.im.example";

fn search(client: &mut Client, fields: &[(&str, &str)], set: &str) -> El {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    client.send(&format!(
        "<iq type='get' id='q' to='{SERVICE}'><search xmlns='{SEARCH}'>{set}<x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>urn:xmpp:channel-search:0:search-params</value></field>{fields}</x></search></iq>"
    ));
    answer(client)
}

fn addresses(answer: &El) -> Vec<String> {
    let result = answer.find("result", SEARCH).unwrap_or_else(|| panic!("{}", answer.raw));
    let items = result.elements().filter(|el| el.name == "item");
    items.map(|el| el.attr("address").expect("an address").to_owned()).collect()
}

/// §4.2, temporary rooms and stored ones alike; never hidden ones.
#[test]
fn public_rooms_are_found() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_roomname", "A Dark Cave"), ("muc#roomconfig_roomdesc", "for witches")]);
    let found = search(&mut hag, &[("q", "dark")], "");
    assert_eq!(addresses(&found), [ROOM]);
    for part in ["<name>A Dark Cave</name>", "<nusers>3</nusers>", "<is-open>true</is-open>", "muc_semianonymous"] {
        assert!(found.raw.contains(part), "{part} in {}", found.raw);
    }
    assert_eq!(addresses(&search(&mut hag, &[("q", "witches"), ("sindescription", "false")], "")), [""; 0]);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    assert_eq!(addresses(&search(&mut hag, &[("q", "wit cav")], "")), [ROOM]);
    assert_eq!(addresses(&search(&mut hag, &[("all", "true")], "")), [ROOM]);
    let after = format!("<set xmlns='http://jabber.org/protocol/rsm'><after>{ROOM}</after></set>");
    assert_eq!(addresses(&search(&mut hag, &[("all", "true")], &after)), [""; 0]);
    configure(&mut crone, &[("muc#roomconfig_publicroom", "0")]);
    assert_eq!(addresses(&search(&mut hag, &[("q", "dark")], "")), [""; 0]);
    assert_eq!(addresses(&search(&mut hag, &[("all", "true")], "")), [""; 0]);
}

/// §4.1, §4.2.1, §4.2.2.2 to §4.2.2.7.
#[test]
fn the_form_and_what_is_refused() {
    let server = TestServer::start();
    let mut hag = server.online("hag", "pda");
    hag.send(&format!("<iq type='get' id='q' to='{SERVICE}'><search xmlns='{SEARCH}'/></iq>"));
    let form = answer(&mut hag).raw;
    assert!(["sinaddress", "sinname", "order}address"].iter().all(|part| form.contains(part)), "{form}");
    hag.send(&format!(
        "<iq type='get' id='q' to='{SERVICE}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    ));
    assert!(answer(&mut hag).raw.contains(SEARCH));
    let rows: [(&[(&str, &str)], &str); 4] = [
        (&[], "no-search-conditions"),
        (&[("q", "x"), ("all", "1")], "conflicting-fields"),
        (&[("q", "?!")], "invalid-search-terms"),
        (&[("q", "x"), ("key", "{urn:xmpp:channel-search:0:order}nusers")], "invalid-sort-key"),
    ];
    for (fields, condition) in rows {
        let refused = search(&mut hag, fields, "");
        assert!(refused.attr("type") == Some("error") && refused.raw.contains(condition), "{}", refused.raw);
    }
}

/// COMPAT: the same by the name it had before, as Converse.js asks.
#[test]
fn as_it_was_before_it_was_a_xep() {
    const BEFORE: &str = "https://xmlns.zombofant.net/muclumbus/search/1.0";
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let ask = |client: &mut Client, fields: &[(&str, &str)]| {
        let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
        let fields: String = fields.iter().map(field).collect();
        client.send(&format!(
            "<iq type='get' id='q' to='{SERVICE}'><search xmlns='{BEFORE}'>\
             <set xmlns='http://jabber.org/protocol/rsm'><max>10</max></set><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'><value>{BEFORE}#params</value></field>{fields}</x></search></iq>"
        ));
        answer(client)
    };
    let fields = [("q", "cov"), ("sinname", "true"), ("sinaddr", "true"), ("min_users", "1"), ("key", "address")];
    let found = ask(&mut hag, &fields);
    let result = found.find("result", BEFORE).unwrap_or_else(|| panic!("{}", found.raw));
    assert_eq!(result.elements().next().and_then(|item| item.attr("address")), Some(ROOM));
    for part in ["<name>coven</name>", "<is-open>true</is-open>", "<max>10</max>", ">semi<"] {
        assert!(found.raw.contains(part), "{part} in {}", found.raw);
    }
    configure(&mut crone, &[("muc#roomconfig_roomname", "A Dark Cave"), ("muc#roomconfig_membersonly", "1")]);
    let found = ask(&mut hag, &[("q", "dark")]).raw;
    assert!(found.contains("<name>A Dark Cave</name>") && !found.contains("is-open"), "{found}");
    let refused = ask(&mut hag, &[("q", "x"), ("key", "nusers")]);
    assert_eq!(condition(&refused), ("modify", "feature-not-implemented"));
    hag.send(&format!("<iq type='get' id='q' to='{SERVICE}'><search xmlns='{BEFORE}'/></iq>"));
    assert!(answer(&mut hag).raw.contains("#params"));
}

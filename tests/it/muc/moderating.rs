//! §8.2 to §8.5, §9.6 to §9.8: kicking, and who has voice or is a moderator.

use super::*;

/// §8.2.
#[test]
fn kick() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(&mut wicca, ADMIN, "<item nick='thirdwitch' role='none'><reason>Avaunt!</reason></item>");
    let why = "<actor nick='secondwitch'/><reason>Avaunt!</reason></item>";
    hag.expect(&gone(
        "thirdwitch",
        &format!("<item affiliation='none' role='none'>{why}<status code='110'/><status code='307'/>"),
    ));
    crone.expect(&gone(
        "thirdwitch",
        &format!("<item affiliation='none' jid='{{hag}}' role='none'>{why}<status code='307'/>"),
    ));
    // She may come back.
    enter(&mut hag, "thirdwitch");
}

/// §8.2: whom one cannot kick.
#[test]
fn kicks_that_are_refused() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    refused(&mut hag, "set", ADMIN, "<item nick='secondwitch' role='none'/>", ("auth", "forbidden"));
    refused(&mut wicca, "set", ADMIN, "<item nick='firstwitch' role='none'/>", ("cancel", "not-allowed"));
    refused(&mut wicca, "set", ADMIN, "<item nick='nobody' role='none'/>", ("cancel", "item-not-found"));
    // A moderator who is nothing else.
    set(&mut crone, ADMIN, "<item nick='thirdwitch' role='moderator'/>");
    refused(&mut hag, "set", ADMIN, "<item nick='secondwitch' role='none'/>", ("cancel", "not-allowed"));
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    set(&mut hag, ADMIN, "<item nick='Hecate' role='none'/>");
    refused(&mut hecate, "set", ADMIN, "<item nick='thirdwitch' role='none'/>", ("auth", "forbidden"));
}

/// §8.3, §8.4, §8.5: voice.
#[test]
fn voice() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(&mut wicca, ADMIN, "<item nick='thirdwitch' role='visitor'><reason>Hush</reason></item>");
    let why = "<actor nick='secondwitch'/><reason>Hush</reason></item>";
    hag.expect(&shown("thirdwitch", &format!("<item affiliation='none' role='visitor'>{why}<status code='110'/>")));
    crone.expect(&shown("thirdwitch", &format!("<item affiliation='none' jid='{{hag}}' role='visitor'>{why}")));
    ask(&mut wicca, "get", ADMIN, "<item role='visitor'/>");
    let list = answer(&mut wicca);
    assert!(list.raw.contains("thirdwitch") && list.raw.contains("hag@im.example/pda"), "{}", list.raw);
    set(&mut crone, ADMIN, "<item nick='thirdwitch' role='participant'/>");
    hag.expect(&shown(
        "thirdwitch",
        "<item affiliation='none' role='participant'><actor nick='firstwitch'/></item><status code='110'/>",
    ));
    // §8.4: not from an admin or owner; and not by anybody.
    refused(&mut wicca, "set", ADMIN, "<item nick='firstwitch' role='visitor'/>", ("cancel", "not-allowed"));
    refused(&mut crone, "set", ADMIN, "<item nick='secondwitch' role='participant'/>", ("cancel", "not-allowed"));
    refused(&mut hag, "set", ADMIN, "<item nick='thirdwitch' role='moderator'/>", ("auth", "forbidden"));
    refused(&mut hag, "get", ADMIN, "<item role='participant'/>", ("auth", "forbidden"));
}

/// §9.6 to §9.8: admins make moderators.
#[test]
fn moderators() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(&mut wicca, ADMIN, "<item nick='thirdwitch' role='moderator'/>");
    let item = "<item affiliation='none' jid='{hag}' role='moderator'><actor nick='secondwitch'/></item>";
    hag.expect(&shown("thirdwitch", &format!("{item}<status code='110'/>")));
    crone.expect(&shown("thirdwitch", item));
    // She sees now who the others are.
    hag.expect(&shown("firstwitch", "<item affiliation='owner' jid='{crone}' role='moderator'/>"));
    hag.expect(&shown("secondwitch", "<item affiliation='admin' jid='{wicca}' role='moderator'/>"));
    ask(&mut wicca, "get", ADMIN, "<item role='moderator'/>");
    let list = answer(&mut wicca);
    assert_eq!(list.find("query", ADMIN).map(|q| q.elements().count()), Some(3), "{}", list.raw);
    refused(&mut hag, "get", ADMIN, "<item role='moderator'/>", ("auth", "forbidden"));
    set(&mut wicca, ADMIN, "<item nick='thirdwitch' role='participant'/>");
    crone.expect(&shown(
        "thirdwitch",
        "<item affiliation='none' jid='{hag}' role='participant'><actor nick='secondwitch'/></item>",
    ));
    refused(&mut wicca, "set", ADMIN, "<item nick='firstwitch' role='participant'/>", ("cancel", "not-allowed"));
}

/// §17.4 number 4, and requests that are none.
#[test]
fn bad_requests() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    for item in [
        "",
        "<item nick='thirdwitch' role='none' affiliation='none'/>",
        "<item nick='thirdwitch'/>",
        "<item role='none'/>",
        "<item nick='thirdwitch' role='king'/>",
        "<item affiliation='king' jid='hag@im.example'/>",
        "<item affiliation='member'/>",
    ] {
        refused(&mut crone, "set", ADMIN, item, ("modify", "bad-request"));
    }
    refused(&mut crone, "set", ADMIN, "<item affiliation='member' jid='@'/>", ("modify", "jid-malformed"));
    refused(&mut crone, "get", ADMIN, "<item/>", ("modify", "bad-request"));
}

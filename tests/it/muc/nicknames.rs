//! §7.6, §7.7: another nickname, another availability.

use super::*;

/// §7.6: gone under the old name, there under the new one.
#[test]
fn change() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    hag.send(&format!("<presence to='{ROOM}/oldhag'/>"));
    hag.expect(&gone(
        "thirdwitch",
        "<item affiliation='none' nick='oldhag' role='participant'/><status code='110'/><status code='303'/>",
    ));
    hag.expect(&shown("oldhag", "<item affiliation='none' role='participant'/><status code='110'/>"));
    crone.expect(&gone(
        "thirdwitch",
        "<item affiliation='none' jid='{hag}' nick='oldhag' role='participant'/><status code='303'/>",
    ));
    crone.expect(&shown("oldhag", "<item affiliation='none' jid='{hag}' role='participant'/>"));
    // Only the case: that is allowed as well.
    hag.send(&format!("<presence to='{ROOM}/OldHag'/>"));
    crone.expect(&gone(
        "oldhag",
        "<item affiliation='none' jid='{hag}' nick='OldHag' role='participant'/><status code='303'/>",
    ));
    crone.expect(&shown("OldHag", "<item affiliation='none' jid='{hag}' role='participant'/>"));
}

/// §7.6: not somebody else's.
#[test]
fn conflict() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hecate@im.example' nick='Moon'/>");
    for nick in ["secondwitch", "moon"] {
        hag.send(&format!("<presence to='{ROOM}/{nick}' id='n'/>"));
        expect_error(&mut hag, "presence", "n", ("cancel", "conflict"));
    }
}

/// Two sessions of one nickname: one of them takes another, and comes back.
#[test]
fn one_session_of_two() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let mut cave = server.login("hag", "secret", "cave");
    enter(&mut cave, "thirdwitch");
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut cave]);
    cave.send(&format!("<presence to='{ROOM}/oldhag'/>"));
    crone.expect(&shown("thirdwitch", "<item affiliation='none' jid='{hag/pda}' role='participant'/>"));
    crone.expect(&shown("oldhag", "<item affiliation='none' jid='{hag/cave}' role='participant'/>"));
    let renamed = "<item affiliation='none' nick='oldhag' role='participant'/><status code='110'/><status code='303'/>";
    cave.expect(&gone("thirdwitch", renamed));
    cave.expect(&shown("oldhag", "<item affiliation='none' role='participant'/><status code='110'/>"));
    hag.expect(&shown("oldhag", "<item affiliation='none' role='participant'/>"));
    cave.send(&format!("<presence to='{ROOM}/thirdwitch'/>"));
    let back = "<item affiliation='none' jid='{hag/cave}' nick='thirdwitch' role='participant'/><status code='303'/>";
    crone.expect(&gone("oldhag", back));
    crone.expect(&shown("thirdwitch", "<item affiliation='none' jid='{hag/cave}' role='participant'/>"));
}

/// §7.7.
#[test]
fn availability() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    hag.send(&format!("<presence to='{ROOM}/thirdwitch' id='a'><show>xa</show><status>gone where</status></presence>"));
    let away = |x: &str| {
        format!(
            "<presence from='{ROOM}/thirdwitch' to='{{jid}}' id='a'><show>xa</show><status>gone where</status>\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/><x xmlns='{USER}'>{x}</x></presence>"
        )
    };
    hag.expect(&away("<item affiliation='none' role='participant'/><status code='110'/>"));
    crone.expect(&away("<item affiliation='none' jid='{hag}' role='participant'/>"));
    // Who comes later sees it.
    let mut hecate = server.online("hecate", "broom");
    let seen = enter(&mut hecate, "Hecate");
    assert!(seen[2].raw.contains("<show>xa</show>"), "{}", seen[2].raw);
}

/// §7.2.9: one session of several that takes another nickname is one occupant more.
#[test]
fn in_a_full_room() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let mut home = server.login("hag", "secret", "home");
    enter(&mut home, "thirdwitch");
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut home]);
    configure(&mut crone, &[("muc#roomconfig_maxusers", "3")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut home]);
    home.send(&format!("<presence to='{ROOM}/oldhag' id='n'/>"));
    expect_error(&mut home, "presence", "n", ("wait", "service-unavailable"));
    // The nickname of the other session, written otherwise.
    home.send(&format!("<presence to='{ROOM}/ThirdWitch' id='n'/>"));
    expect_error(&mut home, "presence", "n", ("cancel", "conflict"));
    configure(&mut crone, &[("muc#roomconfig_maxusers", "4")]);
    home.sync();
    home.send(&format!("<presence to='{ROOM}/oldhag' id='n'/>"));
    let seen = home.sync();
    assert!(seen.iter().any(|el| codes(el) == ["110", "303"]), "{seen:?}");
}

//! §10.2: what those who are there are shown when the configuration is another one.

use super::*;

const WHOIS: &str = "muc#roomconfig_whois";
const BROADCAST: &str = "muc#roomconfig_presencebroadcast";

/// Only that something has changed.
fn status(code: &str) -> String {
    format!(
        "<message from='{ROOM}' to='{{jid}}' type='groupchat'><x xmlns='{USER}'><status code='{code}'/></x></message>"
    )
}

/// §10.2.1: who did not see real addresses does from now on, or no more; moderators always do.
#[test]
fn real_addresses() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[(WHOIS, "anyone")]);
    hag.expect(&shown("firstwitch", "<item affiliation='owner' jid='{crone}' role='moderator'/>"));
    hag.expect(&shown("secondwitch", "<item affiliation='admin' jid='{wicca}' role='moderator'/>"));
    hag.expect(&status("172"));
    wicca.expect(&status("172"));
    configure(&mut crone, &[(WHOIS, "moderators")]);
    hag.expect(&shown("firstwitch", "<item affiliation='owner' role='moderator'/>"));
    hag.expect(&shown("secondwitch", "<item affiliation='admin' role='moderator'/>"));
    hag.expect(&status("173"));
    wicca.expect(&status("173"));
    wicca.expect_nothing();
    hag.expect_nothing();
}

/// §16.5.3 (`muc#roomconfig_presencebroadcast`): who is shown no more is gone, and comes back when it is.
#[test]
fn presence_of_roles() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut hecate]);
    configure(&mut crone, &[(BROADCAST, "moderator")]);
    wicca.expect(&gone("thirdwitch", "<item affiliation='none' jid='{hag}' role='none'/>"));
    wicca.expect(&gone("Hecate", "<item affiliation='none' jid='{hecate}' role='none'/>"));
    wicca.expect(&status("104"));
    hag.expect(&gone("Hecate", "<item affiliation='none' role='none'/>"));
    hag.expect(&status("104"));
    hecate.expect(&gone("thirdwitch", "<item affiliation='none' role='none'/>"));
    hecate.expect(&status("104"));
    // Participants are back, moderators are not to be seen.
    configure(&mut crone, &[(BROADCAST, "participant")]);
    let seen: Vec<El> = (0..4).map(|_| hag.next()).collect();
    let brief = |el: &El| (el.attr("from").unwrap_or_default().to_owned(), el.attr("type").map(str::to_owned));
    let seen: Vec<_> = seen.iter().map(brief).collect();
    let from = |nick: &str, kind: Option<&str>| (format!("{ROOM}{nick}"), kind.map(str::to_owned));
    let expected = [
        from("/firstwitch", Some("unavailable")),
        from("/secondwitch", Some("unavailable")),
        from("/Hecate", None),
        from("", Some("groupchat")),
    ];
    assert_eq!(seen, expected);
    hag.expect_nothing();
}

/// Both at once: who is shown again is with what is to be seen now.
#[test]
fn both_at_once() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    configure(&mut crone, &[(BROADCAST, "participant")]);
    hag.sync();
    let all = form(&[(WHOIS, "anyone")]).replace(
        "</x>",
        &format!("<field var='{BROADCAST}'><value>moderator</value><value>participant</value></field></x>"),
    );
    set(&mut crone, OWNER, &all);
    hag.expect(&shown("firstwitch", "<item affiliation='owner' jid='{crone}' role='moderator'/>"));
    hag.expect(&shown("secondwitch", "<item affiliation='admin' jid='{wicca}' role='moderator'/>"));
}

/// In a crowd only that it has changed.
#[test]
fn too_many_to_be_shown() {
    let server = TestServer::with(|c| c.limits.room_shown_again_max = 8);
    let (mut crone, _wicca, mut hag) = coven(&server);
    configure(&mut crone, &[(WHOIS, "anyone")]);
    hag.expect(&status("172"));
    hag.expect_nothing();
    // Who comes is shown as it is now.
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    hag.expect(&shown("Hecate", "<item affiliation='none' jid='{hecate}' role='participant'/>"));
}

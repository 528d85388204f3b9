//! When a device is told: while its client is away, whether that is gone for good, asleep, or the server was restarted.

use super::*;

/// A client that is there sees for itself; when it is gone its push service is told.
#[test]
fn only_while_the_client_is_away() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    let mut juliet = enabled(&server, "mobile", "phone");
    juliet.available();
    say(&mut romeo, "seen");
    juliet.expect("<message from='{romeo}' to='juliet@im.example' type='chat'><body>seen</body></message>");
    // There, but it takes no messages.
    juliet.send("<presence type='unavailable'/>");
    juliet.sync();
    say(&mut romeo, "kept");
    expect_told(&mut service, "phone", "kept");
    juliet.close();
    say(&mut romeo, "missed");
    expect_told(&mut service, "phone", "missed");
    let mut juliet = server.login("juliet", "secret", "mobile");
    juliet.send("<presence/>");
    for body in ["kept", "missed"] {
        while !juliet.next().raw.contains(body) {}
    }
    say(&mut romeo, "seen again");
    while !juliet.next().raw.contains("seen again") {}
    juliet.close();
    say(&mut romeo, "missed again");
    let told = notified(&mut service);
    assert_eq!((told.body(), told.count()), ("missed again".into(), "1".into()));
}

/// Another client of the account takes the messages. The phone is told if it will find them: in the archive.
#[test]
fn while_another_client_is_there() {
    let (mut server, mut service, mut romeo) = with_service(|c| c.archive.enabled = false);
    enabled(&server, "mobile", "phone").close();
    let mut desktop = server.login("juliet", "secret", "desktop");
    desktop.available();
    say(&mut romeo, "for the desktop");
    desktop.close();
    say(&mut romeo, "for all");
    expect_told(&mut service, "phone", "for all");

    server.restart_with(|c| c.archive.enabled = true);
    let mut service = server.login("push", "secret", "service");
    let mut desktop = server.login("juliet", "secret", "desktop");
    desktop.available();
    let mut romeo = server.login("romeo", "secret", "orchard");
    say(&mut romeo, "for the desktop and the archive");
    expect_told(&mut service, "phone", "for the desktop and the archive");
    let told = desktop.sync().iter().filter(|el| el.raw.contains("and the archive")).count();
    assert_eq!(told, 1);
}

/// Nobody is in memory after a restart: the registration is.
#[test]
fn after_a_restart() {
    let (mut server, _, _) = with_service(|_| ());
    enabled(&server, "mobile", "phone").close();
    server.restart();
    let mut service = server.login("push", "secret", "service");
    let mut romeo = server.login("romeo", "secret", "orchard");
    say(&mut romeo, "hi");
    expect_told(&mut service, "phone", "hi");
}

/// The service is told again how much there is when the account was forgotten in between.
#[test]
fn the_count_is_that_of_what_waits() {
    let (mut server, mut service, mut romeo) = with_service(|_| ());
    enabled(&server, "mobile", "phone").close();
    for n in 1..=3 {
        say(&mut romeo, &n.to_string());
        let told = notified(&mut service);
        assert_eq!((told.body(), told.count()), (n.to_string(), n.to_string()));
        accept(&mut service, &told);
    }
    server.restart();
    let mut service = server.login("push", "secret", "service");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    say(&mut romeo, "4");
    let told = notified(&mut service);
    assert_eq!((told.count(), told.field("pending-subscription-count")), ("4".into(), Some("1".into())));
    assert_eq!(told.field("last-message-sender"), Some(romeo.jid.clone().expect("bound")));
}

/// Waits until juliet's session has lost its connection.
fn lose(server: &TestServer, juliet: Client) {
    drop(juliet);
    let begun = std::time::Instant::now();
    let detached = || {
        let account = server.server().core().accounts.find("juliet@im.example").expect("in memory");
        let state = account.lock();
        state.resources.iter().any(|b| b.is_detached())
    };
    while !detached() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the session still has a connection");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// XEP-0198: a session that may be resumed is asleep.
#[test]
fn while_a_session_has_no_connection() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    let mut juliet = enabled(&server, "mobile", "phone");
    juliet.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    juliet.expect("<enabled xmlns='urn:xmpp:sm:3' id='{sm}' resume='true' max='{any}'/>");
    juliet.send("<presence/>");
    juliet.expect("<presence from='{juliet}' to='{juliet}'/>");
    juliet.send("<r xmlns='urn:xmpp:sm:3'/>");
    let (id, mut answered) = (juliet.var("sm"), false);
    while !answered {
        answered = juliet.next().name == "a";
    }
    // Sent into a tunnel: nobody has acknowledged it when the connection is found to be gone.
    say(&mut romeo, "into the tunnel");
    lose(&server, juliet);
    expect_told(&mut service, "phone", "into the tunnel");
    say(&mut romeo, "into the store");
    expect_told(&mut service, "phone", "into the store");

    // Back again it is awake, asleep again it is told.
    let mut juliet = server.connect();
    juliet.secure();
    juliet.authenticate("SCRAM-SHA-256", "juliet", "secret");
    juliet.open_to_features();
    juliet.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='1'/>"));
    juliet.expect("<resumed xmlns='urn:xmpp:sm:3' previd='{any}' h='{any}'/>");
    let mut bodies = 0;
    while bodies < 2 {
        bodies += usize::from(juliet.next().name == "message");
    }
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='3'/><r xmlns='urn:xmpp:sm:3'/>");
    while juliet.next().name != "a" {}
    lose(&server, juliet);
    say(&mut romeo, "again");
    let told = notified(&mut service);
    assert_eq!((told.body(), told.count()), ("again".into(), "1".into()));
}

/// XEP-0280: copies of what another client is sent count as the messages themselves, copies of what one sends do not.
#[test]
fn copies_wait_for_a_session_without_connection() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    let mut juliet = enabled(&server, "mobile", "phone");
    juliet.send(
        "<enable xmlns='urn:xmpp:sm:3' resume='true'/>\
         <iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq><presence/>",
    );
    while juliet.next().name != "presence" {}
    let mut desktop = server.login("juliet", "secret", "desktop");
    desktop.available();
    let say_to_desktop = |romeo: &mut Client, text: &str| {
        romeo.send(&format!("<message to='{{juliet/desktop}}' type='chat'><body>{text}</body></message>"));
        romeo.sync();
    };
    desktop.send("<message to='romeo@im.example' type='chat'><body>written by herself</body></message>");
    desktop.sync();
    say_to_desktop(&mut romeo, "into the tunnel");
    lose(&server, juliet);
    expect_told(&mut service, "phone", "into the tunnel");
    say_to_desktop(&mut romeo, "while it is gone");
    expect_told(&mut service, "phone", "while it is gone");
    let carbon = "<message type='chat' to='juliet@im.example'><received xmlns='urn:xmpp:carbons:2'>\
        <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='nurse@im.example/x' \
        to='juliet@im.example' type='chat'><body>forged</body></message></forwarded></received></message>";
    romeo.send(carbon);
    say_to_desktop(&mut romeo, "after the forged one");
    expect_told(&mut service, "phone", "after the forged one");
}

/// One notification at a time; what comes meanwhile is told in one more.
#[test]
fn many_messages_are_told_in_two_notifications() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    enabled(&server, "mobile", "phone").close();
    say(&mut romeo, "0");
    let first = notified(&mut service);
    assert_eq!(first.count(), "1");
    for n in 1..=20 {
        say(&mut romeo, &n.to_string());
    }
    service.expect_nothing();
    accept(&mut service, &first);
    let second = notified(&mut service);
    assert_eq!((second.body(), second.count()), ("20".into(), "21".into()));
    accept(&mut service, &second);
    say(&mut romeo, "21");
    expect_told(&mut service, "phone", "21");
}

/// Between two notifications there is a pause, but not when somebody calls.
#[test]
fn a_call_does_not_wait() {
    let (server, mut service, mut romeo) = with_service(|c| c.limits.push_pause_seconds = Duration::from_secs(3_600));
    enabled(&server, "mobile", "phone").close();
    say(&mut romeo, "1");
    expect_told(&mut service, "phone", "1");
    say(&mut romeo, "2");
    service.expect_nothing();
    romeo.send(
        "<message to='juliet@im.example' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='call'/>\
         <store xmlns='urn:xmpp:hints'/></message>",
    );
    let told = notified(&mut service);
    assert_eq!(told.count(), "3");
}

/// The account is gone, and with it who was to be told.
#[test]
fn an_account_that_was_removed() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    let mut juliet = enabled(&server, "mobile", "phone");
    juliet.send("<iq type='set' id='x'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    juliet.expect("<iq type='result' id='x' any-attrs='true'/>");
    drop(juliet);
    romeo.send("<message to='juliet@im.example' type='chat' id='m'><body>hi</body></message>");
    romeo.expect_stanza_error("message", "m", "cancel", "service-unavailable");
    server.account("juliet", "secret");
    assert_eq!(registered(&server), [""; 0]);
    say(&mut romeo, "hi");
    service.expect_nothing();
}

const INACTIVE: &str = "<inactive xmlns='urn:xmpp:csi:0'/>";
const ACTIVE: &str = "<active xmlns='urn:xmpp:csi:0'/>";

/// XEP-0352: a client that nobody looks at may be stopped by its system any moment. It is given the message all the same.
#[test]
fn while_nobody_looks_at_the_client() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    let mut juliet = enabled(&server, "mobile", "phone");
    juliet.available();
    juliet.send(INACTIVE);
    juliet.sync();
    for (body, count) in [("dark", "1"), ("still dark", "2")] {
        say(&mut romeo, body);
        let told = notified(&mut service);
        assert_eq!((told.body(), told.count()), (body.into(), count.into()));
        accept(&mut service, &told);
        while !juliet.next().raw.contains(body) {}
    }
    // A chat state wakes nobody.
    romeo.send("<message to='juliet@im.example' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
    romeo.sync();
    juliet.send(ACTIVE);
    juliet.sync();
    say(&mut romeo, "seen");
    while !juliet.next().raw.contains("seen") {}
    juliet.send(INACTIVE);
    juliet.sync();
    say(&mut romeo, "dark again");
    let told = notified(&mut service);
    assert_eq!((told.body(), told.count()), ("dark again".into(), "1".into()));
}

/// Each client answers for itself.
#[test]
fn while_one_of_two_clients_is_looked_at() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    let mut mobile = enabled(&server, "mobile", "phone");
    let mut tablet = enabled(&server, "tablet", "slate");
    mobile.available();
    tablet.available();
    mobile.sync();
    mobile.send(INACTIVE);
    mobile.sync();
    say(&mut romeo, "hi");
    expect_told(&mut service, "phone", "hi");
    service.expect_nothing();
}

#[test]
fn not_while_it_is_connected_if_the_settings_say_so() {
    let (server, mut service, mut romeo) = with_service(|c| c.push.inactive_is_away = false);
    let mut juliet = enabled(&server, "mobile", "phone");
    juliet.available();
    juliet.send(INACTIVE);
    juliet.sync();
    say(&mut romeo, "dark");
    while !juliet.next().raw.contains("dark") {}
    juliet.close();
    say(&mut romeo, "gone");
    let told = notified(&mut service);
    assert_eq!((told.body(), told.count()), ("gone".into(), "1".into()));
}

//! §7.1: what a push service's errors mean for a registration.

use super::*;

/// Errors that will not go away end the registration.
#[test]
fn a_lasting_error_ends_the_registration() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    for (kind, condition) in [
        ("cancel", "item-not-found"),
        ("auth", "forbidden"),
        ("auth", "not-authorized"),
        ("cancel", "not-allowed"),
        ("modify", "not-acceptable"),
        ("cancel", "gone"),
        ("modify", "bad-request"),
    ] {
        enabled(&server, "mobile", "phone").close();
        say(&mut romeo, condition);
        let told = notified(&mut service);
        assert_eq!(told.body(), condition);
        refuse(&mut service, &told, kind, condition);
        service.sync();
        let begun = std::time::Instant::now();
        while !registered(&server).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(10), "{condition}: still registered");
        }
        say(&mut romeo, "nobody is told");
        service.expect_nothing();
    }
}

/// Trouble that may pass: tried again; a success in between makes up for it.
#[test]
fn trouble_is_tried_again() {
    let (server, mut service, mut romeo) = with_service(|c| c.limits.push_failures_max = 3);
    enabled(&server, "mobile", "phone").close();
    say(&mut romeo, "first");
    for _ in 0..2 {
        for (kind, condition) in [("wait", "resource-constraint"), ("cancel", "service-unavailable")] {
            let told = notified(&mut service);
            assert_eq!(told.body(), "first");
            refuse(&mut service, &told, kind, condition);
        }
        expect_told(&mut service, "phone", "first");
        service.sync();
        romeo.send("<message to='juliet@im.example' type='chat'><body>first</body></message>");
    }
    assert_eq!(registered(&server), ["phone"]);
}

/// What came while the service had trouble is told in its place.
#[test]
fn newer_news_go_first() {
    let (server, mut service, mut romeo) = with_service(|_| ());
    enabled(&server, "mobile", "phone").close();
    say(&mut romeo, "old");
    let told = notified(&mut service);
    say(&mut romeo, "new");
    refuse(&mut service, &told, "wait", "internal-server-error");
    expect_told(&mut service, "phone", "new");
    say(&mut romeo, "newest");
    expect_told(&mut service, "phone", "newest");
}

/// `push_failures_max` in a row are too many.
#[test]
fn too_much_trouble_ends_the_registration() {
    let (server, mut service, mut romeo) = with_service(|c| c.limits.push_failures_max = 3);
    enabled(&server, "mobile", "phone").close();
    say(&mut romeo, "hi");
    for _ in 0..3 {
        assert_eq!(registered(&server), ["phone"]);
        let told = notified(&mut service);
        refuse(&mut service, &told, "wait", "recipient-unavailable");
    }
    let begun = std::time::Instant::now();
    while !registered(&server).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "still registered");
    }
    service.expect_nothing();
}

/// Nobody answers: that is trouble.
#[test]
fn silence_is_trouble() {
    let (server, mut service, mut romeo) = with_service(|c| {
        c.limits.push_failures_max = 2;
        c.limits.push_answer_seconds_max = Duration::from_millis(50);
    });
    enabled(&server, "mobile", "phone").close();
    say(&mut romeo, "hi");
    for _ in 0..2 {
        notified(&mut service);
    }
    let begun = std::time::Instant::now();
    while !registered(&server).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "still registered");
    }
}

/// A service on another server, which we cannot reach: the registration stays, for the day when we can.
#[test]
fn an_unreachable_server_ends_nothing() {
    let (server, mut service, mut romeo) = with_service(|c| c.limits.push_failures_max = 1);
    let mut juliet = enabled(&server, "mobile", "phone");
    enable(&mut juliet, "jid='push.elsewhere.example' node='far'", "");
    juliet.close();
    say(&mut romeo, "hi");
    expect_told(&mut service, "phone", "hi");
    let core = server.server().core();
    let juliet = core.accounts.find("juliet@im.example").expect("in memory");
    let outcomes = || {
        let state = juliet.lock();
        let devices = &state.push.as_ref().expect("devices").0;
        let far = devices.iter().find(|d| d.registration.row.node == "far").expect("registered");
        core.push_log.of(&juliet.jid, &far.registration)
    };
    let begun = std::time::Instant::now();
    while outcomes().len() < 7 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", outcomes());
    }
    assert!(outcomes().iter().all(|a| &*a.outcome == "remote-server-not-found"), "{:?}", outcomes());
    assert_eq!(registered(&server), ["far", "phone"]);
}

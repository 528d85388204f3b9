//! Commands that clients notice.

use crate::support::{Home, Running};
use rustix::process::Signal;

fn server(home: &Home) -> Running {
    let server = home.serve("--allow-plaintext-auth");
    home.add("romeo@localhost");
    home.add("juliet@localhost");
    server
}

#[test]
fn sessions_are_listed_and_kicked() {
    let home = Home::new();
    let server = server(&home);
    let mut romeo = server.login("romeo");
    romeo.send("<presence><priority>5</priority></presence>");
    romeo.settle();
    let sessions = home.json("session list");
    let session = &sessions["sessions"][0];
    assert_eq!((&session["jid"], &session["peer"]), (&"romeo@localhost/here".into(), &"127.0.0.1".into()));
    assert_eq!((&session["available"], &session["priority"]), (&true.into(), &5.into()));
    assert_eq!(session["encrypted"], false);
    assert_eq!(session["transport"], "tcp");
    assert!(home.run("session list").out.contains("romeo@localhost/here  127.0.0.1  tcp, plain"));
    assert_eq!(home.json("session list juliet@localhost")["sessions"].as_array().unwrap().len(), 0);
    assert_eq!(home.json("user show romeo@localhost")["sessions"][0]["jid"], "romeo@localhost/here");

    assert_eq!(home.run("session kick romeo@localhost/elsewhere").code, 1);
    let kicked = home.json("session kick romeo@localhost/here --reason enough");
    assert_eq!(kicked["sessions"][0], "romeo@localhost/here");
    let last = romeo.rest();
    assert!(last.contains("policy-violation") && last.contains(">enough<"), "{last}");
    assert!(last.ends_with("</stream:stream>"), "{last}");
    assert_eq!(home.json("session list")["sessions"].as_array().unwrap().len(), 0);
}

#[test]
fn an_announcement_reaches_who_is_there() {
    let home = Home::new();
    let server = server(&home);
    let mut romeo = server.login("romeo");
    let _away = server.login("juliet");
    romeo.send("<presence/>");
    romeo.settle();
    assert_eq!(home.json("announce back&soon")["sessions"], 1);
    let message = romeo.until("</message>");
    for part in ["from='localhost'", "type='headline'", "to='romeo@localhost/here'", "<body>back&amp;soon</body>"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(home.run("announce hi --to example.org").code, 2);
}

#[test]
fn roster_changes_are_pushed_and_presence_follows() {
    let home = Home::new();
    let server = server(&home);
    let (mut romeo, mut juliet) = (server.login("romeo"), server.login("juliet"));
    for client in [&mut romeo, &mut juliet] {
        client.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>");
        client.settle();
    }
    let done = home.run("roster add romeo@localhost juliet@localhost --subscription to --group Verona --name Juliet");
    assert_eq!(done.code, 0, "{}", done.err);
    let push = romeo.settle();
    assert!(push.contains("subscription='to'") && push.contains("<group>Verona</group>"), "{push}");
    assert!(push.contains("<presence") && push.contains("from='juliet@localhost/here'"), "{push}");
    let push = juliet.settle();
    assert!(push.contains("subscription='from'") && !push.contains("<presence"), "{push}");

    assert_eq!(home.run("roster remove romeo@localhost juliet@localhost").code, 0);
    assert!(romeo.settle().contains("subscription='remove'"));
    assert_eq!(home.json("roster show juliet@localhost")["roster"][0]["subscription"], "none");
}

#[test]
fn waiting_messages_are_counted_and_deleted() {
    let home = Home::new();
    let server = server(&home);
    let mut romeo = server.login("romeo");
    romeo.send("<message to='juliet@localhost' type='chat'><body>1</body></message>");
    romeo.send("<message to='juliet@localhost' type='chat'><body>2</body></message>");
    romeo.settle();
    let waiting = home.json("offline list");
    assert_eq!(
        (&waiting["accounts"][0]["jid"], &waiting["accounts"][0]["messages"]),
        (&"juliet@localhost".into(), &2.into())
    );
    assert_eq!(home.json("offline list romeo@localhost")["accounts"][0]["messages"], 0);
    assert_eq!(home.json("offline purge juliet@localhost --older-than-days 1 -y")["messages"], 0);
    assert_eq!(home.run("offline purge juliet@localhost").code, 2, "nobody can be asked");
    assert_eq!(home.json("offline purge juliet@localhost -y")["messages"], 2);
    assert_eq!(home.json("offline list")["accounts"].as_array().unwrap().len(), 0);
    let mut juliet = server.login("juliet");
    juliet.send("<presence/>");
    assert!(!juliet.settle().contains("<message"));
}

#[test]
fn a_new_password_ends_sessions() {
    let home = Home::new();
    let server = server(&home);
    let mut romeo = server.login("romeo");
    let done = home.json("user passwd romeo@localhost --generate");
    assert_eq!(done["sessions_ended"], 1);
    assert!(romeo.rest().ends_with("</stream:stream>"));
}

#[test]
fn a_stop_says_goodbye_to_everybody() {
    for by_signal in [true, false] {
        let home = Home::new();
        // Romeo reads only later, and says nothing at all.
        home.write("magpie.toml", "[limits]\nclose_seconds_max = 0.1\n");
        let mut server = server(&home);
        let mut romeo = server.login("romeo");
        if by_signal {
            server.signal(Signal::TERM);
        } else {
            assert_eq!(home.run("stop").code, 0);
        }
        let last = romeo.rest();
        assert!(last.contains("system-shutdown") && last.ends_with("</stream:stream>"), "{last}");
        assert_eq!(server.ended(), 0);
    }
}

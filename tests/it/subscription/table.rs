//! RFC 6121 Appendix A, driven row by row over real sockets: each of the nine states, each of the four stanzas, from the
//! user (A.2) and from the contact (A.3).
//!
//! The user's state is written into storage. The other side is put into whatever state lets it pass the stanza on
//! (inbound), or show that it arrived (outbound); the tables speak of one side only.

use crate::support::contacts::{STATES, item, presences, push};
use crate::support::xml::El;
use crate::support::{Client, TestServer};

/// Existing states as in [`STATES`]; passed on?; new state, with `!` where the pre-approval of §3.4 is noted.
type Rows = [(bool, &'static str); 9];

/// What is compared for each row.
#[derive(PartialEq, Debug)]
struct Outcome {
    /// Did the stanza reach the other side (outbound) or the user (inbound)?
    passed: bool,
    /// The item that was pushed to the user: only a change that shows is pushed.
    pushed: Vec<String>,
    /// The user's roster afterwards.
    item: String,
    /// Is a request shown at the next initial presence ("Pending In")?
    pending_in: bool,
}

fn expected(contact: &str, before: &str, passed: bool, after: &str) -> Outcome {
    let shown = |state: &str| match state.strip_suffix('!') {
        Some(state) => item(contact, state).replace("/>", " approved='true'/>"),
        None => item(contact, state),
    };
    let pushed = if shown(before) == shown(after) { Vec::new() } else { vec![shown(after)] };
    let pending_in = after.split_once('+').is_some_and(|(_, pending)| pending.contains("In"));
    Outcome { passed, pushed, item: shown(after), pending_in }
}

/// An item as [`item`] writes it.
fn written(el: &El) -> String {
    let attr = |name: &str| el.attr(name).map(|value| format!(" {name}='{value}'")).unwrap_or_default();
    format!("<item{}{}{}{}/>", attr("jid"), attr("subscription"), attr("ask"), attr("approved"))
}

fn pushed(client: &mut Client, seen: &[El]) -> Vec<String> {
    let pushes = seen.iter().filter(|el| el.name == "iq");
    pushes
        .map(|el| {
            client.matches(&push("<any/>"), el).unwrap();
            written(el.elements().next().unwrap().elements().next().unwrap())
        })
        .collect()
}

/// The state a new session finds.
fn look(server: &TestServer, user: &str) -> (String, bool) {
    let mut client = server.login(user, "secret", "look");
    let item = client.roster().first().map(written).unwrap_or_default();
    let pending = !presences(&client.available(), "subscribe").is_empty();
    client.close();
    (item, pending)
}

/// Runs the rows. `partner` is the state of the contact, `outbound` says whose stanza it is.
fn run(kind: &str, rows: Rows, partner: &str, outbound: bool) {
    let mut server = TestServer::start();
    let mut failures = Vec::new();
    let mut afterwards = Vec::new();
    for (n, (before, (passed, after))) in STATES.into_iter().zip(rows).enumerate() {
        let (user, contact) = (format!("user{n}"), format!("contact{n}"));
        server.accounts(&[&user, &contact]);
        server.contact(&user, &contact, before);
        server.contact(&contact, &user, partner);
        let mut user_client = server.present(&user, "desk");
        let mut contact_client = server.present(&contact, "desk");
        user_client.sync();
        let (user_jid, contact_jid) = (format!("{user}@im.example"), format!("{contact}@im.example"));
        let (sender, to, from) = match outbound {
            true => (&mut user_client, &contact_jid, &user_jid),
            false => (&mut contact_client, &user_jid, &contact_jid),
        };
        sender.send(&format!("<presence type='{kind}' to='{to}'/>"));
        let sent = sender.sync();
        let received = if outbound { contact_client.sync() } else { user_client.sync() };
        let user_saw = if outbound { &sent } else { &received };
        if !outbound {
            let answered = presences(&sent, "subscribed") == [user_jid.as_str()];
            let automatic = kind == "subscribe" && (before.starts_with("From") || before == "Both");
            assert_eq!(answered, automatic, "inbound {kind} in {before}: answered for the user?");
        }
        let pushed = pushed(&mut user_client, user_saw);
        let (item, pending_in) = look(&server, &user);
        let arrived = presences(&received, kind);
        assert!(arrived.is_empty() || arrived == [from.as_str()], "{arrived:?}");
        let got = Outcome { passed: !arrived.is_empty(), pushed, item, pending_in };
        let wanted = expected(&contact_jid, before, passed, after);
        if got != wanted {
            failures.push(format!("{kind} in {before}:\n     got {got:?}\n  wanted {wanted:?}"));
        }
        afterwards.push((user, wanted));
    }
    server.restart();
    for (user, wanted) in afterwards {
        let found = look(&server, &user);
        if found != (wanted.item, wanted.pending_in) {
            failures.push(format!("{kind}: after a restart {user} has {found:?}"));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// RFC 6121 Appendix A.2.1.
#[test]
fn a_2_1_outbound_subscribe() {
    let rows = [
        (true, "None+Out"),
        (true, "None+Out"),
        (true, "None+OutIn"),
        (true, "None+OutIn"),
        (true, "To"),
        (true, "To+In"),
        (true, "From+Out"),
        (true, "From+Out"),
        (true, "Both"),
    ];
    run("subscribe", rows, "None", true);
}

/// RFC 6121 Appendix A.2.2.
#[test]
fn a_2_2_outbound_unsubscribe() {
    let rows = [
        (true, "None"),
        (true, "None"),
        (true, "None+In"),
        (true, "None+In"),
        (true, "None"),
        (true, "None+In"),
        (true, "From"),
        (true, "From"),
        (true, "From"),
    ];
    run("unsubscribe", rows, "From", true);
}

/// RFC 6121 Appendix A.2.3, with the pre-approval of §3.4.2.
#[test]
fn a_2_3_outbound_subscribed() {
    let rows = [
        (false, "None!"),
        (false, "None+Out!"),
        (true, "From"),
        (true, "From+Out"),
        (false, "To!"),
        (true, "Both"),
        (false, "From"),
        (false, "From+Out"),
        (false, "Both"),
    ];
    run("subscribed", rows, "None+Out", true);
}

/// RFC 6121 Appendix A.2.4.
#[test]
fn a_2_4_outbound_unsubscribed() {
    let rows = [
        (false, "None"),
        (false, "None+Out"),
        (true, "None"),
        (true, "None+Out"),
        (false, "To"),
        (true, "To"),
        (true, "None"),
        (true, "None+Out"),
        (true, "To"),
    ];
    run("unsubscribed", rows, "To", true);
}

/// RFC 6121 Appendix A.3.1.
#[test]
fn a_3_1_inbound_subscribe() {
    let rows = [
        (true, "None+In"),
        (true, "None+OutIn"),
        (false, "None+In"),
        (false, "None+OutIn"),
        (true, "To+In"),
        (false, "To+In"),
        (false, "From"),
        (false, "From+Out"),
        (false, "Both"),
    ];
    run("subscribe", rows, "None", false);
}

/// RFC 6121 Appendix A.3.2.
#[test]
fn a_3_2_inbound_unsubscribe() {
    let rows = [
        (false, "None"),
        (false, "None+Out"),
        (true, "None"),
        (true, "None+Out"),
        (false, "To"),
        (true, "To"),
        (true, "None"),
        (true, "None+Out"),
        (true, "To"),
    ];
    run("unsubscribe", rows, "To", false);
}

/// RFC 6121 Appendix A.3.3.
#[test]
fn a_3_3_inbound_subscribed() {
    let rows = [
        (false, "None"),
        (true, "To"),
        (false, "None+In"),
        (true, "To+In"),
        (false, "To"),
        (false, "To+In"),
        (false, "From"),
        (true, "Both"),
        (false, "Both"),
    ];
    run("subscribed", rows, "None+In", false);
}

/// RFC 6121 Appendix A.3.4.
#[test]
fn a_3_4_inbound_unsubscribed() {
    let rows = [
        (false, "None"),
        (true, "None"),
        (false, "None+In"),
        (true, "None+In"),
        (true, "None"),
        (true, "None+In"),
        (false, "From"),
        (true, "From"),
        (true, "From"),
    ];
    run("unsubscribed", rows, "From", false);
}

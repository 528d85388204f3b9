//! Own invitations: what became of them, and how they are withdrawn.

use super::making::{INVITE, execute, made, serve};
use super::{accepted, registered, show, stranger};
use crate::support::{Client, TestServer};

const LIST: &str = "invitations";
const REVOKE: &str = "revoke-invitations";

/// Links in the list, and what is said to it.
#[track_caller]
fn listed(client: &mut Client) -> Vec<String> {
    client.send(&execute(LIST, ">"));
    let answer = client.next().raw;
    assert!(answer.contains("status='completed'"), "{answer}");
    answer.split("<value>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

/// Withdraws these; what is said then.
#[track_caller]
fn revoked(client: &mut Client, tokens: &[&str]) -> String {
    client.send(&execute(REVOKE, ">"));
    let form = client.next().raw;
    assert!(form.contains("var='invitations'") && form.contains("type='list-multi'"), "{form}");
    let id = form.split("sessionid='").nth(1).unwrap().split('\'').next().unwrap();
    let values: String = tokens.iter().map(|token| format!("<value>{token}</value>")).collect();
    let form = format!("<x xmlns='jabber:x:data' type='submit'><field var='invitations'>{values}</field></x>");
    client.send(&execute(REVOKE, &format!("sessionid='{id}'>{form}")));
    let done = client.expect(
        "<iq type='result' id='c' from='im.example' to='{jid}'><command xmlns='http://jabber.org/protocol/commands' \
         node='revoke-invitations' sessionid='{any}' status='completed'><note type='info'>{any}</note></command></iq>",
    );
    done.raw.split("<note type='info'>").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

fn invite(client: &mut Client, who: &str) -> String {
    made(client, &execute(INVITE, ">"), INVITE, &format!("xmpp:{who}@im.example?roster;preauth=TOKEN;ibr=y"))
}

fn is_good(server: &TestServer, token: &str) -> bool {
    let mut client = stranger(server);
    client.send(&show(token));
    client.next().raw.contains("type='result'")
}

#[test]
fn invitations_are_listed_and_withdrawn_by_whoever_made_them() {
    let server = serve(|c| c.admins.push("juliet@im.example".into()));
    let (mut romeo, mut juliet) = (server.online("romeo", "orchard"), server.online("juliet", "balcony"));
    assert_eq!(listed(&mut romeo), [""; 0]);
    let [one, two, three] = [(); 3].map(|()| invite(&mut romeo, "romeo"));
    let hers = invite(&mut juliet, "juliet");
    let link = |token: &str| format!("https://web.example/invite/{token}");
    assert_eq!(listed(&mut juliet), [link(&hers)]);
    let mut all = listed(&mut romeo);
    all.sort_unstable();
    let mut expected = [link(&one), link(&two), link(&three)];
    expected.sort_unstable();
    assert_eq!(all, expected);
    // Of others' nothing is withdrawn, also by whoever knows them.
    assert_eq!(revoked(&mut juliet, &[&one]), "0 invitations are withdrawn.");
    assert!(is_good(&server, &one));
    assert_eq!(revoked(&mut romeo, &[]), "0 invitations are withdrawn.");
    assert_eq!(revoked(&mut romeo, &[&one, &three, &three, "nothing"]), "2 invitations are withdrawn.");
    assert!(!is_good(&server, &one) && !is_good(&server, &three) && is_good(&server, &two));
    // One that was used up is none any more.
    let mut paris = stranger(&server);
    accepted(&mut paris, &two);
    registered(&mut paris, "paris");
    assert_eq!(listed(&mut romeo), [""; 0]);
    romeo.send(&execute(REVOKE, ">"));
    assert!(romeo.next().raw.contains(">None of your invitations can be used any more.</note>"));
    assert_eq!(revoked(&mut juliet, &[&hers]), "One invitation is withdrawn.");
}

/// Whoever has no account that lasts has no invitations either, and learns nothing of such commands.
#[test]
fn guests_have_none() {
    let server = serve(|c| c.auth.anonymous_domains = vec!["im.example".into()]);
    let mut nobody = server.connect();
    nobody.secure();
    nobody.auth("ANONYMOUS", "");
    nobody.expect_sasl("success");
    nobody.open_to_features();
    nobody.bind("x");
    for node in [LIST, REVOKE] {
        nobody.send(&execute(node, ">"));
        nobody.expect_stanza_error("iq", "c", "auth", "forbidden");
    }
}

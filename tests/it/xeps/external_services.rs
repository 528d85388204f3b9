//! XEP-0215: what clients learn of STUN and TURN servers, and whether their credentials are what a TURN server computes.

use crate::support::xml::El;
use crate::support::{Client, TestServer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use magpie::config::{Access, Config, ExternalService};
use sha1::{Digest, Sha1};

const EXTDISCO: &str = "urn:xmpp:extdisco:2";
const SECRET: &str = "north";

fn service(kind: &str, host: &str, port: u16, access: Access) -> ExternalService {
    let (kind, host) = (kind.to_owned(), host.to_owned());
    ExternalService { kind, host, port: Some(port), transport: Some("udp".to_owned()), name: None, access }
}

fn some(config: &mut Config) {
    let fixed = Access::Static { username: "guest".to_owned(), password: "it's <open>".to_owned() };
    config.external.services = vec![
        service("stun", "stun.shakespeare.example", 9998, Access::Open),
        service("turn", "turn.shakespeare.example", 9999, Access::Shared(SECRET.to_owned())),
        service("turn", "turn.shakespeare.example", 443, Access::Shared("south".to_owned())),
        ExternalService {
            transport: None,
            port: None,
            name: Some("Shakespearean File Server".to_owned()),
            ..service("ftp", "192.0.2.1", 1, fixed)
        },
    ];
}

/// HMAC-SHA-1 as RFC 2104 §2 puts it, so that the server's own is not asked about itself.
fn hmac_sha1(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha1::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha1::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

/// Is it for this user, does it last as long as the settings say, is the password what a TURN server computes?
#[track_caller]
fn assert_credentials(service: &El, jid: &str, secret: &str, seconds: i64) {
    let get = |name| service.attr(name).unwrap_or_else(|| panic!("{service:?}"));
    let (until, user) = get("username").split_once(':').expect("two parts");
    assert_eq!(user, jid);
    assert_eq!(get("password"), STANDARD.encode(hmac_sha1(secret.as_bytes(), get("username").as_bytes())));
    let until: i64 = until.parse().expect("seconds");
    let expires: jiff::Timestamp = get("expires").parse().expect("a time");
    assert!(get("expires").ends_with('Z'), "UTC: {service:?}");
    assert_eq!(expires.as_second(), until);
    let left = until - magpie::clock::now_micros() / 1_000_000;
    assert!((seconds - 60..=seconds).contains(&left), "{left}");
    assert_eq!(get("restricted"), "true");
}

fn ask(client: &mut Client, payload: &str) -> Vec<El> {
    client.send(&format!("<iq type='get' id='x' to='im.example'>{payload}</iq>"));
    let answer = client.next();
    assert_eq!((answer.attr("type"), answer.attr("id")), (Some("result"), Some("x")), "{answer:?}");
    assert_eq!(answer.attr("from"), Some("im.example"));
    answer.elements().next().expect("a payload").elements().cloned().collect()
}

/// §3.1
#[test]
fn all_services_with_what_is_needed_to_use_them() {
    let server = TestServer::with(some);
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<iq type='get' id='ul2bc7y6' to='im.example'><services xmlns='urn:xmpp:extdisco:2'/></iq>");
    let answer = romeo.expect(
        "<iq type='result' id='ul2bc7y6' from='im.example' to='{jid}'><services xmlns='urn:xmpp:extdisco:2'>
            <service type='stun' host='stun.shakespeare.example' port='9998' transport='udp'/>
            <service type='turn' host='turn.shakespeare.example' port='9999' transport='udp' restricted='true'
                     username='{any}' password='{any}' expires='{any}'/>
            <service type='turn' host='turn.shakespeare.example' port='443' transport='udp' restricted='true'
                     username='{any}' password='{any}' expires='{any}'/>
            <service type='ftp' host='192.0.2.1' name='Shakespearean File Server' restricted='true'
                     username='guest' password='it&apos;s &lt;open&gt;'/>
        </services></iq>",
    );
    let services: Vec<&El> = answer.find("services", EXTDISCO).expect("services").elements().collect();
    assert_credentials(services[1], "romeo@im.example", SECRET, 86_400);
    assert_credentials(services[2], "romeo@im.example", "south", 86_400);
}

/// §3.2: the type asked for is repeated.
#[test]
fn services_of_one_type() {
    let server = TestServer::with(some);
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<iq type='get' id='s' to='im.example'><services xmlns='urn:xmpp:extdisco:2' type='stun'/></iq>");
    romeo.expect(
        "<iq type='result' id='s' from='im.example' to='{jid}'><services xmlns='urn:xmpp:extdisco:2' type='stun'>
         <service type='stun' host='stun.shakespeare.example' port='9998' transport='udp'/></services></iq>",
    );
    assert_eq!(ask(&mut romeo, "<services xmlns='urn:xmpp:extdisco:2' type='turn'/>").len(), 2);
    assert_eq!(ask(&mut romeo, "<services xmlns='urn:xmpp:extdisco:2' type='smtp'/>").len(), 0);
}

/// §3.3: all services with that host and type, or the one with that port.
#[test]
fn credentials_for_a_service() {
    let server = TestServer::with(|c| {
        some(c);
        c.external.credential_seconds = 600;
    });
    let mut romeo = server.online("romeo", "orchard");
    let asked = |attrs: &str| format!("<credentials xmlns='urn:xmpp:extdisco:2'><service {attrs}/></credentials>");
    let both = ask(&mut romeo, &asked("host='TURN.shakespeare.example' type='turn'"));
    assert_eq!(both.iter().map(|s| s.attr("port")).collect::<Vec<_>>(), [Some("9999"), Some("443")]);
    assert_credentials(&both[0], "romeo@im.example", SECRET, 600);
    let one = ask(&mut romeo, &asked("host='turn.shakespeare.example' type='turn' port='443'"));
    assert_eq!(one.len(), 1);
    assert_credentials(&one[0], "romeo@im.example", "south", 600);
    let fixed = ask(&mut romeo, &asked("host='192.0.2.1' type='ftp'"));
    assert_eq!(fixed[0].attr("username"), Some("guest"));
}

/// §3.3: 'host' and 'type' must be there; what is unknown, or needs no credentials, is not found.
#[test]
fn credentials_that_cannot_be_had() {
    let server = TestServer::with(some);
    let mut romeo = server.online("romeo", "orchard");
    let service = "<service host='turn.shakespeare.example' type='turn'/>";
    for (inside, kind, condition) in [
        ("", "modify", "bad-request"),
        ("<service host='turn.shakespeare.example'/>", "modify", "bad-request"),
        ("<service type='turn'/>", "modify", "bad-request"),
        ("<service host='turn.shakespeare.example' type='turn' port='99999'/>", "modify", "bad-request"),
        (&[service, service].concat(), "modify", "bad-request"),
        ("<service host='turn.shakespeare.example' type='turn' port='1'/>", "cancel", "item-not-found"),
        ("<service host='turn.shakespeare.example' type='turns'/>", "cancel", "item-not-found"),
        ("<service host='turn.capulet.example' type='turn'/>", "cancel", "item-not-found"),
        ("<service host='stun.shakespeare.example' type='stun'/>", "cancel", "item-not-found"),
    ] {
        romeo.send(&format!(
            "<iq type='get' id='c' to='im.example'><credentials xmlns='urn:xmpp:extdisco:2'>{inside}</credentials></iq>"
        ));
        romeo.expect_stanza_error("iq", "c", kind, condition);
    }
    romeo.send("<iq type='set' id='c' to='im.example'><services xmlns='urn:xmpp:extdisco:2'/></iq>");
    romeo.expect_stanza_error("iq", "c", "cancel", "not-allowed");
    romeo.send("<iq type='get' id='c' to='juliet@im.example'><services xmlns='urn:xmpp:extdisco:2'/></iq>");
    romeo.expect_stanza_error("iq", "c", "cancel", "service-unavailable");
}

/// Whoever may be a guest could use the relay for anything (§2: `restricted` without credentials).
#[test]
fn guests_get_no_credentials() {
    let server = TestServer::with(|c| {
        some(c);
        c.auth.anonymous_domains = vec!["im.example".to_owned()];
    });
    let mut guest = server.connect();
    guest.log_in("ANONYMOUS", "", "", "mask");
    let services = ask(&mut guest, "<services xmlns='urn:xmpp:extdisco:2'/>");
    assert_eq!(
        services.iter().map(|s| s.attr("restricted")).collect::<Vec<_>>(),
        [None, Some("true"), Some("true"), Some("true")]
    );
    assert!(services.iter().all(|s| s.attr("username").is_none() && s.attr("password").is_none()), "{services:?}");
    guest.send(
        "<iq type='get' id='c' to='im.example'><credentials xmlns='urn:xmpp:extdisco:2'>
         <service host='turn.shakespeare.example' type='turn'/></credentials></iq>",
    );
    guest.expect_stanza_error("iq", "c", "auth", "forbidden");
}

/// §5: the feature is there when there are services.
#[test]
fn without_services_there_is_no_such_thing() {
    let mut server = TestServer::start();
    let has_feature = |client: &mut Client| {
        ask(client, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
            .iter()
            .any(|el| el.attr("var") == Some(EXTDISCO))
    };
    let mut romeo = server.online("romeo", "orchard");
    assert!(!has_feature(&mut romeo));
    for payload in ["services", "credentials"] {
        romeo.send(&format!("<iq type='get' id='s' to='im.example'><{payload} xmlns='{EXTDISCO}'/></iq>"));
        romeo.expect_stanza_error("iq", "s", "cancel", "service-unavailable");
    }
    server.restart_with(some);
    let mut romeo = server.login("romeo", "secret", "orchard");
    assert!(has_feature(&mut romeo));
}

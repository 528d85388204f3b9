//! The pages of an invitation: what they say, what they keep to themselves, and the form by which an account is made.

use magpie::attempts::{Allowance, Purpose, Start};
use magpie::config::{Config, RegistrationMode};
use magpie::storage::InviteKind;

use super::wire::{Answer, Http};
use crate::support::TestServer;

const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64)";

fn serve(adjust: impl FnOnce(&mut Config)) -> TestServer {
    super::serve(|c| {
        c.http.public_url = "https://web.example".into();
        adjust(c);
    })
}

/// Romeo invites, to an account and as a contact.
fn inviting() -> TestServer {
    let server = serve(|_| {});
    server.account("romeo", "secret");
    server.invite("t0ken", |invite| (invite.kind, invite.inviter) = (InviteKind::Both, server.person("romeo")));
    server
}

#[track_caller]
fn post(server: &TestServer, token: &str, body: &str, lines: &[&str]) -> Answer {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let mut http = Http::plain(server);
    http.send(format!(
        "POST /invite/{token}/register HTTP/1.1\r\nHost: im.example\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n{lines}\r\n{body}",
        body.len()
    ));
    http.answer()
}

fn filled(username: &str, password: &str) -> String {
    format!("username={username}&password={password}&again={password}")
}

#[track_caller]
fn says(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.text().contains(text), "{text}: {}", answer.text());
    kept_secret(answer);
}

/// The token stands in the address: no copy, no list, no Referer; nothing from elsewhere, and nothing that runs.
#[track_caller]
fn kept_secret(answer: &Answer) {
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("x-robots-tag"), Some("noindex, nofollow"));
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    for part in ["frame-ancestors 'none'", "base-uri 'none'", "form-action"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
    let html = answer.text();
    for loading in ["<script", "<link", "<img", "<iframe", "src=", "@import", "url("] {
        assert!(!html.contains(loading), "{loading}: {html}");
    }
}

/// XEP-0401 §5.2: who invites, a button with the URI, clients, and the way on.
#[test]
fn the_link_leads_to_a_page() {
    let server = inviting();
    let answer = Http::plain(&server).ask("GET", "/invite/t0ken", &[BROWSER]);
    says(&answer, 200, "romeo invites you to chat");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    for part in [
        "href=\"xmpp:romeo@im.example?roster;preauth=t0ken;ibr=y\"",
        "romeo@im.example",
        "href=\"t0ken/register\"",
        "<svg class=\"qr\"",
        "For Linux: <a href=\"https://dino.im/\"",
        "https://conversations.im/",
        "name=\"viewport\"",
    ] {
        assert!(answer.text().contains(part), "{part}: {}", answer.text());
    }
    assert!(answer.header("content-security-policy").unwrap().contains("form-action 'none'"));
    let head = Http::plain(&server).ask("HEAD", "/invite/t0ken", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(server.uses_left("t0ken"), 1, "looking uses nothing");
}

#[test]
fn each_kind_has_its_words() {
    let server = inviting();
    server.invite("account", |_| {});
    server.invite("named", |invite| invite.username = Some("juliet".into()));
    server.invite("contact", |invite| {
        (invite.kind, invite.inviter) = (InviteKind::Contact, server.person("romeo"));
    });
    let get = |token: &str| Http::plain(&server).get(&format!("/invite/{token}"));
    says(&get("account"), 200, "You are invited to im.example");
    says(&get("account"), 200, "href=\"xmpp:im.example?register;preauth=account\"");
    says(&get("named"), 200, "juliet@im.example");
    let contact = get("contact");
    says(&contact, 200, "href=\"xmpp:romeo@im.example?roster;preauth=contact\"");
    assert!(!contact.text().contains("/register"));
    says(&get("contact/register"), 403, "No new accounts");
    says(&post(&server, "contact", &filled("juliet", "correct horse"), &[]), 403, "No new accounts");
}

/// Unknown, expired, used up: each says what a person can do about it.
#[test]
fn an_end_is_told_kindly() {
    let server = serve(|_| {});
    let now_us = magpie::clock::now_micros();
    server.invite("expired", |invite| (invite.created_us, invite.expires_us) = (now_us - 2, now_us - 1));
    server.invite("used", |invite| invite.uses_left = 0);
    for form in ["", "/register"] {
        let get = |token: &str| Http::plain(&server).get(&format!("/invite/{token}{form}"));
        says(&get("expired"), 410, "This invitation has expired");
        says(&get("used"), 410, "This invitation has been used");
        for token in ["unknown", "a/b", "%3Cscript%3E", &"x".repeat(1_000)] {
            let answer = get(token);
            says(&answer, 404, "This invitation does not exist");
            assert!(!answer.text().contains(token));
        }
    }
    says(&Http::plain(&server).get("/invite/"), 404, "This invitation does not exist");
    assert_eq!(Http::plain(&server).get("/invite").status, 404);
    let closed = serve(|c| c.registration.mode = RegistrationMode::Closed);
    closed.invite("t0ken", |_| {});
    says(&Http::plain(&closed).get("/invite/t0ken"), 403, "No new accounts at the moment");
}

/// The account is there, the use is spent, and the inviter sees it at once.
#[test]
fn an_account_is_made_in_the_browser() {
    let server = inviting();
    let mut romeo = server.present("romeo", "orchard");
    let form = Http::plain(&server).get("/invite/t0ken/register");
    says(&form, 200, "<form method=\"post\" action=\"register\">");
    assert!(form.header("content-security-policy").unwrap().contains("form-action 'self'"));
    let answer =
        post(&server, "t0ken", &filled("Juliet", "correct+horse%20%26+battery"), &["Sec-Fetch-Site: same-origin"]);
    says(&answer, 201, "<b>juliet@im.example</b>");
    assert!(!answer.text().contains("horse") && answer.text().contains("is in your contacts"));
    romeo.expect_push("<item jid='juliet@im.example' subscription='both'/>");
    let mut juliet = server.login("juliet", "correct horse & battery", "balcony");
    juliet.expect_roster(&["<item jid='romeo@im.example' subscription='both'/>"]);
    says(&post(&server, "t0ken", &filled("paris", "correct+horse"), &[]), 410, "This invitation has been used");
}

/// A contact that could not be made is not told of.
#[test]
fn a_full_roster_is_no_promise() {
    let server = serve(|c| c.limits.roster_items_max = 1);
    server.account("romeo", "secret");
    server.contact("romeo", "mercutio@im.example", "Both");
    server.invite("t0ken", |invite| (invite.kind, invite.inviter) = (InviteKind::Both, server.person("romeo")));
    let answer = post(&server, "t0ken", &filled("juliet", "correct+horse"), &[]);
    says(&answer, 201, "juliet@im.example");
    assert!(!answer.text().contains("in your contacts"));
}

/// Where there is a web client, the new one is shown to it.
#[test]
fn the_way_to_the_web_client_is_told_if_there_is_one() {
    let home = tempfile::TempDir::new().unwrap();
    for name in ["converse.min.js", "converse.min.css"] {
        std::fs::write(home.path().join(name), "x").unwrap();
    }
    for installed in [true, false] {
        let server = serve(|c| {
            c.chat.enabled = installed;
            c.chat.directory = home.path().to_owned();
        });
        server.invite("t0ken", |_| {});
        let answer = post(&server, "t0ken", &filled("juliet", "correct+horse"), &[]);
        says(&answer, 201, "juliet@im.example");
        assert_eq!(answer.text().contains("href=\"../../chat\""), installed);
    }
}

/// What is wrong is said in the form, which keeps the name that was typed, and never the password.
#[test]
fn mistakes_are_told_in_the_form() {
    let server = inviting();
    let rows = [
        (filled("romeo", "correct+horse"), 409, "This name is taken"),
        (filled("", "correct+horse"), 422, "Please choose a name"),
        (filled("a+b", "correct+horse"), 422, "No account can have this name"),
        (filled("%5C20a", "correct+horse"), 422, "No account can have this name"),
        (filled("juliet", "short"), 422, "The password is too short"),
        (filled("juliet", "correct%07horse"), 422, "This password cannot be used"),
        ("username=juliet&password=correct+horse&again=other+horse".to_owned(), 422, "two different passwords"),
        ("username=juliet".to_owned(), 422, "The password is too short"),
    ];
    for (body, status, text) in rows {
        let answer = post(&server, "t0ken", &body, &[]);
        says(&answer, status, text);
        assert!(answer.text().contains("<form method=\"post\"") && !answer.text().contains("horse"), "{body}");
    }
    let attack = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let answer = post(&server, "t0ken", &filled(attack, "correct+horse"), &[]);
    says(&answer, 422, "value=\"&quot;&gt;&lt;script&gt;");
    assert_eq!(server.uses_left("t0ken"), 1);
    says(&post(&server, "t0ken", &filled("juliet%40im.example", "correct+horse"), &[]), 201, "juliet@im.example");
}

#[test]
fn a_kept_name_cannot_be_changed() {
    let server = serve(|_| {});
    server.invite("hers", |invite| invite.username = Some("juliet".into()));
    server.invite("any", |_| {});
    says(&Http::plain(&server).get("/invite/hers/register"), 200, "type=\"hidden\" name=\"username\" value=\"juliet\"");
    says(&post(&server, "any", &filled("juliet", "correct+horse"), &[]), 409, "This name is taken");
    says(&post(&server, "hers", &filled("paris", "correct+horse"), &[]), 422, "This invitation is for the name juliet");
    says(&post(&server, "hers", &filled("juliet", "correct+horse"), &[]), 201, "juliet@im.example");
}

/// What is no form of ours is not read.
#[test]
fn other_bodies_are_refused() {
    let server = inviting();
    let good = filled("juliet", "correct+horse");
    says(&post(&server, "t0ken", &good, &["Sec-Fetch-Site: cross-site"]), 403, "cannot be read");
    says(&post(&server, "t0ken", "username=%ff", &[]), 400, "cannot be read");
    says(&post(&server, "t0ken", "password=a&password=b", &[]), 400, "cannot be read");
    says(&post(&server, "t0ken", &filled("juliet", &"x".repeat(20_000)), &[]), 413, "cannot be read");
    let mut http = Http::plain(&server);
    http.send(format!(
        "POST /invite/t0ken/register HTTP/1.1\r\nHost: im.example\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{good}",
        good.len()
    ));
    says(&http.answer(), 415, "cannot be read");
    let mut http = Http::plain(&server);
    http.send("POST /invite/t0ken HTTP/1.1\r\nHost: im.example\r\nContent-Length: 0\r\n\r\n");
    says(&http.answer(), 405, "cannot be done here");
    assert_eq!(Http::plain(&server).ask("PUT", "/invite/t0ken", &["Content-Length: 0"]).status, 405);
    assert_eq!(server.uses_left("t0ken"), 1);
}

/// A password does not go over the wire in the clear: not where a proxy says that it would.
#[test]
fn a_password_goes_encrypted() {
    let server = inviting();
    let plain = &["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http"];
    let encrypted = &["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"];
    let landing = Http::plain(&server).ask("GET", "/invite/t0ken", plain);
    says(&landing, 200, "romeo invites you");
    assert!(!landing.text().contains("/register"));
    let form = Http::plain(&server).ask("GET", "/invite/t0ken/register", plain);
    says(&form, 403, "href=\"https://web.example/invite/t0ken/register\"");
    says(&post(&server, "t0ken", &filled("juliet", "correct+horse"), plain), 403, "encrypted");
    says(&Http::plain(&server).ask("GET", "/invite/t0ken/register", encrypted), 200, "<form");
    says(&post(&server, "t0ken", &filled("juliet", "correct+horse"), encrypted), 201, "juliet@im.example");
}

/// Forms that are sent side by side are no more than forms sent one after the other.
#[test]
fn forms_under_way_count() {
    let server = serve(|c| c.limits.registrations_per_address_per_hour_max = 1);
    server.invite("t0ken", |_| {});
    let attempts = &server.server().core().attempts;
    let ten = Allowance { attempts_max: 10, window_ms: 3_600_000, tracked_max: 1_000 };
    let start = || match attempts.start(Purpose::Name, "127.0.0.1", ten, magpie::clock::monotonic_ms()) {
        Start::Now(pending) => pending,
        other => panic!("{other:?}"),
    };
    let under_way: Vec<_> = (0..10).map(|_| start()).collect();
    says(&post(&server, "t0ken", &filled("juliet", "correct+horse"), &[]), 429, "Too many attempts");
    under_way.into_iter().for_each(|pending| attempts.settle(pending, false));
    says(&post(&server, "t0ken", &filled("juliet", "correct+horse"), &[]), 201, "juliet@im.example");
    // What succeeded does not count.
    let again: Vec<_> = (0..10).map(|_| start()).collect();
    assert_eq!(again.len(), 10);
}

/// Guessing tokens is like guessing passwords, from a browser as from a client; so is asking for names.
#[test]
fn guessing_has_a_limit() {
    let server = serve(|c| c.limits.failed_logins_per_address_max = 3);
    server.invite("t0ken", |_| {});
    let get = |token: &str| Http::plain(&server).get(&format!("/invite/{token}"));
    for _ in 0..3 {
        says(&get("guess"), 404, "does not exist");
    }
    says(&get("guess"), 429, "Please wait a while");
    says(&get("t0ken"), 429, "Please wait a while");
    let server = serve(|c| c.limits.registrations_per_address_per_hour_max = 1);
    server.account("romeo", "secret");
    server.invite("t0ken", |_| {});
    for _ in 0..10 {
        says(&post(&server, "t0ken", &filled("romeo", "correct+horse"), &[]), 409, "This name is taken");
    }
    says(&post(&server, "t0ken", &filled("romeo", "correct+horse"), &[]), 429, "Too many attempts");
    says(&post(&server, "t0ken", &filled("juliet", "correct+horse"), &[]), 429, "Too many attempts");
}

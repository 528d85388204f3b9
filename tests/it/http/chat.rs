//! The web client: its page, its files, and nothing else of the disk. What Converse.js makes of them, tests/run-clients says.

use std::fs;
use std::path::Path;

use super::serve;
use super::wire::{Answer, Http};
use crate::support::TestServer;
use magpie::config::{Config, RegistrationMode};
use tempfile::TempDir;

const SCRIPT: &str = "export default 1; // as long as it likes";

/// What `magpie chat install` leaves, in small.
fn installed() -> TempDir {
    let home = TempDir::new().unwrap();
    fs::create_dir_all(home.path().join("chat/images/logo")).unwrap();
    fs::create_dir_all(home.path().join("chat/.secret")).unwrap();
    for (name, text) in [
        ("chat/converse.min.js", SCRIPT),
        ("chat/converse.min.js.gz", "compressed"),
        ("chat/converse.min.css", "b{}"),
        ("chat/converse.min.js.map", "{}"),
        ("chat/emoji.json", "{}"),
        ("chat/curve.wasm", "\0asm"),
        ("chat/images/logo/a.svg", "<svg/>"),
        ("chat/.secret/a.js", "no"),
        ("chat/LICENSE", "be nice"),
        ("beside.js", "no"),
    ] {
        fs::write(home.path().join(name), text).unwrap();
    }
    home
}

fn with_client(home: &Path, adjust: impl FnOnce(&mut Config)) -> TestServer {
    serve(|c| {
        c.chat.directory = home.join("chat");
        adjust(c);
    })
}

/// RFC 9110 §13.1.2: the same file is not sent again.
#[track_caller]
fn is_kept(http: &mut Http, path: &str, answer: &Answer) {
    let tag = answer.header("etag").unwrap();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let line = format!("If-None-Match: W/\"other\", {tag}");
    let again = http.ask("GET", path, &[&line]);
    assert_eq!((again.status, again.header("etag"), again.body.len()), (304, Some(tag), 0));
    assert_eq!(again.header("cache-control"), answer.header("cache-control"), "§15.4.5");
    assert_eq!(http.ask("GET", path, &["If-None-Match: \"other\""]).status, 200);
}

#[test]
fn the_page_knows_this_server_and_reaches_nobody_else() {
    let home = installed();
    let server = with_client(home.path(), |_| {});
    let https = server.server().core().site.listening().unwrap().https[0].port();
    let page = Http::plain(&server).get("/chat");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let text = page.text();
    assert!(text.contains("data-domain=\"im.example\" data-locked=\"yes\" data-registration=\"closed\""), "{text}");
    assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("//"), "{text}");
    for element in text.split("<script").skip(1) {
        let is_ours = element.starts_with(" type=\"module\" src=\"chat/") && element.contains("js\"></script>");
        assert!(is_ours, "a script in the page: {text}");
    }
    assert!(!text.contains("style=") && !text.contains("<style"), "{text}");
    let uploads = format!("https://im.example:{https}");
    assert_eq!(
        page.header("content-security-policy").unwrap(),
        format!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
             font-src 'self'; img-src 'self' data: blob: {uploads}; media-src 'self' data: blob: {uploads}; \
             connect-src 'self' {uploads}; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
    );
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let moved = Http::plain(&server).get("/chat/");
    assert_eq!((moved.status, moved.header("location")), (308, Some("../chat")));
}

/// Into a page that comes in the clear no password should be typed; where the same one is encrypted is known.
#[test]
fn the_page_is_not_served_in_the_clear() {
    let home = installed();
    let server = with_client(home.path(), |c| c.http.public_url = "https://web.example".into());
    let ask = |lines: &[&str]| Http::plain(&server).ask("GET", "/chat", lines);
    let from = "X-Forwarded-For: 192.0.2.7";
    let refused = ask(&[from, "X-Forwarded-Proto: http"]);
    assert_eq!((refused.status, refused.text().contains("<script")), (403, false));
    assert!(refused.text().contains("href=\"https://web.example/chat\""), "{}", refused.text());
    assert_eq!(ask(&["X-Forwarded-Proto: http"]).status, 403);
    assert_eq!(ask(&[from, "X-Forwarded-Proto: https"]).status, 200);
    // A proxy that does not tell is the operator's.
    assert_eq!((ask(&[from]).status, ask(&[]).status), (200, 200));
    let unknown = with_client(home.path(), |c| c.http.tls_listen.clear());
    let refused = Http::plain(&unknown).ask("GET", "/chat", &[from, "X-Forwarded-Proto: http"]);
    assert_eq!((refused.status, refused.text().contains("another program")), (403, true));
}

/// Everything the page names is there, relative to it.
#[test]
fn what_the_page_loads_is_there() {
    let home = installed();
    let server = with_client(home.path(), |_| {});
    let mut http = Http::plain(&server);
    let page = http.get("/chat");
    let names: Vec<&str> = page.text().split("=\"chat/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(names, ["dist/images/favicon.ico", "dist/converse.min.css", "dist/converse.min.js", "start.js"]);
    let start = http.get("/chat/start.js");
    assert_eq!((start.status, start.header("content-type")), (200, Some("text/javascript; charset=utf-8")));
    is_kept(&mut http, "/chat/start.js", &start);
    for (name, media_type) in [
        ("converse.min.js", "text/javascript; charset=utf-8"),
        ("converse.min.css", "text/css; charset=utf-8"),
        ("emoji.json", "application/json"),
        ("curve.wasm", "application/wasm"),
        ("images/logo/a.svg", "image/svg+xml"),
    ] {
        let path = format!("/chat/dist/{name}");
        let answer = http.get(&path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{name}");
        assert_eq!(answer.body, fs::read(home.path().join("chat").join(name)).unwrap(), "{name}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("max-age=300"));
        // A picture with a script in it, opened by itself, runs nothing.
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'; frame-"), "{name}");
        is_kept(&mut http, &path, &answer);
        let head = http.ask("HEAD", &path, &[]);
        assert_eq!((head.status, head.header("etag")), (200, answer.header("etag")));
        assert_eq!(head.header("content-length"), Some(&*answer.body.len().to_string()));
        assert_eq!(http.ask("POST", &path, &["Content-Length: 0"]).status, 405);
    }
}

/// RFC 9110 §12.5.3, §8.8.3.3: another form is another entity.
#[test]
fn compressed_for_those_who_can_read_it() {
    let home = installed();
    let server = with_client(home.path(), |_| {});
    let mut http = Http::plain(&server);
    let path = "/chat/dist/converse.min.js";
    let plain = http.get(path);
    assert_eq!((plain.text(), plain.header("content-encoding")), (SCRIPT, None));
    let zipped = http.ask("GET", path, &["Accept-Encoding: deflate, gzip;q=0.8"]);
    assert_eq!((zipped.text(), zipped.header("content-encoding")), ("compressed", Some("gzip")));
    assert_eq!(zipped.header("content-type"), plain.header("content-type"));
    assert_ne!(plain.header("etag"), zipped.header("etag"));
    for answer in [&plain, &zipped] {
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
    }
    let refused = http.ask("GET", path, &["Accept-Encoding: gzip;q=0"]);
    assert_eq!(refused.text(), SCRIPT);
    assert_eq!(http.get("/chat/dist/emoji.json").header("vary"), None, "has one form");
    assert_eq!(http.get("/chat/dist/converse.min.js.gz").status, 404, "is not a file of its own");
}

#[test]
fn nothing_else_can_be_asked_for() {
    let home = installed();
    let server = with_client(home.path(), |_| {});
    let mut http = Http::plain(&server);
    for path in [
        "/chat/dist/../../beside.js",
        "/chat/dist/..%2f..%2fbeside.js",
        "/chat/dist/%2e%2e/%2e%2e/beside.js",
        "/chat/dist//converse.min.js",
        "/chat/dist/./converse.min.js",
        "/chat/dist/images/../converse.min.js",
        "/chat/dist/images/",
        "/chat/dist/images/logo",
        "/chat/dist/",
        "/chat/dist/LICENSE",
        "/chat/dist/converse.min.js.map",
        "/chat/dist/.secret/a.js",
        "/chat/dist/converse%2emin.js",
        "/chat/dist/converse.min.js%00",
        "/chat/dist/etc/passwd",
        "/chat/start.jsx",
        "/chat/converse.min.js",
        "/chatter",
    ] {
        let answer = http.get(path);
        assert_eq!((answer.status, answer.text()), (404, "there is nothing here\n"), "{path}");
    }
    // What came after the start is found at the next reload.
    fs::write(home.path().join("chat/later.js"), "1").unwrap();
    assert_eq!(http.get("/chat/dist/later.js").status, 404);
}

/// Who has it not installed is told how; nobody is led there.
#[test]
fn without_it_the_operator_is_told_the_command() {
    let home = TempDir::new().unwrap();
    let server = with_client(home.path(), |_| {});
    let mut http = Http::plain(&server);
    let page = http.get("/chat");
    assert_eq!((page.status, page.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("<code>magpie chat install</code>"), "{}", page.text());
    assert!(!http.get("/").text().contains("\"chat\""));
    for path in ["/chat/start.js", "/chat/dist/converse.min.js"] {
        assert_eq!(http.get(path).status, 404, "{path}");
    }
}

/// A directory that holds something else is the same to a visitor, and so is a client that is turned off.
#[test]
fn a_wrong_directory_stops_nothing() {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("chat")).unwrap();
    fs::write(home.path().join("chat/diary.js"), "dear").unwrap();
    let server = with_client(home.path(), |_| {});
    assert_eq!(Http::plain(&server).get("/chat").status, 404);
    assert_eq!(Http::plain(&server).get("/chat/dist/diary.js").status, 404);
    let home = installed();
    let server = with_client(home.path(), |c| c.chat.enabled = false);
    assert_eq!(Http::plain(&server).get("/chat").status, 404);
    assert_eq!(Http::plain(&server).get("/chat/dist/converse.min.js").status, 404);
}

/// A page belongs to the domain it was asked at; with several domains and another name anybody of them may log in.
#[test]
fn one_of_several_domains() {
    let home = installed();
    let server = with_client(home.path(), |c| c.domains.push("second.example".into()));
    let mut http = Http::plain(&server);
    let mut page = |host: &str| {
        http.send(format!("GET /chat HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let page = http.answer();
        let policy = page.header("content-security-policy").unwrap().to_owned();
        (page.text().to_owned(), policy)
    };
    let (text, policy) = page("second.example:5443");
    assert!(text.contains("data-domain=\"second.example\" data-locked=\"yes\""), "{text}");
    assert!(policy.contains("https://second.example:") && !policy.contains("im.example"), "{policy}");
    let (text, policy) = page("www.example");
    assert!(text.contains("data-domain=\"im.example\" data-locked=\"\""), "{text}");
    assert!(text.contains("data-media=\"im.example second.example www.example\""), "{text}");
    assert!(policy.contains("https://second.example:") && policy.contains("https://im.example:"), "{policy}");
    // RFC 9110 §7.2: what stands there is the client's word.
    let (text, _) = page("\"><script>");
    assert!(!text.contains("><script>"), "{text}");
}

#[test]
fn the_front_page_leads_there() {
    let home = installed();
    let server = with_client(home.path(), |_| {});
    let text = Http::plain(&server).get("/").text().to_owned();
    assert!(text.contains("<a class=\"button\" href=\"chat\">Log in and chat</a>"), "{text}");
    assert!(!text.contains("converse/register"), "nobody may");
    let server = with_client(home.path(), |c| c.registration.mode = RegistrationMode::Open);
    let mut http = Http::plain(&server);
    assert!(http.get("/").text().contains("href=\"chat#converse/register\""));
    assert!(http.get("/chat").text().contains("data-registration=\"open\""));
}

/// A proxy may put the whole server below a path: nothing on the pages begins at the root.
#[test]
fn pages_can_be_moved_below_a_path() {
    let home = installed();
    let server = with_client(home.path(), |c| c.http.public_url = "https://example.org/im".into());
    let mut http = Http::plain(&server);
    for path in ["/", "/chat"] {
        let page = http.get(path);
        assert!(!page.text().contains("=\"/"), "{}", page.text());
    }
    let page = http.get("/chat");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("connect-src 'self' https://example.org;"), "an origin has no path: {policy}");
}

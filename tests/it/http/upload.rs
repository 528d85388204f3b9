//! XEP-0363 §7: the upload itself, and fetching what was uploaded.

use std::path::PathBuf;
use std::time::Duration;

use super::serve;
use super::wire::{Answer, Http};
use crate::support::{Client, DOMAIN, TestServer};

/// Asks for a slot: its URL and the value of its header.
#[track_caller]
pub(crate) fn slot(client: &mut Client, name: &str, bytes: usize) -> (String, String) {
    slot_with(client, &format!("filename='{name}' size='{bytes}'"), "")
}

#[track_caller]
pub(super) fn slot_with(client: &mut Client, attributes: &str, child: &str) -> (String, String) {
    client.send(&format!(
        "<iq to='upload.{DOMAIN}' id='slot' type='get'><request xmlns='urn:xmpp:http:upload:0' {attributes}>{child}</request></iq>"
    ));
    let answer = client.next();
    let slot = answer.elements().next().filter(|el| el.name == "slot").unwrap_or_else(|| panic!("{}", answer.raw));
    let put = slot.find("put", "urn:xmpp:http:upload:0").unwrap();
    let key = put.find("header", "urn:xmpp:http:upload:0").unwrap().text();
    (put.attr("url").unwrap().to_owned(), key)
}

/// The path of a URL.
pub(crate) fn path(url: &str) -> &str {
    &url[url.match_indices('/').nth(2).unwrap().0..]
}

/// The head of an upload.
fn head(url: &str, key: &str, bytes: usize, more: &str) -> String {
    format!(
        "PUT {} HTTP/1.1\r\nHost: {DOMAIN}\r\nAuthorization: {key}\r\nContent-Length: {bytes}\r\n{more}\r\n",
        path(url)
    )
}

/// Uploads; it has to work.
#[track_caller]
pub(crate) fn put(server: &TestServer, url: &str, key: &str, bytes: &[u8]) {
    let mut http = Http::plain(server);
    http.send([head(url, key, bytes.len(), "").as_bytes(), bytes].concat());
    assert_eq!(http.answer().status, 201);
}

/// Sends a head and nothing behind it; the answer.
#[track_caller]
fn refusal(server: &TestServer, head: &str) -> u16 {
    let mut http = Http::plain(server);
    http.send(head);
    http.answer().status
}

fn fetch(server: &TestServer, url: &str, lines: &[&str]) -> Answer {
    Http::plain(server).ask("GET", path(url), lines)
}

/// Every file below the directory of uploads.
fn files(server: &TestServer) -> Vec<PathBuf> {
    let mut folders = vec![server.config().data_dir.join("uploads")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

/// Waits for what the server does beside its answers: that something it holds goes.
#[track_caller]
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

fn sweep(server: &TestServer) {
    server.runtime().block_on(magpie::uploads::sweep(server.server().core()));
}

#[test]
fn what_is_uploaded_can_be_fetched() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    // Longer than any buffer, and not a multiple of one.
    let bytes: Vec<u8> = (0..1_500_001u32).map(|n| ((n * 7) >> 3) as u8).collect();
    let (url, key) = slot_with(&mut romeo, "filename='à la carte.png' size='1500001' content-type='image/png'", "");
    assert_eq!(fetch(&server, &url, &[]).status, 404, "nothing there yet");
    let mut http = Http::plain(&server);
    http.send([head(&url, &key, bytes.len(), "Content-Type: image/png\r\n").as_bytes(), &bytes].concat());
    let made = http.answer();
    assert_eq!((made.status, made.header("access-control-allow-origin")), (201, Some("*")));
    // On the same connection.
    let got = http.get(path(&url));
    assert_eq!(got.status, 200);
    assert!(got.body == bytes);
    let header = |name| got.header(name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("content-length"), "1500001");
    assert_eq!(header("accept-ranges"), "bytes");
    assert_eq!(
        header("content-disposition"),
        "inline; filename=\"_ la carte.png\"; filename*=UTF-8''%C3%A0%20la%20carte.png"
    );
    assert!(header("cache-control").starts_with("private, max-age=86") && header("last-modified").ends_with(" GMT"));
    assert!(
        header("content-security-policy").starts_with("default-src 'none';")
            && header("content-security-policy").ends_with("sandbox")
    );
    assert_eq!((header("access-control-allow-origin"), header("x-content-type-options")), ("*", "nosniff"));
    assert_eq!(header("cross-origin-resource-policy"), "cross-origin");
    assert_eq!(files(&server).len(), 1);
    // And by TLS.
    assert!(Http::tls(&server, &[]).get(path(&url)).body == bytes);
}

#[test]
fn a_head_request_describes_the_file() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a.bin", 10);
    put(&server, &url, &key, b"0123456789");
    let head = Http::plain(&server).ask("HEAD", path(&url), &["Range: bytes=0-1"]);
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("10"), 0));
    assert_eq!(head.header("content-type"), Some("application/octet-stream"));
}

/// RFC 9110 §13, §14.
#[test]
fn parts_and_what_is_known_already() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a.bin", 10);
    put(&server, &url, &key, b"0123456789");
    let tag = fetch(&server, &url, &[]).header("etag").unwrap().to_owned();
    let part = |range: &str, body: &str, content_range: &str| {
        let got = fetch(&server, &url, &[range]);
        assert_eq!((got.status, got.text(), got.header("content-range")), (206, body, Some(content_range)), "{range}");
        assert_eq!(got.header("etag"), Some(tag.as_str()));
    };
    part("Range: bytes=0-3", "0123", "bytes 0-3/10");
    part("Range: bytes=4-", "456789", "bytes 4-9/10");
    part("Range: bytes=-3", "789", "bytes 7-9/10");
    part("Range: bytes=8-100", "89", "bytes 8-9/10");
    let beyond = fetch(&server, &url, &["Range: bytes=10-"]);
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
    let whole = |lines: &[&str]| {
        let got = fetch(&server, &url, lines);
        assert_eq!((got.status, got.text()), (200, "0123456789"), "{lines:?}");
    };
    whole(&["Range: bytes=0-1,4-5"]);
    whole(&["Range: lines=0-1"]);
    whole(&["Range: bytes=0-1", "If-Range: \"another\""]);
    whole(&["Range: bytes=0-1", "If-Range: Wed, 21 Oct 2015 07:28:00 GMT"]);
    whole(&["If-None-Match: \"another\""]);
    assert_eq!(fetch(&server, &url, &["Range: bytes=0-1", &format!("If-Range: {tag}")]).status, 206);
    for known in [format!("If-None-Match: {tag}"), format!("If-None-Match: W/{tag}"), "If-None-Match: *".into()] {
        let got = fetch(&server, &url, &[&known]);
        assert_eq!((got.status, got.header("etag")), (304, Some(tag.as_str())), "{known}");
    }
}

/// §9.1: what a browser would run is bytes, and saved.
#[test]
fn a_page_is_never_shown() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    for (name, kind) in
        [("a.html", "text/html"), ("a.svg", "image/svg+xml"), ("a.js", "text/javascript"), ("a.png", "IMAGE/SVG+XML")]
    {
        let (url, key) = slot_with(&mut romeo, &format!("filename='{name}' size='8' content-type='{kind}'"), "");
        put(&server, &url, &key, b"<script>");
        let got = fetch(&server, &url, &[]);
        assert_eq!(got.header("content-type"), Some("application/octet-stream"), "{name}");
        assert!(got.header("content-disposition").unwrap().starts_with("attachment; "), "{name}");
    }
    // Nor if only the upload says what it is.
    let (url, key) = slot(&mut romeo, "a", 1);
    let mut http = Http::plain(&server);
    http.send(head(&url, &key, 1, "Content-Type: text/html\r\n") + "x");
    assert_eq!(http.answer().status, 201);
    assert_eq!(fetch(&server, &url, &[]).header("content-type"), Some("application/octet-stream"));
}

/// §7: what a slot does not allow is refused before a byte is read, and the slot stays as it was.
#[test]
fn an_upload_has_to_be_as_was_said() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot_with(&mut romeo, "filename='a' size='10' content-type='image/png'", "");
    let (_, other_key) = slot(&mut romeo, "b", 10);
    let rows = [
        (403, head(&url, "Bearer AAAA", 10, "")),
        (403, head(&url, &key.replace("Bearer", "Basic"), 10, "")),
        (403, head(&url, &other_key, 10, "")),
        (403, head(&url, &key, 10, "").replace("Authorization", "X-Authorization")),
        (413, head(&url, &key, 11, "")),
        (400, head(&url, &key, 9, "")),
        (400, head(&url, &key, 0, "")),
        (411, head(&url, &key, 10, "").replace("Content-Length: 10", "Transfer-Encoding: chunked")),
        (415, head(&url, &key, 10, "Content-Type: image/jpeg\r\n")),
        (415, head(&url, &key, 10, "Content-Encoding: gzip\r\n")),
        (400, head(&url, &key, 10, "Content-Range: bytes 0-9/20\r\n")),
        (404, head(&url.replace("/a", "/b"), &key, 10, "")),
        (404, head(&format!("{url}/a"), &key, 10, "")),
        (404, head("https://x/upload/00000000000000000000000000000000/a", &key, 10, "")),
        (404, head("https://x/upload/../a", &key, 10, "")),
    ];
    for (status, head) in rows {
        assert_eq!(refusal(&server, &head), status, "{head}");
    }
    assert_eq!(files(&server), Vec::<PathBuf>::new());
    put(&server, &url, &key, b"0123456789");
}

#[test]
fn a_slot_is_good_for_one_file() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 1);
    put(&server, &url, &key, b"x");
    assert_eq!(refusal(&server, &head(&url, &key, 1, "")), 409);
    assert_eq!(fetch(&server, &url, &[]).text(), "x");
}

#[test]
fn a_slot_ends() {
    let server = serve(|c| c.upload.slot_seconds_max = Duration::from_millis(1));
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 1);
    until("the slot lives on", || refusal(&server, &head(&url, &key, 1, "")) == 410);
    // And makes room when it is cleared away.
    let storage = &server.server().core().storage;
    let expire = storage.upload_expire(magpie::clock::now_micros());
    assert_eq!(server.runtime().block_on(expire).unwrap(), 1);
    assert_eq!(refusal(&server, &head(&url, &key, 1, "")), 404);
}

/// Nothing of it is to be seen, and the slot is still good.
#[test]
fn an_upload_that_is_cut_leaves_nothing() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 1_000_000);
    let mut http = Http::plain(&server);
    http.send(head(&url, &key, 1_000_000, ""));
    http.send(vec![7; 600_000]);
    until("nothing is written", || files(&server).len() == 1);
    // While it goes on, nobody else may, and nobody sees anything.
    assert_eq!(refusal(&server, &head(&url, &key, 1_000_000, "")), 409);
    assert_eq!(fetch(&server, &url, &[]).status, 404);
    drop(http);
    until("half a file is left", || files(&server).is_empty());
    until("nobody may try again", || {
        server.server().core().site.counters.transfers.load(std::sync::atomic::Ordering::Relaxed) == 0
    });
    put(&server, &url, &key, &vec![7; 1_000_000]);
}

#[test]
fn an_upload_that_stalls_is_given_up() {
    let server = serve(|c| c.http.stall_seconds_max = Duration::from_millis(100));
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 10);
    let mut http = Http::plain(&server);
    http.send(head(&url, &key, 10, "") + "01234");
    assert_eq!(http.answer().status, 408);
    assert!(files(&server).is_empty());
}

/// A crash in the middle: what was not finished is cleared away at the next start.
#[test]
fn a_start_clears_away_what_was_not_finished() {
    let mut server = serve(|_| {});
    let unfinished = server.config().data_dir.join("uploads/unfinished/x");
    std::fs::write(&unfinished, "half").unwrap();
    server.restart();
    assert!(!unfinished.exists());
}

/// The disk does not take it.
#[test]
fn a_file_that_cannot_be_written_is_refused() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 1);
    let unfinished = server.config().data_dir.join("uploads/unfinished");
    std::fs::remove_dir(&unfinished).unwrap();
    assert_eq!(refusal(&server, &head(&url, &key, 1, "")), 500);
    // Nor its place: the folder of its name is a file.
    std::fs::create_dir(&unfinished).unwrap();
    let token = path(&url).split('/').nth(2).unwrap();
    let folder = server.config().data_dir.join("uploads").join(&token[..2]);
    std::fs::write(&folder, "").unwrap();
    assert_eq!(refusal(&server, &(head(&url, &key, 1, "") + "x")), 500);
    assert_eq!(files(&server), std::slice::from_ref(&folder));
    assert_eq!(fetch(&server, &url, &[]).status, 404);
    std::fs::remove_file(folder).unwrap();
    put(&server, &url, &key, b"x");
}

#[test]
fn transfers_are_limited() {
    let server = serve(|c| c.upload.transfers_max = 1);
    let mut romeo = server.online("romeo", "orchard");
    let (done, key) = slot(&mut romeo, "a", 1);
    put(&server, &done, &key, b"x");
    let (url, key) = slot(&mut romeo, "b", 2);
    let mut http = Http::plain(&server);
    http.send(head(&url, &key, 2, "") + "y");
    until("nothing is written", || files(&server).len() == 2);
    let refused = fetch(&server, &done, &[]);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("10")));
    http.send("z");
    assert_eq!(http.answer().status, 201);
    assert_eq!(fetch(&server, &done, &[]).status, 200);
}

/// Requests being answered count for the address a proxy asks for.
#[test]
fn a_proxy_does_not_hide_who_asks_too_much() {
    let server = serve(|c| {
        c.limits.exempt_addresses.clear();
        c.limits.connections_per_address_max = 3;
        c.upload.transfers_max = 100;
    });
    let mut romeo = server.online("romeo", "orchard");
    let mut held = Vec::new();
    let (url, key) = slot(&mut romeo, "a", 1);
    let mut http = Http::plain(&server);
    http.send(head(&url, &key, 1, "X-Forwarded-For: 192.0.2.1\r\n"));
    until("nothing is written", || files(&server).len() == 1);
    held.push(http);
    server.server().budget().set_limits(magpie::net::budget::BudgetLimits {
        connections_max: 1_000,
        per_address_max: 1,
        exempt: vec!["127.0.0.1".parse().unwrap()],
    });
    assert_eq!(Http::plain(&server).ask("GET", "/", &["X-Forwarded-For: 192.0.2.1"]).status, 429);
    assert_eq!(Http::plain(&server).ask("GET", "/", &["X-Forwarded-For: 192.0.2.2"]).status, 200);
}

#[test]
fn requests_in_flight_are_limited() {
    let server = serve(|c| c.http.requests_in_flight_max = 1);
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 1);
    let mut http = Http::plain(&server);
    http.send(head(&url, &key, 1, ""));
    until("nothing is written", || files(&server).len() == 1);
    assert_eq!(Http::plain(&server).get("/").status, 503);
    http.send("x");
    assert_eq!(http.answer().status, 201);
    assert_eq!(Http::plain(&server).get("/").status, 200);
}

/// §5.3: not after that time.
#[test]
fn an_ephemeral_file_is_gone_in_time() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let until_text = (jiff::Timestamp::now() + Duration::from_millis(1_500)).to_string();
    let purpose = format!("<ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='{until_text}'/>");
    let (url, key) = slot_with(&mut romeo, "filename='a' size='1'", &purpose);
    put(&server, &url, &key, b"x");
    until("the file lives on", || fetch(&server, &url, &[]).status == 404);
    let storage = &server.server().core().storage;
    server.runtime().block_on(storage.upload_expire(magpie::clock::now_micros())).unwrap();
    sweep(&server);
    assert!(files(&server).is_empty());
}

/// A user who goes takes the files along.
#[test]
fn files_go_with_their_account() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 1);
    put(&server, &url, &key, b"x");
    let (pending, pending_key) = slot(&mut romeo, "b", 1);
    romeo.send("<iq type='set' id='gone'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    romeo.expect("<iq type='result' id='gone' any-attrs='true'/>");
    assert_eq!(fetch(&server, &url, &[]).status, 404);
    assert_eq!(refusal(&server, &head(&pending, &pending_key, 1, "")), 404);
    sweep(&server);
    assert!(files(&server).is_empty());
}

/// An account that is removed while its file comes in.
#[test]
fn a_file_whose_slot_is_withdrawn_does_not_stay() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 2);
    let mut http = Http::plain(&server);
    http.send(head(&url, &key, 2, "") + "x");
    until("nothing is written", || files(&server).len() == 1);
    let token = path(&url).split('/').nth(2).unwrap();
    assert!(server.runtime().block_on(server.server().core().storage.upload_delete(token)).unwrap());
    sweep(&server);
    http.send("y");
    assert_eq!(http.answer().status, 410);
    assert!(files(&server).is_empty());
    sweep(&server);
    let gone = server.runtime().block_on(server.server().core().storage.upload_gone(10)).unwrap();
    assert_eq!(gone, Vec::<String>::new());
}

/// §8: pages of other sites may upload.
#[test]
fn a_browser_is_let_in() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let (url, _) = slot(&mut romeo, "a", 1);
    let lines = [
        "Origin: https://chat.example",
        "Access-Control-Request-Method: PUT",
        "Access-Control-Request-Headers: authorization",
    ];
    let answer = Http::plain(&server).ask("OPTIONS", path(&url), &lines);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("*")));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, PUT, OPTIONS"));
    assert!(answer.header("access-control-allow-headers").unwrap().starts_with("Authorization, Content-Type"));
    let refused = fetch(&server, &url, &["Origin: https://chat.example"]);
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (404, Some("*")));
}

/// RFC 9110 §10.1.1: who asks first is told before it sends.
#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let server = serve(|_| {});
    let mut romeo = server.online("romeo", "orchard");
    let (url, key) = slot(&mut romeo, "a", 1);
    let mut http = Http::plain(&server);
    http.send(head(&url, &key, 1, "Expect: 100-continue\r\n"));
    assert_eq!(http.answer().status, 100);
    http.send("x");
    assert_eq!(http.answer().status, 201);
    let mut http = Http::plain(&server);
    http.send(head(&url, &key, 1, "Expect: 100-continue\r\n"));
    assert_eq!(http.answer().status, 409);
}

//! What `/http-bind` is to HTTP (XEP-0124 §5, §7.1).

use super::*;
use crate::http::connections::{frame, preface};
use crate::http::upload::{path, put, slot};

#[test]
fn pages_of_other_sites_may_use_it() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    let options =
        http.ask("OPTIONS", "/http-bind", &["Origin: https://chat.example", "Access-Control-Request-Method: POST"]);
    assert_eq!(options.status, 204);
    assert_eq!(options.header("access-control-allow-origin"), Some("*"));
    assert_eq!(options.header("access-control-allow-methods"), Some("POST, OPTIONS"));
    assert_eq!(options.header("access-control-allow-headers"), Some("Content-Type"));
    post(&mut http, &creation(USUAL));
    let answer = http.answer();
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()), "and not in chunks");
    let refused = http.get("/http-bind");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("POST, OPTIONS")));
}

/// §7.1.
#[test]
fn a_client_may_ask_for_another_type() {
    let server = serve(|_| {});
    let (mut romeo, _) =
        Session::begin_on(Http::plain(&server), &format!("{USUAL} content='text/plain; charset=utf-8'"));
    romeo.send("pause='1'", "");
    assert_eq!(romeo.http.answer().header("content-type"), Some("text/plain; charset=utf-8"));
}

/// §5: what the header says is no concern of ours.
#[test]
fn the_type_of_a_request_is_ignored_and_its_encoding_is_not() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    let body_text = creation(USUAL);
    let ask = |http: &mut Http, header: &str| {
        let length = body_text.len();
        http.send(format!(
            "POST /http-bind HTTP/1.1\r\nHost: a\r\n{header}\r\nContent-Length: {length}\r\n\r\n{body_text}"
        ));
    };
    ask(&mut http, "Content-Type: application/x-www-form-urlencoded");
    assert!(body(&mut http).attr("sid").is_some());
    ask(&mut http, "Content-Encoding: gzip");
    expect_end(&mut http, "bad-request");
}

/// Fully compatible with HTTP/1.0 (§2).
#[test]
fn http_1_0_will_do() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    let text = creation(USUAL);
    http.send(format!("POST /http-bind HTTP/1.0\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
    let answer = http.text_to_end();
    assert!(answer.starts_with("HTTP/1.0 200") && answer.contains(" sid='"), "{answer}");
}

/// XEP-0156.
#[test]
fn host_meta_tells_of_it() {
    let server = serve(|_| {});
    let meta = Http::plain(&server).get("/.well-known/host-meta");
    let text = meta.text();
    assert!(text.contains("urn:xmpp:alt-connections:xbosh") && text.contains("/http-bind"), "{text}");
}

/// One connection may carry two requests at a time only with HTTP/2; with HTTP/1.1 the second one waits in line.
#[test]
fn requests_one_behind_the_other() {
    let server = serve(|_| {});
    let mut romeo = Session::login(&server, "romeo");
    let ping = |id: &str| format!("<iq xmlns='jabber:client' type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>");
    let (one, two) = (romeo.request("", &ping("1")), romeo.request("", &ping("2")));
    post(&mut romeo.http, &one);
    post(&mut romeo.http, &two);
    assert!(body(&mut romeo.http).raw.contains("id='1'"));
    assert!(body(&mut romeo.http).raw.contains("id='2'"));
}

/// While a request is held nothing else is done with its connection, and nothing that comes on it is lost.
#[test]
fn what_comes_behind_a_held_request_is_not_lost() {
    let server = serve(|_| {});
    let mut romeo = Session::login(&server, "romeo");
    let request = romeo.request("", "");
    let page = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "x".repeat(5_000));
    // All of it at once, and in two pieces.
    let (first, second) = page.split_at(100);
    post(&mut romeo.http, &request);
    romeo.http.send(first);
    romeo.http.send(second);
    let mut other = Http::plain(&server);
    post(&mut other, &romeo.request("", "<iq xmlns='jabber:client' type='result' id='none'/>"));
    expect_nothing(&mut romeo.http);
    assert!(romeo.http.answer().text().contains("im.example"));
    assert_eq!(romeo.http.get("/nothing").status, 404);
}

/// Of the answer before it nothing is kept back while a request is held: also not by TLS, for a client that is slow.
#[test]
fn the_answer_before_a_held_request_is_complete() {
    const BYTES: usize = 8 * 1024 * 1024;
    let server = serve(|c| c.upload.free_mib_min = 0);
    let mut juliet = server.login("juliet", "secret", "balcony");
    let (url, key) = slot(&mut juliet, "a", BYTES);
    put(&server, &url, &key, &vec![b'x'; BYTES]);
    let (mut romeo, _) = Session::begin_on(Http::tls(&server, &[b"http/1.1"]), USUAL);
    romeo.authenticate("romeo");
    romeo.bind("x");
    romeo.http.send(format!("GET {} HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n", path(&url)));
    romeo.send("", "");
    assert_eq!(romeo.http.answer().body.len(), BYTES);
    let mut other = Http::tls(&server, &[b"http/1.1"]);
    post(&mut other, &romeo.request("", SILENT));
    expect_nothing(&mut romeo.http);
}

/// A connection that asked to be closed is closed, behind the answer.
#[test]
fn a_held_request_may_be_the_last_one() {
    let server = serve(|_| {});
    let mut romeo = Session::login(&server, "romeo");
    let text = romeo.request("", "");
    let mut last = Http::plain(&server);
    last.send(format!(
        "POST /http-bind HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    ));
    romeo.send("pause='1'", "");
    expect_nothing(&mut last);
    last.expect_end();
    expect_nothing(&mut romeo.http);
}

/// A request by HTTP/2 (RFC 9113 §8.1, with the static table of RFC 7541).
fn post2(http: &mut Http, stream: u32, text: &str) {
    let literal = |index: u8, value: &str| {
        let mut field = vec![0x40 | index, u8::try_from(value.len()).unwrap()];
        field.extend(value.as_bytes());
        field
    };
    let (post, https) = (0x83, 0x87);
    let block = [vec![post, https], literal(4, "/http-bind"), literal(1, DOMAIN)].concat();
    const END_HEADERS: u8 = 4;
    const END_STREAM: u8 = 1;
    http.send([frame(1, END_HEADERS, stream, &block), frame(0, END_STREAM, stream, text.as_bytes())].concat());
}

/// The answer on this stream.
fn body2(http: &mut Http, stream: u32) -> El {
    let mut text = Vec::new();
    loop {
        let head = http.take(9);
        let payload = http.take(u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize);
        let (is_data, of) = (head[3] == 0, u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        if is_data && of == stream {
            text.extend(payload);
            if head[4] & 1 == 1 {
                return xml::parse(std::str::from_utf8(&text).unwrap(), &Vec::new()).unwrap();
            }
        }
    }
}

/// §4: with HTTP/2 one connection is enough.
#[test]
fn http2_carries_two_requests_at_a_time() {
    let server = serve(|_| {});
    let mut http = Http::tls(&server, &[b"h2"]);
    http.send(preface(&[]));
    post2(&mut http, 1, &creation(USUAL));
    let created = body2(&mut http, 1);
    let sid = created.attr("sid").unwrap().to_owned();
    let session = Session { http: Http::plain(&server), sid, rid: FIRST, seen: VecDeque::new() };
    post2(&mut http, 3, &session.numbered(FIRST + 1, "", ""));
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE'/>";
    post2(&mut http, 5, &session.numbered(FIRST + 2, "", auth));
    let first = body2(&mut http, 3);
    post2(&mut http, 7, &session.numbered(FIRST + 3, "pause='1'", ""));
    let second = body2(&mut http, 5);
    let failed = |answer: &&El| answer.raw.contains("invalid-mechanism");
    assert_eq!([&first, &second].iter().filter(|answer| failed(answer)).count(), 1, "{first:?} {second:?}");
}

/// RFC 9112 §6.1: whoever sends chunks may have come by somebody who counts otherwise; what lies behind is for nobody.
#[test]
fn a_body_in_chunks_is_the_last_one_of_its_connection() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    let (body, length) = (creation(USUAL), creation(USUAL).len());
    http.send(format!(
        "POST /http-bind HTTP/1.1\r\nHost: {DOMAIN}\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n\
         GET /healthz HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"
    ));
    let answer = http.answer();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(body_of(&answer).attr("sid").is_some());
    http.expect_end();
}

/// §7.1: nothing that a browser would take for a page of this server.
#[test]
fn answers_are_no_pages() {
    let server = serve(|_| {});
    for kind in ["text/html; charset=utf-8", "application/xhtml+xml", "image/svg+xml", "application/svg+xml"] {
        let mut http = Http::plain(&server);
        post(&mut http, &creation(&format!("{USUAL} content='{kind}'")));
        expect_end(&mut http, "bad-request");
    }
}

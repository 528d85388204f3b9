//! Requests that two servers in a row may read differently (RFC 9112 §6, §11.2): behind a proxy the second reading would be
//! somebody else's request.

use super::serve;
use super::wire::Http;

/// What follows each of these must not be taken for a request.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: hidden\r\n\r\n";

fn post(lines: &str, body: &str) -> String {
    format!("POST /nothing HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}")
}

#[test]
fn requests_that_can_be_read_in_two_ways_are_refused() {
    let server = serve(|_| {});
    let refused = [
        // §5.1: no white space before the colon; §5.2: no folded lines.
        post("Content-Length : 3\r\n", "abc"),
        post("X: a\r\n b\r\n", ""),
        post(" X: a\r\n", ""),
        // §6.3: lengths that are none, or several.
        post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"),
        post("Content-Length: 3, 4\r\n", "abc"),
        post("Content-Length: +3\r\n", "abc"),
        post("Content-Length: -3\r\n", "abc"),
        post("Content-Length: 0x3\r\n", "abc"),
        post("Content-Length: 99999999999999999999\r\n", "abc"),
        // §6.1: codings of which nobody knows where they end.
        post("Transfer-Encoding: identity\r\n", "abc"),
        post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
        post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        post("Transfer-Encoding: chunked\r\n", "").replace("HTTP/1.1", "HTTP/1.0"),
        // RFC 9110 §5.5: nothing that ends a line or a text.
        post("X: a\0b\r\n", ""),
        post("X: a\rY: b\r\n", ""),
        // RFC 9112 §3: one line, one target, a version.
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\nHost: a\r\n\r\n".to_owned(),
    ];
    for request in refused {
        let mut http = Http::plain(&server);
        http.send(format!("{request}{HIDDEN}"));
        assert_eq!(http.answer().status, 400, "{request:?}");
        http.expect_end();
    }
}

/// §6.1: with both, the coding counts and the length is nothing; what comes behind is for nobody.
#[test]
fn a_length_beside_a_coding_hides_nothing() {
    let server = serve(|_| {});
    for lines in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"]
    {
        let mut http = Http::plain(&server);
        http.send(post(lines, "0\r\n\r\n") + HIDDEN);
        let answer = http.answer();
        assert_eq!((answer.status, answer.header("connection")), (404, Some("close")), "{lines}");
        http.expect_end();
    }
}

/// §7.1: a chunk that is none ends the connection.
#[test]
fn a_body_in_broken_chunks_ends_the_connection() {
    let server = serve(|_| {});
    for body in
        ["g\r\nabc\r\n0\r\n\r\n", "fffffffffffffffff\r\nabc", "3\r\nabcdef\r\n0\r\n\r\n", "3\nabc\n0\n\n", "-1\r\n"]
    {
        let mut http = Http::plain(&server);
        http.send(post("Transfer-Encoding: chunked\r\n", body) + HIDDEN);
        let answer = http.answer();
        assert!(answer.status == 404 || answer.status == 400, "{body:?}: {answer:?}");
        http.expect_end();
    }
}

/// RFC 9112 §3.2: the host is told exactly once, and who asks whom is no secret.
#[test]
fn a_request_names_one_host() {
    let server = serve(|_| {});
    for lines in ["", "Host: a\r\nHost: b\r\n", "Host: a b\r\n", "Host: a/b\r\n"] {
        let mut http = Http::plain(&server);
        http.send(format!("GET / HTTP/1.1\r\n{lines}\r\n"));
        assert_eq!(http.answer().status, 400, "{lines:?}");
    }
    // HTTP/1.0 knew none.
    let mut http = Http::plain(&server);
    http.send("GET / HTTP/1.0\r\n\r\n");
    let answer = http.take(15);
    assert_eq!(answer, b"HTTP/1.0 200 OK");
}

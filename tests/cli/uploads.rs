//! `magpie upload …`, beside a running server and without one.

use crate::support::{Home, Running};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// Uploads a file of five bytes; its URL.
fn upload(server: &Running, user: &str, name: &str) -> String {
    let mut client = server.login(user);
    client.send(&format!(
        "<iq type='get' id='slot' to='upload.localhost'><request xmlns='urn:xmpp:http:upload:0' filename='{name}' size='5' \
         content-type='text/plain'/></iq>"
    ));
    let answer = client.until("</iq>");
    let between = |start: &str, end: &str| answer.split(start).nth(1).unwrap().split(end).next().unwrap().to_owned();
    let (url, key) = (between("url='", "'"), between("Bearer ", "<"));
    let path = &url[url.find("/upload/").unwrap()..];
    let mut http = TcpStream::connect(server.ready["http"][0].as_str().unwrap()).unwrap();
    let head = "Host: localhost\r\nConnection: close\r\nContent-Length: 5";
    write!(http, "PUT {path} HTTP/1.1\r\n{head}\r\nAuthorization: Bearer {key}\r\n\r\n12345").unwrap();
    let mut answer = String::new();
    http.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    url
}

fn token(url: &str) -> &str {
    url.split('/').nth(4).unwrap()
}

#[test]
fn files_are_shown_and_deleted() {
    let home = Home::new();
    home.add("romeo@localhost");
    home.add("juliet@localhost");
    let mut server = home.serve("--allow-plaintext-auth");
    let (one, two) = (upload(&server, "romeo", "one.txt"), upload(&server, "romeo", "two.txt"));
    let hers = upload(&server, "juliet", "hers.txt");

    let list = home.json("upload list romeo@localhost");
    let files = list["files"].as_array().unwrap();
    assert_eq!(
        (files.len(), files[0]["name"].as_str(), files[1]["file"].as_str()),
        (2, Some("one.txt"), Some(token(&two)))
    );
    assert_eq!((files[0]["bytes"].as_u64(), files[0]["content_type"].as_str()), (Some(5), Some("text/plain")));
    assert!(home.run("upload list romeo@localhost").out.contains("two.txt"));
    let usage = home.json("upload usage");
    assert_eq!(
        usage["users"][1],
        serde_json::json!({ "jid": "romeo@localhost", "files": 2, "bytes": 10, "pending": 0 })
    );
    assert!(home.run("upload usage").out.ends_with("together 3 files, 15 bytes\n"));
    assert_eq!(home.json(&format!("upload show {one}"))["jid"], "romeo@localhost");
    assert!(home.run(&format!("upload show {}", token(&one))).out.contains("one.txt"));

    let place = |url: &str| home.path("data/uploads").join(&token(url)[..2]).join(token(url));
    assert!(place(&one).exists());
    assert_eq!(home.run(&format!("upload delete {one} --yes")).code, 0);
    assert!(!place(&one).exists() && place(&two).exists());
    assert_eq!(home.run(&format!("upload delete {one} --yes")).code, 1, "twice");
    assert_eq!(home.run("upload show nothing").code, 2);
    assert_eq!(home.run("upload list nobody@localhost").code, 1);
    assert_eq!(home.json("upload purge romeo@localhost --older-than-days 1 --yes")["files"], 0);
    assert_eq!(home.json("upload purge romeo@localhost --yes")["files"], 1);
    assert!(!place(&two).exists());

    // Without a server as well; an account that is removed takes its files along.
    assert_eq!(home.run("stop").code, 0);
    assert_eq!(server.ended(), 0);
    assert_eq!(home.json("upload usage")["users"].as_array().unwrap().len(), 1);
    assert!(place(&hers).exists());
    assert_eq!(home.json("upload purge juliet@localhost --yes")["files"], 1);
    assert!(!place(&hers).exists());
}

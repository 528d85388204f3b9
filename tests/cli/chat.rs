//! `magpie chat install`, as far as it goes without the package; the rest is in tests/run-clients.

use crate::support::Home;

#[test]
fn only_the_package_that_is_known_is_installed() {
    let home = Home::new();
    home.write("package.tgz", "something else");
    let done = home.run("chat install package.tgz");
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    assert!(done.err.starts_with("error: package.tgz is not the package converse.js "), "{}", done.err);
    assert!(done.err.contains("(converse.js-"), "{}", done.err);
    assert!(!home.path("data/chat").exists());
    let missing = home.run("chat install nowhere.tgz --json");
    assert_eq!(missing.code, 1);
    assert!(missing.out.contains("nowhere.tgz: "), "{}", missing.out);
}

#[test]
fn a_directory_with_something_else_is_left_alone() {
    let home = Home::new();
    home.write("magpie.toml", "[chat]\ndirectory = \"papers\"\n");
    std::fs::create_dir(home.path("papers")).unwrap();
    home.write("papers/diary.txt", "dear");
    let done = home.run("chat install package.tgz");
    assert_eq!(done.code, 1);
    assert!(done.err.contains("papers holds something else"), "{}", done.err);
    assert!(home.path("papers/diary.txt").exists());
}

/// Without npm it says what to do instead.
#[test]
fn without_npm_a_file_is_asked_for() {
    let home = Home::new();
    let output = home.command("chat install").env("PATH", home.path("empty")).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err.contains("npm is not installed") && err.contains("magpie chat install converse.js-14.0.0.tgz"),
        "{err}"
    );
    assert!(!home.path("data/chat").exists() && !home.path("data/chat.new").exists());
}

/// What is missing at `/chat` is no error, and `check` says how to get it; a wrong directory is a warning.
#[test]
fn check_says_whether_there_is_a_page() {
    let home = Home::new();
    let flags = "--no-dns --c2s-listen 127.0.0.1:0 --c2s-tls-listen 127.0.0.1:0 --http-listen 127.0.0.1:0 --http-tls-listen 127.0.0.1:0";
    let done = home.run(&format!("check {flags}"));
    assert!(done.out.contains("no web client at /chat: `magpie chat install` fetches one"), "{}", done.out);
    std::fs::create_dir_all(home.path("data/chat")).unwrap();
    home.write("data/chat/a.js", "");
    let done = home.run(&format!("check {flags}"));
    let line = done.out.lines().find(|line| line.contains("/chat")).unwrap();
    assert!(line.starts_with("warning") && line.contains("has no converse.min.js"), "{line}");
}

/// Installed or replaced while the server runs: `reload` finds it, and says what is wrong.
#[test]
fn a_reload_looks_again() {
    let home = Home::new();
    let _server = home.serve("");
    std::fs::create_dir_all(home.path("data/chat")).unwrap();
    home.write("data/chat/converse.min.js", "");
    let done = home.json("reload");
    let warnings = done["warnings"].to_string();
    assert!(warnings.contains("no web client at /chat") && warnings.contains("converse.min.css"), "{warnings}");
    home.write("data/chat/converse.min.css", "");
    assert_eq!(home.json("reload")["warnings"].as_array().unwrap().len(), 0);
}

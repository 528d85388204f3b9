//! A server from its first start to its end.

use crate::support::{Home, NO_FIXED_PORTS};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;

#[test]
fn the_first_start_says_what_to_do_next() {
    let home = Home::new();
    let mut child = home
        .command(&format!("--c2s-listen 127.0.0.1:0 --c2s-tls-listen 127.0.0.1:0 {NO_FIXED_PORTS}"))
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let banner: Vec<String> = lines.by_ref().take_while(|line| !line.contains("  stop ")).collect();
    let banner = banner.join("\n");
    assert!(banner.starts_with(concat!("Magpie ", env!("CARGO_PKG_VERSION"), " is ready for localhost\n")), "{banner}");
    for part in ["STARTTLS        127.0.0.1:", "direct TLS      127.0.0.1:", "certs/ca.pem", "user add you@localhost"] {
        assert!(banner.contains(part), "{part}: {banner}");
    }
    assert!(home.path("certs/ca.pem").exists());
    assert_eq!(home.mode("data"), 0o700);
    for file in ["data/magpie.sock", "data/magpie.db", "data/magpie.db-wal", "data/magpie.lock"] {
        assert_eq!(home.mode(file), 0o600, "{file}");
    }

    let done = home.run("stop");
    assert_eq!(done.code, 0, "{}", done.err);
    // The answer comes when the directory is free again.
    assert!(!home.path("data/magpie.sock").exists());
    assert_eq!(home.run("user list").code, 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn commands_reach_the_running_server() {
    let home = Home::new();
    let _server = home.serve("");
    home.add("romeo@localhost");
    let again = home.run("user add romeo@localhost --generate");
    assert_eq!((again.code, again.err.as_str()), (1, "error: romeo@localhost exists already\n"));
    assert_eq!(home.run("user add romeo --generate").code, 2);
    assert_eq!(home.json("user show romeo@localhost")["keys"][0]["hash"], "sha-1");
    assert_eq!(home.run("user del romeo@localhost --yes").code, 0);
    assert_eq!(home.json("user list")["users"].as_array().unwrap().len(), 0);
    let backup = home.json("backup copy.db");
    assert_eq!(backup["file"], home.path("copy.db").canonicalize().unwrap().to_str().unwrap());
    let done = home.run("restore copy.db --replace");
    assert!(done.code == 1 && done.err.contains("stop the server first"), "{}", done.err);
}

#[test]
fn status_has_what_a_monitor_asks() {
    let home = Home::new();
    let server = home.serve("");
    home.add("romeo@localhost");
    let status = home.json("status");
    assert_eq!(status["pid"], server.child.id());
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["domains"], serde_json::json!(["localhost"]));
    assert_eq!(status["listeners"]["starttls"], server.ready["starttls"]);
    assert_eq!(status["listeners"]["direct_tls"], server.ready["direct_tls"]);
    assert_eq!((&status["accounts"], &status["sessions"]), (&1.into(), &0.into()));
    assert_eq!(status["certificates"][0]["names"][0], "localhost");
    assert!(status["memory_bytes"].as_u64().unwrap() > 1 << 20);
    assert!(status["storage"]["bytes"].as_u64().unwrap() > 0);
    assert!(status["storage"]["writer"]["ops"].as_u64().unwrap() > 0);
    assert!(status["since_start"]["logins"].is_u64() && status["offline_messages"].is_u64());
    let text = home.run("status").out;
    assert!(text.contains("accounts     1, ") && text.contains("since start  "), "{text}");
}

#[test]
fn a_reload_says_what_changed_and_what_did_not() {
    let home = Home::new();
    home.write("magpie.toml", "[limits]\nroster_items_max = 5\n");
    let _server = home.serve("");
    home.add("romeo@localhost");
    let none = home.json("reload");
    assert_eq!((&none["changed"], &none["needs_restart"]), (&serde_json::json!([]), &serde_json::json!([])));

    home.write("magpie.toml", "domain = \"example.org\"\n[limits]\nroster_items_max = 1\n[log]\nlevel = \"debug\"\n");
    for _ in 0..2 {
        let report = home.json("reload");
        assert_eq!(report["needs_restart"][0]["key"], "domains", "still, the second time");
        assert_eq!(report["certificates"][0]["names"][0], "localhost");
    }
    // In force.
    assert_eq!(home.run("roster add romeo@localhost a@example.net").code, 0);
    let full = home.run("roster add romeo@localhost b@example.net");
    assert!(full.code == 1 && full.err.contains("is full"), "{}", full.err);

    home.write("magpie.toml", "[limits]\nroster_items_max = 9\nx = 1\n");
    // The commands read the same file: only the socket tells what the server itself thinks of it.
    let done = home.run("reload");
    assert!(done.code == 2 && done.err.contains("magpie.toml:3:1: "), "{}", done.err);
    home.write("other.toml", "");
    let done = home.run("--config other.toml reload");
    assert!(done.code == 2 && done.err.contains("magpie.toml:3:1: "), "{}", done.err);
    let full = home.run("--config other.toml roster add romeo@localhost b@example.net");
    assert_eq!(full.code, 1, "a mistake changes nothing");
}

#[test]
fn hangup_reloads() {
    let home = Home::new();
    home.write("magpie.toml", "[limits]\nroster_items_max = 5\n");
    let mut child =
        home.command(&format!("--c2s-listen 127.0.0.1:0 --c2s-tls-listen= {NO_FIXED_PORTS}")).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(log.any(|line| line.contains("ready")));
    home.write("magpie.toml", "[limits]\nroster_items_max = 1\n");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::HUP).unwrap();
    assert!(log.any(|line| line.contains("setting limits.roster_items_max: 5 -> 1")));
    kill_process(pid, Signal::TERM).unwrap();
    assert!(log.any(|line| line.contains("stopped")));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_server_is_told_about_the_first() {
    let home = Home::new();
    let server = home.serve("");
    let done = home.run(&format!("--c2s-listen 127.0.0.1:0 --c2s-tls-listen 127.0.0.1:0 {NO_FIXED_PORTS}"));
    assert_eq!(done.code, 1);
    let pid = format!("in use by process {}", server.child.id());
    assert!(done.err.contains(&pid) && done.err.contains("magpie status"), "{}", done.err);
}

#[test]
fn a_port_in_use_is_named() {
    let home = Home::new();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let done = home.run(&format!("--c2s-listen {address} --c2s-tls-listen= {NO_FIXED_PORTS}"));
    assert_eq!(done.code, 1);
    assert!(done.err.contains(&format!("cannot listen on {address}")), "{}", done.err);
    assert!(done.err.contains(&format!("sport = :{}", address.port())), "{}", done.err);
}

#[test]
fn what_a_killed_server_leaves_is_in_nobodys_way() {
    let home = Home::new();
    let mut server = home.serve("");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(home.path("data/magpie.sock").exists());
    assert_eq!(home.run("status").code, 3);
    home.add("romeo@localhost");
    let _server = home.serve("");
    assert_eq!(home.json("status")["accounts"], 1);
}

#[test]
fn garbage_on_the_socket_is_refused_without_an_echo() {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;
    let home = Home::new();
    let _server = home.serve("");
    let mut socket = UnixStream::connect(home.path("data/magpie.sock")).unwrap();
    socket.write_all(b"{\"op\":\"user_add\",\"password\":\"secret\n{\"op\":\"status\"}\n").unwrap();
    let mut lines = BufReader::new(socket).lines().map(Result::unwrap);
    let refused = lines.next().unwrap();
    assert!(refused.starts_with("{\"failed\":{\"kind\":\"bad_request\"") && !refused.contains("secret"), "{refused}");
    assert!(lines.next().unwrap().starts_with("{\"done\":{\"status\":{"));
}

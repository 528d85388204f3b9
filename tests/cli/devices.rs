//! What has access to an account, as the operator sees it.

use crate::support::Home;

#[test]
fn sessions_are_listed_and_revoked() {
    let home = Home::new();
    let server = home.serve("--allow-plaintext-auth");
    home.add("romeo@localhost");
    assert!(home.json("device list romeo@localhost")["devices"].as_array().unwrap().is_empty());
    assert_eq!(home.mode("data/devices.key"), 0o600);
    let mut romeo = server.login("romeo");
    let devices = home.json("device list romeo@localhost");
    let device = &devices["devices"][0];
    assert_eq!((&device["password"], &device["sessions"][0]), (&true.into(), &"here".into()));
    let id = device["id"].as_str().unwrap();
    assert!(home.run("device list romeo@localhost").out.contains("ACCESS"));

    assert_eq!(home.run(&format!("device revoke romeo@localhost {id}")).code, 2, "nobody to ask");
    let done = home.run(&format!("device revoke romeo@localhost {id} --yes"));
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("1 session ended") && done.out.contains("magpie user passwd"), "{}", done.out);
    assert!(romeo.rest().contains("not-authorized"));
    assert_eq!(home.run(&format!("device revoke romeo@localhost {id} --yes")).code, 1);
    assert_eq!(home.run("device list nobody@localhost").code, 1);
}

/// It works without a server, too.
#[test]
fn a_stopped_server_has_devices_as_well() {
    let home = Home::new();
    home.add("romeo@localhost");
    assert!(home.json("device list romeo@localhost")["devices"].as_array().unwrap().is_empty());
    assert_eq!(home.run("device revoke romeo@localhost nothing --yes").code, 1);
}

//! Commands without a server.

use crate::support::Home;

#[test]
fn accounts_are_made_before_the_first_start() {
    let home = Home::new();
    let done = home.run_with_input("user add romeo@localhost --password-stdin", "secret\n");
    assert_eq!((done.code, done.out.as_str()), (0, "romeo@localhost added\n"));
    assert!(done.err.contains("a new database was made in data"), "{}", done.err);
    assert_eq!(home.mode("data"), 0o700);
    assert_eq!(home.mode("data/magpie.db"), 0o600);

    let again = home.run("user add romeo@localhost --generate");
    assert_eq!((again.code, again.out.as_str()), (1, ""));
    assert_eq!(again.err, "error: romeo@localhost exists already\n");

    let made = home.json("user add juliet@localhost --generate");
    assert_eq!(made["jid"], "juliet@localhost");
    assert_eq!(made["password"].as_str().unwrap().len(), 20);

    home.write("password", "another\n");
    assert_eq!(home.run("user passwd romeo@localhost --password-file password").code, 0);
    assert_eq!(home.run("user del juliet@localhost").code, 2, "nobody can be asked");
    assert_eq!(home.run("user del juliet@localhost --yes").code, 0);
    assert_eq!(home.run("user show juliet@localhost").code, 1);
    let users = home.json("user list");
    assert_eq!(users["users"].as_array().unwrap().len(), 1);
    assert_eq!(users["users"][0]["jid"], "romeo@localhost");
    // Nobody listens, and nothing of it is left.
    assert!(!home.path("data/magpie.sock").exists());
}

#[test]
fn a_password_has_to_come_from_somewhere() {
    let home = Home::new();
    let done = home.run("user add romeo@localhost");
    assert_eq!(done.code, 2);
    assert!(done.err.contains("--password-stdin, --password-file or --generate"), "{}", done.err);
    assert_eq!(home.run_with_input("user add romeo@localhost --password-stdin", "\n").code, 2);
    assert_eq!(home.run("user add romeo@localhost --password-file nowhere").code, 2);
    assert!(!home.path("data").exists());
}

#[test]
fn a_slip_in_an_address_is_a_wrong_command_line() {
    let home = Home::new();
    home.add("romeo@localhost");
    let done = home.run("user add juliet@example.org --generate");
    assert_eq!(done.code, 2);
    assert_eq!(done.err, "error: juliet@example.org: this server does not serve that domain; it serves localhost\n");
    assert!(home.run("user show romeo").err.contains("write romeo@localhost"));
}

#[test]
fn what_needs_a_server_says_how_to_start_one() {
    let home = Home::new();
    for line in ["status", "stop", "reload", "session list", "session kick a@localhost", "announce hi"] {
        let done = home.run(line);
        assert_eq!((done.code, done.out.as_str()), (3, ""), "{line}");
        assert!(
            done.err.starts_with("error: no server is running here") && done.err.contains("start it with `magpie`")
        );
    }
    let done = home.run("status --json");
    let json: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((done.code, json["errors"][0]["kind"].as_str()), (3, Some("not_running")));
    assert!(!home.path("data").exists(), "looking makes nothing");
}

#[test]
fn a_wrong_directory_is_not_filled_with_a_database() {
    let home = Home::new();
    let done = home.run("user list");
    assert_eq!(done.code, 1);
    assert!(done.err.contains("there is no database at /") && done.err.contains("--data-dir"), "{}", done.err);
    assert!(!home.path("data").exists());
}

#[test]
fn wrong_settings_are_shown_with_their_line() {
    let home = Home::new();
    home.write("magpie.toml", "domain = \"localhost\"\n\n[limits]\nroster_item_max = 5\n");
    for line in ["", "serve", "user list", "status", "check --no-dns", "restore f"] {
        let done = home.run(line);
        assert_eq!(done.code, 2, "{line}");
        assert!(done.err.contains("magpie.toml:4:1: "), "{line}: {}", done.err);
        assert!(done.err.contains("did you mean `roster_items_max`?"), "{line}: {}", done.err);
    }
}

#[test]
fn a_backup_is_verified_and_restored() {
    let home = Home::new();
    home.add("romeo@localhost");
    home.add("juliet@localhost");
    assert_eq!(home.run("roster add romeo@localhost juliet@localhost --subscription both --name J").code, 0);
    let report = home.json("backup copy.db");
    assert_eq!((&report["accounts"], &report["roster_items"]), (&2.into(), &2.into()));
    assert_eq!(home.mode("copy.db"), 0o600);
    assert_eq!(home.run("backup copy.db").code, 1, "nothing is overwritten");
    assert_eq!(home.json("restore copy.db --verify")["backup"]["accounts"], 2);

    assert_eq!(home.run("user del romeo@localhost -y").code, 0);
    let done = home.run("restore copy.db");
    assert!(done.code == 1 && done.err.contains("--replace"), "{}", done.err);
    assert_eq!(home.run("restore copy.db --replace").code, 0);
    let roster = home.json("roster show romeo@localhost");
    assert_eq!((&roster["roster"][0]["name"], &roster["roster"][0]["subscription"]), (&"J".into(), &"both".into()));

    home.write("damaged.db", "not a database");
    assert_eq!(home.run("restore damaged.db --verify").code, 1);
    assert_eq!(home.run("restore damaged.db --replace").code, 1);
    assert_eq!(home.run("restore missing.db --verify").code, 1);
    assert_eq!(home.json("user list")["users"].as_array().unwrap().len(), 2);
}

#[test]
fn invitations_without_a_server() {
    let home = Home::new();
    let invite = home.json("invite create --days 3 --uses 2");
    let code = invite["code"].as_str().unwrap();
    assert_eq!(invite["uri"], format!("xmpp:localhost?register;preauth={code}"));
    assert_eq!(invite["link"], format!("https://localhost:5443/invite/{code}"));
    assert_eq!(home.json("invite list")["invites"][0]["uses_left"], 2);
    assert_eq!(home.json(&format!("invite show {code}")), invite);
    assert!(home.run("invite list").out.contains(code));
    let shown = home.run(&format!("invite show {code}"));
    // The corner of a QR code; a pipe gets no colours.
    assert!(shown.out.contains("█▀▀▀▀▀█") && !shown.out.contains('\u{1b}'), "{}", shown.out);
    assert!(!home.run(&format!("invite show {code} --no-qr")).out.contains('█'));
    assert_eq!(home.run(&format!("invite revoke {code}")).code, 0);
    assert_eq!(home.run(&format!("invite revoke {code}")).code, 1);
    assert_eq!(home.run(&format!("invite show {code}")).code, 1);
    assert_eq!(home.run("invite create --inviter romeo@localhost").code, 1);
    assert_eq!(home.run("invite create --kind contact").code, 2);
    home.write("magpie.toml", "[registration]\nmode = \"closed\"");
    let useless = home.run("invite create");
    assert!(useless.code == 2 && useless.err.contains("registration.mode"), "{}", useless.err);
    home.write("magpie.toml", "");
    home.add("romeo@localhost");
    let both = home.json("invite create --inviter romeo@localhost --group Friends --expires 12h --uses 3");
    let code = both["code"].as_str().unwrap();
    assert_eq!(both["uri"], format!("xmpp:romeo@localhost?roster;preauth={code};ibr=y"));
    assert_eq!((&both["kind"], &both["group"], &both["uses_max"]), (&"both".into(), &"Friends".into(), &3.into()));
    // Its inviter takes it along.
    assert_eq!(home.run("user del romeo@localhost -y").code, 0);
    assert_eq!(home.run(&format!("invite show {code}")).code, 1);
}

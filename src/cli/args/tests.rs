//! Command lines, read.

use clap::CommandFactory;

use super::*;
use crate::config::VARIABLES;

fn read(line: &str) -> Result<Cli, String> {
    Cli::read(line.split(' ')).map_err(|error| error.to_string())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_flag_of_a_setting_exists_and_names_its_variable() {
    let help = Cli::command().render_long_help().to_string();
    for variable in VARIABLES {
        assert!(
            help.contains(&format!("{} ", variable.flag)) || help.contains(&format!("{}[", variable.flag)),
            "{}",
            variable.flag
        );
        assert!(help.contains(&format!("[env: {}]", variable.env)), "{}", variable.env);
    }
    assert!(help.contains("3 the server is not running"), "{help}");
}

#[test]
fn flags_reach_the_settings_from_either_side_of_the_command() {
    for line in ["magpie --domain a.example", "magpie --domain a.example serve", "magpie serve --domain a.example"] {
        let overrides = read(line).unwrap().overrides();
        assert_eq!(overrides.flags, [("--domain", "a.example".to_owned())], "{line}");
    }
    let overrides = read("magpie --config x.toml status --data-dir d --json").unwrap().overrides();
    assert_eq!(overrides.flags, [("--config", "x.toml".to_owned()), ("--data-dir", "d".to_owned())]);
    let overrides = read("magpie --allow-plaintext-auth --c2s-listen= check").unwrap().overrides();
    let flags = [("--c2s-listen", String::new()), ("--allow-plaintext-auth", "true".to_owned())];
    assert_eq!(overrides.flags, flags);
}

#[test]
fn a_setting_on_a_command_that_ignores_it_is_refused() {
    let refused = read("magpie --domain a.example status").unwrap_err();
    assert!(refused.contains("--domain belongs to `serve`, `check` and `config`"), "{refused}");
    assert!(read("magpie status --domain a.example").is_err());
}

#[test]
fn every_command_reads() {
    for line in [
        "serve --log debug",
        "check --no-dns",
        "config --example",
        "reload",
        "status --json",
        "stop",
        "chat install",
        "chat install converse.js.tgz --json",
        "user add a@b --password-stdin",
        "user passwd a@b --generate",
        "user del a@b --yes",
        "user list b",
        "user show a@b",
        "session list",
        "session kick a@b/c --reason bye",
        "roster show a@b",
        "roster add a@b c@d --name C --group x --group y --subscription both",
        "roster remove a@b c@d",
        "offline list",
        "offline purge a@b --older-than-days 30 -y",
        "upload usage",
        "upload list a@b",
        "upload show f",
        "upload delete f -y",
        "upload purge a@b --older-than-days 3 --yes",
        "room list conference.b",
        "room create r@conference.b --owner a@b membersonly=1",
        "room archive export r@conference.b",
        "room block add x.example --service conference.b",
        "announce hello --to b",
        "backup f",
        "restore f --verify",
        "invite create --days 3 --uses 2",
        "invite create b --kind contact --inviter a@b --expires 12h --no-qr",
        "invite show abc",
        "invite list",
        "invite revoke abc",
    ] {
        read(&format!("magpie {line}")).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    assert!(read("magpie user add a@b --generate --password-stdin").is_err());
    for wrong in ["--uses 0", "--expires 7", "--days 0", "--days 1 --expires 1d", "--group x", "--kind x"] {
        assert!(read(&format!("magpie invite create {wrong}")).is_err(), "{wrong}");
    }
}

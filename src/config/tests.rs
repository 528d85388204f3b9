//! What an operator sees: each kind of mistake with its place, precedence, and the printed settings.

use std::time::Duration;

use super::*;

fn overrides(flags: &[(&'static str, &str)], env: &[(&str, &str)]) -> Overrides {
    Overrides {
        directory: PathBuf::from("/nowhere"),
        flags: flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

fn load(text: &str) -> Result<Loaded, ConfigErrors> {
    Config::load_text(Some(("magpie.toml".into(), text)), &Overrides::default())
}

#[track_caller]
fn config(text: &str) -> Config {
    load(text).unwrap_or_else(|errors| panic!("{errors}")).config
}

#[track_caller]
fn errors(text: &str) -> String {
    load(text).expect_err("must be refused").to_string()
}

#[track_caller]
fn warnings(text: &str) -> Vec<String> {
    load(text)
        .unwrap_or_else(|errors| panic!("{errors}"))
        .warnings
        .iter()
        .map(|warning| warning.message.clone())
        .collect()
}

#[test]
fn an_empty_file_gives_the_defaults() {
    assert_eq!(config(""), Config::default());
    assert_eq!(Config::load(&overrides(&[], &[])).unwrap().config, Config::default());
}

#[test]
fn an_unknown_setting_is_shown_with_its_line_and_a_suggestion() {
    assert_eq!(
        errors("domain = \"example.org\"\n\n[c2s]\nlisten = []\ntls_lisetn = [\"[::]:5223\"]\n"),
        "error: magpie.toml:5:1: unknown setting `tls_lisetn` in [c2s]\n  |\n5 | tls_lisetn = [\"[::]:5223\"]\n  | ^^^^^^^^^^\n  \
         = did you mean `tls_listen`?"
    );
}

#[test]
fn a_setting_in_the_wrong_section_is_told_where_it_belongs() {
    let cases = [
        ("[c2s]\nstanza_bytes_max = 20000", "`stanza_bytes_max` belongs in [limits]"),
        ("[c2s]\ndata_dir = \"x\"", "`data_dir` belongs at the top of the file, before the first section"),
        ("listen = []", "`listen` belongs in [c2s]"),
        ("[limit]\nx = 1", "did you mean [limits]?"),
        ("[auth]\nscram-iterations = 5000", "did you mean `scram_iterations`?"),
        ("log = \"debug\"", "`log` is a section: write [log] on a line of its own"),
    ];
    for (text, expected) in cases {
        assert!(errors(text).contains(expected), "{text}: {}", errors(text));
    }
}

#[test]
fn a_wrong_type_says_what_was_expected() {
    assert_eq!(
        errors("[limits]\nroster_items_max = \"many\""),
        "error: magpie.toml:2:20: expected a whole number, 1 or more, found the text \"many\"\n  |\n2 | roster_items_max = \
         \"many\"\n  |                    ^^^^^^"
    );
    let cases = [
        ("[limits]\nstanza_bytes_max = 9999", "expected a whole number from 10000 to 16777216, found the number 9999"),
        ("[limits]\nroster_items_max = -1", "expected a whole number, 1 or more, found the number -1"),
        ("[limits]\nidle_probe_seconds = 0", "expected seconds from 0.001 to 3155760000, found the number 0"),
        ("[limits]\nidle_probe_seconds = nan", "expected seconds from 0.001 to 3155760000, found the number nan"),
        ("[limits]\nexempt_addresses = [\"10.0.0.0/99\"]", "expected an address or a block of addresses such as"),
        ("[limits]\nexempt_addresses = [\"10.1.0.0/8\"]", "did you mean \"10.0.0.0/8\"?"),
        ("[software]\nshow_os = \"yes\"", "expected true or false, found the text \"yes\""),
        ("data_dir = 7", "expected a path in quotes, found the number 7"),
        ("[registration]\nmode = \"opne\"", "expected `closed`, `invite` or `open`, found the text \"opne\""),
        ("[registration]\nmode = \"opne\"", "= did you mean `open`?"),
        ("[tls]\ncertificates = [{ cert = \"a\" }]", "this certificate has no `key`"),
        ("[[tls.certificates]]\ncert = \"a\"\nkeys = \"b\"", "did you mean `key`?"),
        ("[external]\nservices = [{ type = \"stun\" }]", "this service has no `host`"),
        ("[external]\nservices = [{ type = \"tu rn\", host = \"a\" }]", "expected a type such as \"turn\""),
        ("[external]\nservices = [{ type = \"stun\", host = \"a b\" }]", "expected the name or address of a host"),
        ("[external]\nservices = [{ type = \"stun\", host = \"a\", port = 65536 }]", "a whole number from 1 to 65535"),
        ("[[external.services]]\ntype = \"stun\"\nhost = \"a\"\ntransport = \"sctp\"", "expected `udp` or `tcp`"),
        ("[[external.services]]\ntype = \"turn\"\nhost = \"a\"\nsecert = \"x\"", "did you mean `secret`?"),
        ("[external]\nservices = [{ type = \"turn\", host = \"a\", username = \"u\" }]", "go together"),
        (
            "[external]\nservices = [{ type = \"turn\", host = \"a\", secret = \"s\", password = \"p\" }]",
            "use either `secret` or `username` and `password`",
        ),
        (
            "[external]\nservices = [{ type = \"turn\", host = \"a\", secret = \"(not shown)\" }]",
            "stands for a secret that was not printed",
        ),
        ("[c2s]\nlisten = [\"[::]:5222\", \"*:5222\"]", "write both \"0.0.0.0:5222\" and \"[::]:5222\""),
        ("[c2s]\nlisten = \"localhost:5222\"", "write both \"127.0.0.1:5222\" and \"[::1]:5222\""),
        ("[c2s]\nlisten = [\"::1:5222\"]", "did you mean \"[::1]:5222\"?"),
    ];
    for (text, expected) in cases {
        assert!(errors(text).contains(expected), "{text}: {}", errors(text));
    }
}

#[test]
fn the_caret_points_at_the_item_of_a_list() {
    assert_eq!(
        errors("domains = [\n  \"example.org\",\n  \"bob@example.org\",\n]"),
        "error: magpie.toml:3:3: \"bob@example.org\" is not a domain: write the domain alone, the part of an address after the \
         @\n  |\n3 |   \"bob@example.org\",\n  |   ^^^^^^^^^^^^^^^^^"
    );
}

#[test]
fn own_checks_name_the_setting() {
    let cases = [
        ("domains = []", "expected at least one domain"),
        ("domains = [\"a.example\", \"A.example\"]", "\"a.example\" stands here twice"),
        ("domain = \"a.example:5222\"", "write the domain without a port"),
        ("domain = \"a\"\ndomains = [\"b\"]", "`domain` and `domains` mean the same"),
        ("admins = [\"romeo\"]", "\"romeo\" is not an address such as"),
        ("[c2s]\nlisten = [\"[::]:1\"]\ntls_listen = [\"[::]:1\"]", "\"[::]:1\" is listened on twice"),
        (
            "[c2s]\ntls_listen = [\"[::]:1\"]\n[http]\ntls_listen = [\"[::]:1\"]",
            "\"[::]:1\" is listened on twice: it takes client streams as well, leave it out of c2s",
        ),
        ("[auth]\nanonymous_domains = [\"guest.example\"]", "\"guest.example\" is not among the domains served here"),
        ("[auth]\nmechanisms_disabled = [\"LOGIN\"]", "\"LOGIN\" is not a mechanism of this server"),
        (
            "[external]\nservices = [{ type = \"stun\", host = \"a\" }, { type = \"stun\", host = \"A\", port = 3478 }]",
            "\"stun:A:3478?transport=udp\" stands here twice",
        ),
        ("[http]\nwebsocket_see_other_uri = \"other.example\"", "expected a URL such as \"wss://example.org"),
        ("[http]\nwebsocket_origins = [\"https://a.example/\"]", "expected an origin such as"),
        ("[http]\nwebsocket_origins = [\"a.example\"]", "expected an origin such as"),
        ("[contact]\nabuse = [\"abuse@example.org\"]", "expected a URI such as"),
        (
            "[limits]\noutbox_bytes_max = 1000",
            "`stanza_bytes_max` (262144) must not be more than `outbox_bytes_max` (1000)",
        ),
        ("[log]\nlevel = \"inof\"", "found \"inof\": did you mean \"info\"?"),
        ("[log]\nlevel = \"info,magpie=loud\"", "is not a log filter"),
    ];
    for (text, expected) in cases {
        assert!(errors(text).contains(expected), "{text}: {}", errors(text));
    }
}

#[test]
fn all_mistakes_are_reported_together_in_the_order_of_the_file() {
    let text = "domains = []\nadmin = \"a@b\"\n[c2s]\nlisten = 5222\n[auth]\nscram_iterations = 1\n[limits]\nxml_depth_max = 2\n";
    let errors = load(text).unwrap_err();
    let lines: Vec<usize> = errors
        .problems
        .iter()
        .map(|problem| match &problem.place {
            Place::File { line, .. } => *line,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(lines, [1, 2, 4, 6, 8], "{errors}");
}

#[test]
fn wrong_syntax_is_shown_where_it_is() {
    assert_eq!(
        errors("[c2s\nlisten = []"),
        "error: magpie.toml:1:5: unclosed table, expected `]`\n  |\n1 | [c2s\n  |     ^"
    );
    assert!(errors("domain = \"a\"\ndomain = \"b\"").contains("magpie.toml:2:1: duplicate key"));
}

#[test]
fn a_named_file_must_exist() {
    let by_env = Config::load(&overrides(&[], &[("MAGPIE_CONFIG", "/nowhere/m.toml")])).unwrap_err().to_string();
    assert!(by_env.starts_with("error: MAGPIE_CONFIG: cannot read /nowhere/m.toml: "), "{by_env}");
    let by_flag = Config::load(&overrides(&[("--config", "/nowhere/f.toml")], &[("MAGPIE_CONFIG", "/nowhere/m.toml")]));
    assert!(by_flag.unwrap_err().to_string().starts_with("error: --config: cannot read /nowhere/f.toml: "));
}

#[test]
fn flag_before_environment_before_file_before_default() {
    let text = "domain = \"file.example\"";
    let with = |flags, env| {
        let loaded = Config::load_text(Some(("magpie.toml".into(), text)), &overrides(flags, env)).unwrap();
        (loaded.config.domains[0].clone(), loaded.source.origins["domains"].clone())
    };
    let env: &[_] = &[("MAGPIE_DOMAIN", "env.example, second.example")];
    assert_eq!(with(&[], &[]), ("file.example".into(), Origin::File(1)));
    assert_eq!(with(&[], env), ("env.example".into(), Origin::Environment("MAGPIE_DOMAIN".into())));
    assert_eq!(with(&[("--domain", "flag.example")], env), ("flag.example".into(), Origin::Flag("--domain".into())));
    assert_eq!(with(&[], &[("MAGPIE_DOMAIN", "")]).0, "file.example", "empty counts as not set");
}

#[test]
fn every_variable_reaches_its_setting() {
    let env = [
        ("MAGPIE_DOMAIN", "a.example,b.example"),
        ("MAGPIE_DATA_DIR", "/var/lib/magpie"),
        ("MAGPIE_ADMINS", "romeo@a.example"),
        ("MAGPIE_C2S_LISTEN", ""),
        ("MAGPIE_C2S_TLS_LISTEN", "192.0.2.1:5223, [2001:db8::1]:5223"),
        ("MAGPIE_ALLOW_PLAINTEXT_AUTH", "1"),
        ("MAGPIE_HTTP_LISTEN", "127.0.0.1:8080"),
        ("MAGPIE_HTTP_TLS_LISTEN", ""),
        ("MAGPIE_PUBLIC_URL", "https://web.a.example/"),
        ("MAGPIE_METRICS_LISTEN", "127.0.0.1:9090"),
        ("MAGPIE_REGISTRATION", "invite"),
        ("MAGPIE_LOG", "debug"),
        ("MAGPIE_LOG_FORMAT", "json"),
    ];
    assert_eq!(env.len(), VARIABLES.len());
    let by_env = Config::load(&overrides(&[], &env)).unwrap().config;
    let flags = env.map(|(name, value)| (VARIABLES.iter().find(|variable| variable.env == name).unwrap().flag, value));
    assert_eq!(Config::load(&overrides(&flags, &[])).unwrap().config, by_env);
    assert_eq!(by_env.domains, ["a.example", "b.example"]);
    assert_eq!(by_env.data_dir, PathBuf::from("/var/lib/magpie"));
    assert_eq!(by_env.admins, ["romeo@a.example"]);
    assert!(by_env.c2s.listen.is_empty() && by_env.c2s.tls_listen.len() == 2 && by_env.c2s.allow_plaintext_auth);
    assert_eq!((by_env.http.listen[0].port(), by_env.http.tls_listen.len()), (8080, 0));
    assert_eq!((by_env.http.public_url.as_str(), by_env.metrics.listen.len()), ("https://web.a.example", 1));
    assert_eq!(by_env.registration.mode, RegistrationMode::Invite);
    assert_eq!((by_env.log.level.as_str(), by_env.log.format), ("debug", LogFormat::Json));
}

#[test]
fn a_wrong_variable_is_named() {
    let refused =
        Config::load(&overrides(&[("--c2s-listen", "5222")], &[("MAGPIE_REGISTRATION", "opne")])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "error: MAGPIE_REGISTRATION: expected `closed`, `invite` or `open`, found the text \"opne\"\n = did you mean \
         `open`?\n\nerror: --c2s-listen: expected an `address:port` such as \"0.0.0.0:5222\" or \"[::]:5222\", found the text \
         \"5222\"\n = for all addresses, write both \"0.0.0.0:5222\" and \"[::]:5222\""
    );
    let loaded = Config::load(&overrides(&[], &[("MAGPIE_DOMIAN", "x"), ("MAGPIE_PORT_5222_TCP", "tcp://")])).unwrap();
    let shown: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        ["MAGPIE_DOMIAN: this variable is not known and has no effect\n = did you mean `MAGPIE_DOMAIN`?"]
    );
}

#[test]
fn listens_on_this_machine_only_until_a_domain_is_set() {
    let all = |config: &Config| {
        config.c2s.listen.iter().chain(&config.c2s.tls_listen).map(ToString::to_string).collect::<Vec<_>>()
    };
    let web = |config: &Config| {
        config.http.listen.iter().chain(&config.http.tls_listen).map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(all(&config("")), ["127.0.0.1:5222", "[::1]:5222", "127.0.0.1:5223", "[::1]:5223"]);
    assert_eq!(web(&config("")), ["127.0.0.1:5280", "[::1]:5280", "127.0.0.1:5443", "[::1]:5443"]);
    let public = config("domain = \"Example.org\"");
    assert_eq!(all(&public), ["0.0.0.0:5222", "[::]:5222", "0.0.0.0:5223", "[::]:5223"]);
    assert_eq!(web(&public), ["127.0.0.1:5280", "[::1]:5280", "0.0.0.0:5443", "[::]:5443"]);
    assert_eq!(public.domains, ["example.org"]);
}

#[test]
fn plaintext_holds_on_loopback_only_and_says_so() {
    let text = "[c2s]\nallow_plaintext_auth = true\nlisten = [\"127.0.0.1:5222\", \"192.0.2.1:5222\"]";
    let config = config(text);
    assert!(config.plaintext_auth_at(config.c2s.listen[0]) && !config.plaintext_auth_at(config.c2s.listen[1]));
    assert!(!Config::default().plaintext_auth_at(config.c2s.listen[0]));
    let warnings = warnings(text);
    assert!(warnings[0].starts_with("allow_plaintext_auth is refused at 192.0.2.1:5222"), "{warnings:?}");
}

#[test]
fn paths_in_a_file_are_relative_to_it() {
    let text = "data_dir = \"db\"\n[tls]\ncertificates = [{ cert = \"c.pem\", key = \"/k.pem\" }]";
    let loaded = Config::load_text(Some(("/etc/magpie/magpie.toml".into(), text)), &Overrides::default()).unwrap();
    assert_eq!(loaded.config.data_dir, PathBuf::from("/etc/magpie/db"));
    assert_eq!(loaded.config.tls.certificates[0].cert, PathBuf::from("/etc/magpie/c.pem"));
    assert_eq!(loaded.config.tls.certificates[0].key, PathBuf::from("/k.pem"));
    let text = "admins = []";
    let env = overrides(&[], &[("MAGPIE_DATA_DIR", "db")]);
    let loaded = Config::load_text(Some(("/etc/magpie/magpie.toml".into(), text)), &env).unwrap();
    assert_eq!(loaded.config.data_dir, PathBuf::from("db"));
}

#[test]
fn printed_settings_load_to_the_same_settings() {
    let text = "domains = [\"example.org\", \"b.example\"]\nadmins = [\"a@example.org\"]\n[tls]\ncertificates = [{ cert = \
                \"it's \\\"c\\\".pem\", key = \"k\", domains = [\"example.org\"] }]\n[contact]\nabuse = \
                [\"mailto:a@example.org\"]\n[limits]\nidle_probe_seconds = 0.25\nexempt_addresses = []\n[log]\nformat = \"json\"";
    for config in [Config::default(), config(text)] {
        assert_eq!(load(&config.effective_toml()).unwrap_or_else(|errors| panic!("{errors}")).config, config);
    }
    let loaded = load(text).unwrap();
    let printed = loaded.effective_toml();
    assert_eq!(config(&printed), loaded.config);
    assert!(printed.contains("\nformat = \"json\"  # from line 11 of the file\n"), "{printed}");
    assert_eq!(loaded.config.limits.idle_probe_seconds, Duration::from_millis(250));
    let json = loaded.config.effective_json();
    assert_eq!(json["limits"]["idle_probe_seconds"], 0.25);
    assert_eq!(json["domains"][1], "b.example");
}

/// What is printed ends up in bug reports and logs.
#[test]
fn secrets_are_not_printed() {
    let text = |secret: &str| {
        format!(
            "[external]\nservices = [{{ type = \"turn\", host = \"a\", secret = \"{secret}\" }}, \
             {{ type = \"turn\", host = \"b\", username = \"u\", password = \"{secret}\" }}]"
        )
    };
    let (old, new) = (config(&text("sesame-1")), config(&text("sesame-2")));
    let changes = old.diff(&new);
    assert_eq!(changes.len(), 1);
    let printed = [old.effective_toml(), old.effective_json().to_string(), format!("{old:?}"), changes[0].to_string()];
    for printed in printed {
        assert!(!printed.contains("sesame"), "{printed}");
        assert!(printed.contains("turn"), "{printed}");
    }
    let Err(errors) = load(&old.effective_toml()) else { panic!("it would serve wrong secrets") };
    assert!(errors.to_string().contains("put it in here"), "{errors}");
}

/// The usual port and transport of each type.
#[test]
fn a_service_is_known_by_its_type_and_host() {
    let loaded = load(
        "[external]\nservices = [{ type = \"turns\", host = \"2001:db8::1\", secret = \"s\" }, { type = \"turn\", host = \"a\" }, \
         { type = \"ftp\", host = \"a\", transport = \"tcp\" }]",
    )
    .unwrap();
    let shown: Vec<_> = loaded.config.external.services.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["turns:2001:db8::1:5349?transport=tcp", "turn:a:3478?transport=udp", "ftp:a?transport=tcp"]);
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.iter().any(|w| w.contains("has neither `secret` nor `password`")), "{warnings:?}");
    assert!(warnings.iter().any(|w| w.contains("\"ftp\" is not a type clients know")), "{warnings:?}");
}

/// `docs/magpie.toml` is written by `MAGPIE_BLESS=1 cargo test`; otherwise it must be what the code says.
#[test]
fn the_example_is_true_and_holds_the_defaults() {
    let example = Config::example_toml();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/magpie.toml");
    if std::env::var_os("MAGPIE_BLESS").is_some() {
        fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        fs::write(path, &example).unwrap();
    }
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        example,
        "docs/magpie.toml is stale: MAGPIE_BLESS=1 cargo test config"
    );
    assert_eq!(config(&example), Config::default(), "as it stands");
    let set: String = example
        .lines()
        .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n");
    assert_eq!(config(&set), Config::default(), "with every setting uncommented");
}

#[test]
fn a_reload_tells_what_is_live() {
    let old = config("[limits]\nroster_items_max = 10");
    let new = config("domain = \"example.org\"\n[limits]\nroster_items_max = 20\n[registration]\nmode = \"open\"");
    let changes: Vec<String> = old.diff(&new).iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        [
            "domains: [\"localhost\"] -> [\"example.org\"] (needs a restart)",
            "c2s.listen: [\"127.0.0.1:5222\", \"[::1]:5222\"] -> [\"0.0.0.0:5222\", \"[::]:5222\"] (needs a restart)",
            "c2s.tls_listen: [\"127.0.0.1:5223\", \"[::1]:5223\"] -> [\"0.0.0.0:5223\", \"[::]:5223\"] (needs a restart)",
            "registration.mode: \"invite\" -> \"open\"",
            "http.tls_listen: [\"127.0.0.1:5443\", \"[::1]:5443\"] -> [\"0.0.0.0:5443\", \"[::]:5443\"] (needs a restart)",
            "limits.roster_items_max: 10 -> 20",
        ]
    );
    assert!(old.diff(&old).is_empty());
}

/// Every setting has a manual entry that ends like a sentence.
#[test]
fn every_setting_is_documented() {
    for section in Config::default().views() {
        for setting in &section.settings {
            let text = setting.doc.join(" ");
            assert!(text.trim().ends_with(['.', ')', ':', '"']), "{}: {text}", section.key(setting));
        }
    }
}

//! `magpie`: serve until told to stop.

use super::args::{Cli, Common};
use super::{Exit, config_cmd, start_error};
use crate::admin::Rereading;
use crate::config::{Config, Loaded, LogFormat, Overrides};
use crate::log;
use crate::server::Server;
use serde_json::json;
use std::io::{self, Write};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Serves to the end.
pub(super) fn run(cli: &Cli, overrides: Overrides, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let json = cli.common.json;
    let Loaded { config, warnings, .. } = match Config::load(&overrides) {
        Ok(loaded) => loaded,
        Err(errors) => return config_cmd::refuse(&errors, json, out, err),
    };
    let log = match log::init(&config.log) {
        Ok(log) => log,
        Err(error) => {
            writeln!(err, "error: {error}")?;
            return Ok(Exit::Usage);
        }
    };
    for warning in warnings {
        match config.log.format {
            LogFormat::Human => writeln!(err, "warning: {warning}\n")?,
            LogFormat::Json => tracing::warn!(%warning, "settings"),
        }
    }
    // One worker for each core.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("magpie-worker").build()?;
    let rereading = Rereading { overrides: Some(overrides), log: Some(log) };
    let exit = runtime.block_on(serve(cli, config, rereading, out, err));
    // Nothing that still runs may keep us: everything that counts is written.
    runtime.shutdown_background();
    exit
}

/// The signals that end a server.
struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl EndSignals {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

async fn serve(
    cli: &Cli,
    config: Config,
    rereading: Rereading,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let (mut end, mut hangup) = (EndSignals::new()?, signal(SignalKind::hangup())?);
    let server = match Box::pin(Server::start_with(config.clone(), rereading)).await {
        Ok(server) => server,
        Err(error) => {
            writeln!(err, "error: {}", start_error::explain(&error, &config))?;
            return Ok(Exit::Failed);
        }
    };
    let accounts = server.core().storage.account_count(None).await.unwrap_or(0);
    // Whoever started us may not listen any more.
    let banner =
        if cli.common.json { ready_json(&server) } else { banner(&server, accounts, &invocation(&cli.common)) };
    let _ = out.write_all(banner.as_bytes()).and_then(|()| out.flush());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), domains = config.domains.join(","), "ready");
    loop {
        tokio::select! {
            () = server.stop_requested() => break,
            () = end.recv() => break,
            _ = hangup.recv() => reload(&server),
        }
    }
    tracing::info!("stopping");
    tokio::select! {
        () = server.stop() => {
            tracing::info!("stopped");
            Ok(Exit::Done)
        }
        () = end.recv() => {
            tracing::warn!("told twice to stop: clients were not waited for");
            Ok(Exit::Failed)
        }
    }
}

fn reload(server: &Server) {
    match server.admin().reload() {
        Ok(report) => {
            for change in report.changed.iter().chain(&report.needs_restart) {
                tracing::info!("setting {change}");
            }
            for warning in report.warnings {
                tracing::warn!("{warning}");
            }
        }
        Err(failure) => tracing::error!("nothing reloaded: {}", failure.message),
    }
}

fn ready_json(server: &Server) -> String {
    let domains: Vec<_> = server.core().hosts.iter().map(|host| host.jid.as_str()).collect();
    let web = server.core().site.listening();
    let line = json!({
        "ready": true,
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "domains": domains,
        "starttls": server.c2s_addrs(),
        "direct_tls": server.c2s_tls_addrs(),
        "http": web.map(|web| &web.http),
        "https": web.map(|web| &web.https),
        "metrics": web.map(|web| &web.metrics),
        "data_dir": server.data_dir(),
        "development_ca": server.development_ca(),
    });
    format!("{line}\n")
}

fn banner(server: &Server, accounts: u64, magpie: &str) -> String {
    let domains: Vec<_> = server.core().hosts.iter().map(|host| host.jid.as_str()).collect();
    let listen = |name: &str, all: &[std::net::SocketAddr]| {
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        if all.is_empty() { String::new() } else { format!("  {name:<15} {}\n", all.join(", ")) }
    };
    let mut text = format!("Magpie {} is ready for {}\n\n", env!("CARGO_PKG_VERSION"), domains.join(", "));
    text += &listen("STARTTLS", server.c2s_addrs());
    text += &listen("direct TLS", server.c2s_tls_addrs());
    if let Some(web) = server.core().site.listening() {
        text += &listen("HTTPS", &web.https);
        text += &listen("HTTP", &web.http);
        text += &listen("metrics", &web.metrics);
    }
    if let Some(ca) = server.development_ca() {
        text += &format!("  certificate     made for development: give clients {} to trust\n", ca.display());
    }
    let domain = server.core().hosts.first().jid.as_str();
    if accounts == 0 {
        text += &format!("  first account   {magpie} user add you@{domain}\n");
    }
    text += &format!("  stop            Ctrl-C, or: {magpie} stop\n\n");
    text
}

/// How this very program is called from here, so that a command can be copied from the screen.
fn invocation(common: &Common) -> String {
    let mut text = match (std::env::var_os("CARGO_MANIFEST_DIR"), std::env::args().next()) {
        (Some(_), _) if cfg!(debug_assertions) => "cargo run --".to_owned(),
        (Some(_), _) => "cargo run --release --".to_owned(),
        (None, Some(program)) => program,
        (None, None) => "magpie".to_owned(),
    };
    for (flag, value) in [("--config", &common.config), ("--data-dir", &common.data_dir)] {
        if let Some(value) = value {
            text += &format!(" {flag} {value}");
        }
    }
    text
}

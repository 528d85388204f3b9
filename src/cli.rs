//! The command line: what can be asked, how it is done, and how the answer looks.

use std::process::{ExitCode, Termination};

mod archive;
pub mod args;
mod ask;
mod chat;
pub mod check;
mod command;
pub mod config_cmd;
mod device;
mod invite;
mod link;
mod print;
mod pubsub;
mod push;
mod restore;
mod room_hats;
mod rooms;
mod serve;
mod settings;
mod start_error;
pub mod table;
mod uploads;
mod words;

use crate::config::{Config, Overrides};
use args::{Cli, Command};
use std::io::{self, Write};
use std::os::unix::net::UnixStream;

/// How a command ended, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Not done, or `check` found errors.
    Failed = 1,
    /// The command line or the configuration is wrong; nothing was tried.
    Usage = 2,
    /// The command needs a running server and there is none.
    NotRunning = 3,
}

/// Does what the command line of this process says.
pub fn run(cli: &Cli) -> Exit {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr());
    // A reader that went away (`magpie user list | head`) is no news to anybody.
    dispatch(cli, &mut out, &mut err).and_then(|exit| out.flush().map(|()| exit)).unwrap_or(Exit::Failed)
}

fn dispatch(cli: &Cli, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let overrides = cli.overrides();
    let json = cli.common.json;
    match &cli.command {
        None | Some(Command::Serve(_)) => serve::run(cli, overrides, out, err),
        Some(Command::Config(show)) => config_cmd::run(show, &overrides, json, out, err),
        Some(Command::Check(check)) => runtime()?.block_on(check::run(check, &overrides, json, is_running, out, err)),
        Some(Command::Chat(args)) => with_config(&overrides, json, out, err, |config, out, err| {
            chat::run(args, &config, is_running(&config), json, out, err)
        }),
        Some(Command::Restore(restore)) => with_config(&overrides, json, out, err, |config, out, err| {
            runtime()?.block_on(restore::run(restore, config, json, out, err))
        }),
        Some(command) => with_config(&overrides, json, out, err, |config, out, err| {
            runtime()?.block_on(command::run(command, config, json, out, err))
        }),
    }
}

/// One thread is enough for a command.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn with_config<O: Write, E: Write>(
    overrides: &Overrides,
    json: bool,
    out: &mut O,
    err: &mut E,
    run: impl FnOnce(Config, &mut O, &mut E) -> io::Result<Exit>,
) -> io::Result<Exit> {
    match Config::load(overrides) {
        Ok(loaded) => run(loaded.config, out, err),
        Err(errors) => config_cmd::refuse(&errors, json, out, err),
    }
}

/// Does a server answer for these settings?
fn is_running(config: &Config) -> bool {
    UnixStream::connect(config.control_socket_path()).is_ok()
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

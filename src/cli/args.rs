//! The whole command line as types, with its help. Nothing is done here.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, error::ErrorKind};

pub use super::archive::Archive;
pub use super::chat::Chat;
pub use super::device::Device;
pub use super::invite::Invite;
pub use super::pubsub::Pubsub;
pub use super::push::Push;
pub use super::rooms::Room;
pub use super::settings::Settings;
pub use super::uploads::Upload;
use crate::config::{CONFIG_FLAG, Overrides};

const EXIT_CODES: &str = "\
Settings come from flags, then environment variables, then the file, then defaults; \
`magpie config` shows all of them and where each came from.

Exit codes: 0 done; 1 failed; 2 wrong command line or configuration; 3 the server is not running.";

/// An XMPP chat server. Without a command it serves, in the foreground, logging to standard error.
///
/// First steps:
///   magpie                                  serve `localhost` on this machine
///   magpie user add romeo@localhost         make the first account
///   MAGPIE_DOMAIN=example.org magpie        serve a domain on all addresses
#[derive(Debug, Parser)]
#[command(name = "magpie", version, verbatim_doc_comment, after_help = EXIT_CODES, max_term_width = 110)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    /// Options every command takes.
    #[command(flatten)]
    pub common: Common,
    /// Settings for `serve`, `check` and `config`.
    #[command(flatten)]
    pub settings: Settings,
    /// What to do; nothing: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Everywhere")]
pub struct Common {
    /// Settings file; without this, magpie.toml in the current directory if it exists [env: MAGPIE_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<String>,
    /// Directory of the database and of the server's control socket [env: MAGPIE_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Print JSON for scripts instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until stopped (the same as no command)
    Serve(Serve),
    /// Check settings, certificates, ports, DNS and disk without serving
    Check(Check),
    /// Show every setting, its value and where it came from
    Config(Show),
    /// Have the running server read its settings and certificates again
    ///
    /// Says what changed live and what needs a restart. With a mistake in the settings nothing changes.
    Reload,
    /// Show how the running server is doing
    Status,
    /// Stop the running server: streams closed, everything written
    Stop,
    /// Accounts
    #[command(subcommand)]
    User(User),
    /// Connected clients
    #[command(subcommand)]
    Session(Session),
    /// Contact lists
    #[command(subcommand)]
    Roster(Roster),
    /// Messages waiting for people who are not there
    #[command(subcommand)]
    Offline(Offline),
    /// Archived messages
    #[command(subcommand)]
    Archive(Archive),
    /// Nodes of publish-subscribe: avatars, bookmarks, keys, and those of the service
    #[command(subcommand)]
    Pubsub(Pubsub),
    /// Push services, which wake mobile clients
    #[command(subcommand)]
    Push(Push),
    /// Clients that may log in to an account
    #[command(subcommand)]
    Device(Device),
    /// Uploaded files
    #[command(subcommand)]
    Upload(Upload),
    /// Rooms
    #[command(subcommand)]
    Room(Room),
    /// The web client at /chat
    #[command(subcommand)]
    Chat(Chat),
    /// Send a message to everybody who is online
    Announce(Announce),
    /// Copy the database to a file; the server may be running
    Backup(Backup),
    /// Put a backup in place of the database; the server must be stopped
    Restore(Restore),
    /// Invitations, to make an account or to become somebody's contact
    #[command(subcommand)]
    Invite(Invite),
}

/// `magpie serve`
#[derive(Args, Clone, Debug, Default)]
pub struct Serve {
    /// Settings by flag.
    #[command(flatten)]
    pub settings: Settings,
}

/// `magpie check`
#[derive(Args, Clone, Debug, Default)]
pub struct Check {
    /// Ask no DNS server
    #[arg(long)]
    pub no_dns: bool,
    /// Settings by flag.
    #[command(flatten)]
    pub settings: Settings,
}

/// `magpie config`
#[derive(Args, Clone, Debug, Default)]
pub struct Show {
    /// Print a settings file with every default instead, commented out
    #[arg(long)]
    pub example: bool,
    /// Settings by flag.
    #[command(flatten)]
    pub settings: Settings,
}

/// Where a password comes from; without any of these it is asked for, twice.
#[derive(Args, Clone, Debug, Default)]
#[command(group = ArgGroup::new("source").multiple(false))]
pub struct Password {
    /// Read the password from the first line of standard input
    #[arg(long, group = "source")]
    pub password_stdin: bool,
    /// Read it from the first line of a file
    #[arg(long, value_name = "FILE", group = "source")]
    pub password_file: Option<PathBuf>,
    /// Make a good one and print it
    #[arg(long, group = "source")]
    pub generate: bool,
}

/// `magpie user …`
#[derive(Debug, Subcommand)]
pub enum User {
    /// Make an account
    ///
    /// Examples:
    ///   magpie user add romeo@example.org
    ///   echo "$PASSWORD" | magpie user add romeo@example.org --password-stdin
    #[command(verbatim_doc_comment)]
    Add {
        /// Its address
        jid: String,
        /// Where the password comes from.
        #[command(flatten)]
        password: Password,
    },
    /// Set another password; its sessions end
    Passwd {
        /// The account
        jid: String,
        /// Where the password comes from.
        #[command(flatten)]
        password: Password,
    },
    /// Delete an account with everything it has
    Del {
        /// The account
        jid: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// List accounts
    List {
        /// Only those of this domain
        domain: Option<String>,
    },
    /// Show one account: sessions, contacts, waiting messages, last seen
    Show {
        /// The account
        jid: String,
    },
}

/// `magpie session …`
#[derive(Debug, Subcommand)]
pub enum Session {
    /// List connected clients
    List {
        /// Only those of this account
        jid: Option<String>,
    },
    /// Close sessions
    Kick {
        /// An account (all its sessions) or an address with resource (that one)
        jid: String,
        /// What the client is told
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Subscription states of RFC 6121 §2.1.2.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SubscriptionArg {
    /// Neither sees the other's presence
    None,
    /// The user sees the contact's presence
    To,
    /// The contact sees the user's presence
    From,
    /// Both
    Both,
}

/// `magpie roster …`
#[derive(Debug, Subcommand)]
pub enum Roster {
    /// Show the contacts of an account
    Show {
        /// The account
        jid: String,
    },
    /// Add or change a contact; connected clients see it at once
    Add {
        /// The account
        jid: String,
        /// The contact's address
        contact: String,
        /// What the user calls the contact; without this it stays as it is
        #[arg(long)]
        name: Option<String>,
        /// A group it is in; may be given again; without this they stay as they are
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Who sees whose presence; without this it stays as it is. An account of this server gets its own side
        #[arg(long, value_enum)]
        subscription: Option<SubscriptionArg>,
    },
    /// Remove a contact and both subscriptions
    Remove {
        /// The account
        jid: String,
        /// The contact's address
        contact: String,
    },
}

/// `magpie offline …`
#[derive(Debug, Subcommand)]
pub enum Offline {
    /// Count waiting messages of one account or of all; never shows what they say
    List {
        /// The account
        jid: Option<String>,
    },
    /// Delete waiting messages of an account
    Purge {
        /// The account
        jid: String,
        /// Only those older than this
        #[arg(long, value_name = "DAYS")]
        older_than_days: Option<u32>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// `magpie announce`
#[derive(Args, Clone, Debug)]
pub struct Announce {
    /// What to say
    pub text: String,
    /// Only to people of this domain
    #[arg(long, value_name = "DOMAIN")]
    pub to: Option<String>,
}

/// `magpie backup`
#[derive(Args, Clone, Debug)]
pub struct Backup {
    /// File to write; must not exist
    pub file: PathBuf,
}

/// `magpie restore`
#[derive(Args, Clone, Debug)]
pub struct Restore {
    /// A file that `magpie backup` wrote
    pub file: PathBuf,
    /// Only look whether the backup is whole and of a version this program reads
    #[arg(long)]
    pub verify: bool,
    /// Replace a database that exists; it is kept beside the new one under another name
    #[arg(long, conflicts_with = "verify")]
    pub replace: bool,
}

impl Cli {
    /// The command line of this process; wrong ones end it here with a message and exit code 2.
    pub fn from_process() -> Self {
        Self::read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// The same from given arguments, the program's name first.
    pub fn read<I, T>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let cli = Self::try_parse_from(arguments)?;
        match cli.settings.flags().first() {
            Some((flag, _)) if !cli.takes_settings() => {
                let message = format!("{flag} belongs to `serve`, `check` and `config`; this command does not take it");
                Err(<Self as clap::CommandFactory>::command().error(ErrorKind::ArgumentConflict, message))
            }
            _ => Ok(cli),
        }
    }

    fn takes_settings(&self) -> bool {
        matches!(self.command, None | Some(Command::Serve(_) | Command::Check(_) | Command::Config(_)))
    }

    /// Flags and environment, for `Config::load`.
    pub fn overrides(&self) -> Overrides {
        let mut flags = self.settings.flags();
        match &self.command {
            Some(Command::Serve(Serve { settings })) => flags.extend(settings.flags()),
            Some(Command::Check(Check { settings, .. })) => flags.extend(settings.flags()),
            Some(Command::Config(Show { settings, .. })) => flags.extend(settings.flags()),
            _ => {}
        }
        let common = [(CONFIG_FLAG, &self.common.config), ("--data-dir", &self.common.data_dir)];
        flags.extend(common.into_iter().filter_map(|(flag, value)| Some((flag, value.clone()?))));
        Overrides::from_process(flags)
    }
}

#[cfg(test)]
mod tests;

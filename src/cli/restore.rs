//! `magpie restore`: a backup in the place of the database of a stopped server.

use super::args::Restore;
use super::{Exit, command, print};
use crate::admin::protocol::{Failure, FailureKind};
use crate::config::Config;
use crate::storage::backup::{self, BackupReport};
use crate::storage::{self, DirLock, LockError};
use serde_json::json;
use std::io::{self, ErrorKind, Write};

/// Verifies, and unless that was all, restores.
pub(super) async fn run(
    args: &Restore,
    config: Config,
    as_json: bool,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let done = if args.verify {
        backup::verify(&args.file).await.map_err(|e| unusable(args, e))
    } else {
        restore(args, &config).await
    };
    let report = match done {
        Ok(report) => report,
        Err(failure) => return command::fail(&failure, as_json, out, err),
    };
    if as_json {
        writeln!(out, "{:#}", json!({ "restored": !args.verify, "backup": report }))?;
    } else {
        let verb = if args.verify { "is whole" } else { "is now the database" };
        writeln!(out, "{} {verb}: {}", args.file.display(), print::contents(&report))?;
    }
    Ok(Exit::Done)
}

async fn restore(args: &Restore, config: &Config) -> Result<BackupReport, Failure> {
    let lock = DirLock::acquire(&config.data_dir).map_err(|error| match error {
        LockError::Held { pid } => {
            let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            let dir = config.data_dir.display();
            Failure::new(FailureKind::Failed, format!("{who} uses {dir}: stop the server first (magpie stop)"))
        }
        LockError::Io(error) => Failure::new(FailureKind::Failed, format!("{}: {error}", config.data_dir.display())),
    })?;
    let database = config.database_path();
    if !args.replace && database.exists() {
        let database = database.display();
        let message = format!("{database} exists\n  --replace puts the backup in its place and keeps it beside");
        return Err(Failure::new(FailureKind::Exists, message));
    }
    backup::restore(&args.file, &lock).await.map_err(|e| unusable(args, e))
}

fn unusable(args: &Restore, error: storage::Error) -> Failure {
    let kind = match &error {
        storage::Error::Io(cause) if cause.kind() == ErrorKind::NotFound => FailureKind::NotFound,
        _ => FailureKind::Failed,
    };
    Failure::new(kind, format!("{}: {error}", args.file.display()))
}

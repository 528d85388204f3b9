//! The log: tracing to standard error, for people or as JSON, with a level that can change while the server runs.

use std::io::{self, IsTerminal};

use tracing_subscriber::{
    EnvFilter, Registry, fmt, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _, util::TryInitError,
};

use crate::config::{Log, LogFormat};

/// Why the log does not start or change.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Not a filter.
    #[error("\"{0}\" is not a log filter: {1}")]
    Filter(String, tracing_subscriber::filter::ParseError),
    /// Somebody else already logs in this process.
    #[error("the log was started before: {0}")]
    Started(#[from] TryInitError),
    /// The log is gone.
    #[error("the log cannot be changed: {0}")]
    Gone(#[from] reload::Error),
}

/// Changes the level of the running log.
#[derive(Clone, Debug)]
pub struct LogHandle {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl LogHandle {
    /// Takes a filter as `log.level` has it.
    pub fn set_level(&self, filter: &str) -> Result<(), LogError> {
        Ok(self.filter.reload(parse(filter)?)?)
    }
}

/// Starts the log of this process.
pub fn init(log: &Log) -> Result<LogHandle, LogError> {
    let (filter, handle) = reload::Layer::new(parse(&log.level)?);
    let registry = tracing_subscriber::registry().with(filter);
    let layer = fmt::layer().with_writer(io::stderr);
    match log.format {
        LogFormat::Human => registry.with(layer.with_ansi(io::stderr().is_terminal()).with_target(false)).try_init()?,
        LogFormat::Json => registry.with(layer.json().flatten_event(true).with_current_span(true)).try_init()?,
    }
    Ok(LogHandle { filter: handle })
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    filter.parse().map_err(|error| LogError::Filter(filter.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_changes_while_it_runs_and_a_wrong_one_does_not_count() {
        let (filter, handle) = reload::Layer::new(parse("info").unwrap());
        let handle = LogHandle { filter: handle };
        let _subscriber = tracing_subscriber::registry().with(filter);
        handle.set_level("warn,magpie::storage=debug").unwrap();
        let refused = handle.set_level("magpie=loud").unwrap_err().to_string();
        assert!(refused.starts_with("\"magpie=loud\" is not a log filter: "), "{refused}");
    }
}

//! Settings and certificates read again while everything runs.

use super::Running;
use super::protocol::{Failure, FailureKind, ReloadReport};
use super::status::certificates;
use crate::apply;
use crate::config::{Config, Loaded};
use crate::core::Core;
use crate::web_client::WebClient;
use crate::xep::muc;
use std::sync::Arc;

/// Reads everything first: with a mistake anywhere nothing changes.
pub(super) fn reload(core: &Arc<Core>, running: &Running) -> Result<ReloadReport, Failure> {
    let settings = |message: String| Failure::new(FailureKind::Settings, message);
    let Some(overrides) = &running.rereading.overrides else {
        return Err(Failure::new(FailureKind::Failed, "this server's settings are in memory only"));
    };
    let Loaded { config: new, warnings, source } = Config::load(overrides).map_err(|e| settings(e.to_string()))?;
    let old = core.config.load_full();
    let changes = old.diff(&new);
    let config = new.applicable_to(&old);
    let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let doubtful = apply::reload_certificates(&running.certs, &config).map_err(|e| settings(e.to_string()))?;
    warnings.extend(doubtful.iter().map(ToString::to_string));
    if let Some(log) = running.rereading.log.as_ref().filter(|_| old.log.level != config.log.level)
        && let Err(error) = log.set_level(&config.log.level)
    {
        warnings.push(error.to_string());
    }
    let client = WebClient::find(&config.chat).unwrap_or_else(|error| {
        warnings.push(format!("no web client at /chat: {error}"));
        None
    });
    core.site.client.store(client.map(Arc::new));
    running.budget.set_limits(apply::budget_limits(&config));
    let shuts_rooms = old.rooms.enabled && !config.rooms.enabled;
    core.config.store(Arc::new(config));
    if shuts_rooms {
        let core = core.clone();
        core.work.clone().spawn(async move { muc::shut(&core).await });
    }
    let (changed, needs_restart): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.live);
    tracing::info!(changed = changed.len(), need_restart = needs_restart.len(), "settings and certificates reloaded");
    Ok(ReloadReport { file: source.file, changed, needs_restart, warnings, certificates: certificates(running) })
}

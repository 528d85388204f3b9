//! `magpie device …`: its arguments, its request, and how the answer looks.

use super::ask;
use super::table::render;
use super::words::count;
use crate::admin::protocol::{DeviceRevocation, DeviceRow, Failure, OfAccount, OfDevice, Request};
use clap::Subcommand;

/// `magpie device …`
#[derive(Debug, Subcommand)]
pub enum Device {
    /// List what has access to an account: clients, with or without a session, and how they log in
    List {
        /// The account
        jid: String,
    },
    /// Take a client's access away: its tokens are void, its sessions end
    ///
    /// A client that knows the password can come back until `magpie user passwd` sets another one.
    Revoke {
        /// The account
        jid: String,
        /// The device, as `magpie device list` shows it
        id: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

pub(super) fn request(device: &Device) -> Result<Request, Failure> {
    Ok(match device {
        Device::List { jid } => Request::DeviceList(OfAccount { jid: jid.clone() }),
        Device::Revoke { jid, id, yes } => {
            ask::confirm(*yes, &format!("Log the device {id} of {jid} out?"))?;
            Request::DeviceRevoke(OfDevice { jid: jid.clone(), id: id.clone() })
        }
    })
}

pub(super) fn listed(devices: &[DeviceRow]) -> String {
    let row = |d: &DeviceRow| {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let access = match (d.password, &d.token_until) {
            (true, None) => "password".to_owned(),
            (false, Some(until)) => format!("token until {until}"),
            (true, Some(until)) => format!("password, token until {until}"),
            (false, None) => "-".to_owned(),
        };
        let sessions = if d.sessions.is_empty() { "-".to_owned() } else { d.sessions.join(", ") };
        [d.id.clone(), or_none(&d.software), or_none(&d.name), d.last_seen.clone(), access, sessions]
    };
    render(
        ["DEVICE", "SOFTWARE", "NAME", "LAST SEEN", "ACCESS", "SESSIONS"],
        &devices.iter().map(row).collect::<Vec<_>>(),
    )
}

pub(super) fn revoked(done: &DeviceRevocation) -> String {
    let (tokens, sessions) = (count(done.tokens, "token"), count(done.sessions_ended as u64, "session"));
    let mut text = format!("{} of {}: {tokens} void, {sessions} ended\n", done.id, done.jid);
    if done.password_known {
        text.push_str(&format!("it knows the password: `magpie user passwd {}` keeps it out\n", done.jid));
    }
    text
}

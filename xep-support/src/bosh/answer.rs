//! What goes back to a client.

use std::fmt::Write;

use crate::ns;
use crate::xml::writer::escape_attr;

/// One list for variant and name.
macro_rules! conditions {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// Why a session ends (§16.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Condition {
            $($(#[$doc])* $variant,)*
        }

        impl Condition {
            /// The value of the attribute.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

conditions! {
    /// What the client sent is no body.
    BadRequest "bad-request";
    /// The domain is not served here any more.
    HostGone "host-gone";
    /// The domain is not served here.
    HostUnknown "host-unknown";
    /// It is not said which domain.
    ImproperAddressing "improper-addressing";
    /// A defect of ours.
    InternalServerError "internal-server-error";
    /// There is no such session, rid, answer or key.
    ItemNotFound "item-not-found";
    /// Another request ended the session.
    OtherRequest "other-request";
    /// Too much, too often.
    PolicyViolation "policy-violation";
    /// The stream was lost.
    RemoteConnectionFailed "remote-connection-failed";
    /// The payload says why.
    RemoteStreamError "remote-stream-error";
    /// The server stops.
    SystemShutdown "system-shutdown";
    /// Something else.
    UndefinedCondition "undefined-condition";
}

impl Condition {
    /// §16.1: what a client that knows no conditions is told.
    pub const fn legacy_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::PolicyViolation => 403,
            Self::ItemNotFound => 404,
            _ => 200,
        }
    }
}

/// What an answer means for its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// It goes on.
    #[default]
    Normal,
    /// The client is to ask again (§16.3).
    Again,
    /// It has ended, with a condition unless that was in order.
    Terminate(Option<Condition>),
}

/// What the answer to the first request says (§7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Names the session.
    pub sid: String,
    /// The version of BOSH that is spoken; none to a client that named none.
    pub ver: Option<(u32, u32)>,
    /// Seconds until an answer, at most.
    pub wait: u32,
    /// Requests held at most.
    pub hold: u32,
    /// Requests at a time at most.
    pub requests: u32,
    /// Seconds of silence after which the session is over.
    pub inactivity: u32,
    /// Seconds between two empty requests at least.
    pub polling: u32,
    /// Seconds of a pause at most.
    pub maxpause: u32,
    /// The rid of the request, if both sides acknowledge.
    pub ack: Option<u64>,
}

/// What our side of a stream says when it begins (XEP-0206 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The id of the stream.
    pub id: String,
    /// The domain.
    pub from: Option<String>,
}

/// The highest version of BOSH that is spoken here.
const VERSION: (u32, u32) = (1, 11);

impl Created {
    /// §7.2: what is spoken with somebody who speaks no higher version than this.
    pub fn version(theirs: (u32, u32)) -> (u32, u32) {
        theirs.min(VERSION)
    }
}

/// The body of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer<'a> {
    /// What it means.
    pub kind: Kind,
    /// It is the first one.
    pub created: Option<&'a Created>,
    /// A stream has begun.
    pub opened: Option<&'a Opened>,
    /// The highest rid that has come with all before it.
    pub ack: Option<u64>,
    /// The rid of an answer the client seems to lack, and the milliseconds since it was given.
    pub report: Option<(u64, u64)>,
    /// Elements that stand alone, one after the other.
    pub payload: &'a str,
}

impl Answer<'_> {
    /// Prints it.
    pub fn to_xml(&self) -> String {
        let mut out = String::with_capacity(self.payload.len() + 160);
        // `write!` into a string does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        write!(out, "<body xmlns='{}'", ns::BOSH)?;
        if let Some(created) = self.created {
            write_created(out, created)?;
        }
        if let Some(opened) = self.opened {
            out.push_str(" authid='");
            escape_attr(out, &opened.id);
            if let Some(from) = &opened.from {
                out.push_str("' from='");
                escape_attr(out, from);
            }
            out.push('\'');
        }
        if self.created.is_some() || self.opened.is_some() {
            write!(out, " xmlns:xmpp='{}' xmpp:version='1.0' xmpp:restartlogic='true'", ns::XBOSH)?;
        }
        match self.kind {
            Kind::Normal => {}
            Kind::Again => out.push_str(" type='error'"),
            Kind::Terminate(None) => out.push_str(" type='terminate'"),
            Kind::Terminate(Some(condition)) => {
                write!(out, " type='terminate' condition='{}'", condition.as_str())?;
            }
        }
        if let Some(ack) = self.ack {
            write!(out, " ack='{ack}'")?;
        }
        if let Some((rid, milliseconds)) = self.report {
            write!(out, " report='{rid}' time='{milliseconds}'")?;
        }
        if memchr::memmem::find(self.payload.as_bytes(), b"<stream:").is_some() {
            // XEP-0206 §2: here, whatever the element itself declares.
            write!(out, " xmlns:stream='{}'", ns::STREAM)?;
        }
        if self.payload.is_empty() {
            out.push_str("/>");
        } else {
            out.push('>');
            out.push_str(self.payload);
            out.push_str("</body>");
        }
        Ok(())
    }
}

fn write_created(out: &mut String, created: &Created) -> std::fmt::Result {
    let Created { sid, ver, wait, hold, requests, inactivity, polling, maxpause, ack } = created;
    out.push_str(" sid='");
    escape_attr(out, sid);
    write!(out, "' wait='{wait}' hold='{hold}' requests='{requests}' inactivity='{inactivity}' polling='{polling}'")?;
    if *maxpause > 0 {
        write!(out, " maxpause='{maxpause}'")?;
    }
    if let Some((major, minor)) = ver {
        write!(out, " ver='{major}.{minor}'")?;
    }
    if let Some(ack) = ack {
        write!(out, " ack='{ack}'")?;
    }
    Ok(())
}

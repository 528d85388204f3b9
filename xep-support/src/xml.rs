//! XML as XMPP restricts it (RFC 6120 §11): cutting a stream into frames, proving a frame harmless, a small tree for
//! payloads we read ourselves, and escaping.

pub mod check;
pub mod element;
pub mod framer;
mod names;
mod scope;
pub mod writer;

pub use check::{StreamContext, XmlError};
pub use element::{Element, Node};
pub use framer::{Event, FrameError, FrameLimits, Framer};
pub use names::{is_ncname, is_xml_char};

//! Stanza ids (XEP-0359): what an archive calls a message, told to those who may read the archive.

use crate::ns;
use crate::xml::writer::escape_attr;

/// Appends `<stanza-id/>`: who gave the id, and the id.
pub fn write(out: &mut String, by: &str, id: impl std::fmt::Display) {
    out.push_str("<stanza-id xmlns='");
    out.push_str(ns::SID);
    out.push_str("' by='");
    escape_attr(out, by);
    out.push_str("' id='");
    escape_attr(out, &id.to_string());
    out.push_str("'/>");
}

#[cfg(test)]
mod tests {
    #[test]
    fn printing() {
        let mut out = String::new();
        super::write(&mut out, "a'b@example.com", 7);
        assert_eq!(out, "<stanza-id xmlns='urn:xmpp:sid:0' by='a&apos;b@example.com' id='7'/>");
    }
}

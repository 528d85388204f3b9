//! XMPP protocol vocabulary: what bytes mean. No sockets, no clock, no SQL.

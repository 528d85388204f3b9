//! Magpie, an XMPP server. Modules in order of their layers, lowest first.

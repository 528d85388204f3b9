//! Logging in: XEP-0386 Bind 2, XEP-0388 Extensible SASL Profile and what builds upon it.

/// XEP-0386 resource binding within authentication.
pub const BIND2: &str = "urn:xmpp:bind:0";
/// XEP-0388 SASL2.
pub const SASL2: &str = "urn:xmpp:sasl:2";
/// XEP-0440 the channel bindings a server offers.
pub const SASL_CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";
/// XEP-0480 upgrade of the stored password.
pub const SASL_UPGRADE: &str = "urn:xmpp:sasl:upgrade:0";
/// XEP-0480 the salted password of a SCRAM mechanism.
pub const SCRAM_UPGRADE: &str = "urn:xmpp:scram-upgrade:0";
/// XEP-0484 tokens for fast reconnection.
pub const FAST: &str = "urn:xmpp:fast:0";
/// XEP-0494 which clients may use an account.
pub const CLIENT_ACCESS: &str = "urn:xmpp:cam:0";
/// XEP-0509 the version of what a server offers.
pub const CONFIG_VERSION: &str = "urn:xmpp:iap:0";

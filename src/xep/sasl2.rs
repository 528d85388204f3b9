//! Logging in by SASL2 and what belongs to it, as entries of the catalogue. These are parts of the stream and have nothing
//! to declare; what they do is in `c2s/login/` and `sasl/`.

use crate::extension::{About, Extension};

/// One entry.
macro_rules! part_of_the_stream {
    ($(#[doc = $doc:literal] $name:ident: $id:literal $title:literal $version:literal;)+) => {$(
        #[doc = $doc]
        pub struct $name;

        impl Extension for $name {
            fn about(&self) -> About {
                About::new($id, $title, $version)
            }
        }
    )+};
}

part_of_the_stream! {
    /// `c2s/login/sasl2.rs`
    ExtensibleSasl: "XEP-0388" "Extensible SASL Profile" "1.0.4";
    /// `c2s/login/bind2.rs`
    Bind2: "XEP-0386" "Bind 2" "1.1.0";
    /// `c2s/login/fast.rs`, `c2s/login/device.rs`, `sasl/fast.rs`
    FastTokens: "XEP-0484" "Fast Authentication Streamlining Tokens" "0.2.0";
    /// `c2s/login/upgrade.rs`, `sasl/upgrade.rs`
    UpgradeTasks: "XEP-0480" "SASL Upgrade Tasks" "0.2.0";
    /// `c2s/negotiate/features.rs`, `c2s/login/sasl2.rs`
    Pipelining: "XEP-0509" "Initial Authentication Pipelining" "0.2.0";
    /// `sasl/scram.rs`
    TlsVersionProtection: "XEP-0515" "TLS Channel-Binding Downgrade Protection" "0.1.0";
}

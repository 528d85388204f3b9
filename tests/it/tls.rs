//! Encryption: STARTTLS (RFC 6120 §5), direct TLS (XEP-0368), certificates, and PROXY protocol in front of both.

mod certificates;
mod handshake;
mod proxy;
mod starttls;

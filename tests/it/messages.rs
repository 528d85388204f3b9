//! Messages (RFC 6120 §8, RFC 6121 §5, §8.5): who gets them, what of them, in which order.

mod addressing;
mod order;
mod payload;
mod table;

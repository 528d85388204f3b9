//! Bounds on what one client can cost the others (`src/limits.rs`): crossing one has a defined outcome.

mod connections;
mod slow;
mod unloaded;

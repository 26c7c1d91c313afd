//! The whole server, over both of its listeners.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agents;
mod balanced;
mod bundles;
mod fixture;
mod hostile;
mod lifecycle;
mod minting;
mod nodes;
mod operators;
mod watched;

//! The agent's half of the stage: what the server authorized, kept current and handed to workloads.

mod admission;
pub(crate) mod cache;
pub(crate) mod catalog;
pub(crate) mod delegated;
pub(crate) mod explain;
mod issuance;
mod jwt;
pub(crate) mod meters;
pub(crate) mod options;
mod outlook;
mod owner;
mod push;
mod readers;
mod rotation;
pub(crate) mod sds;
pub(crate) mod server_upstream;
pub(crate) mod snapshot;
mod sync;
pub(crate) mod sync_state;
pub(crate) mod upstream;
pub(crate) mod workload_api;

#[cfg(test)]
mod testing;

//! Messages to nouns and back, one file for each noun. From the wire: a named error for what breaks a rule. To the
//! wire: nothing can go wrong.

pub(crate) mod agent;
pub(crate) mod authority;
pub(crate) mod batch;
pub(crate) mod bundle;
pub(crate) mod claims;
pub(crate) mod delegated;
pub(crate) mod entry;
pub(crate) mod explanation;
pub(crate) mod filter;
pub(crate) mod id;
pub(crate) mod log_level;
pub(crate) mod page;
pub(crate) mod program_info;
pub(crate) mod secrets;
pub(crate) mod status;
pub(crate) mod svid;
pub(crate) mod time;
pub(crate) mod workload;

/// A count as the wire has it; more than it can say is said as the most.
pub(crate) fn count(items: u64) -> i32 {
    i32::try_from(items).unwrap_or(i32::MAX)
}

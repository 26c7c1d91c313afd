//! Why a process has the identities that it has, or none.

use std::time::{Duration, SystemTime};

use finial_identity::{EntryId, SelectorSet, SpiffeId};

/// Why a process has the identities that it has, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// One sentence: what the process is served, or why it is served nothing.
    pub summary: String,
    /// The process.
    pub process: ExplainedProcess,
    /// What each workload attestor said, in the order of the configuration.
    pub attestors: Vec<ExplainedAttestor>,
    /// The entries that describe the process, by ID.
    pub matches: Vec<ExplainedMatch>,
    /// Those that do not, what lacks least first; as many as fit on a screen.
    pub misses: Vec<ExplainedMiss>,
    /// How many further entries do not describe it.
    pub further_misses: usize,
    /// How many entries the agent is authorized for.
    pub entries: usize,
    /// When the server was last heard in full; `None` when never since the agent started.
    pub last_sync: Option<SystemTime>,
    /// Why the latest sync failed; `None` when it did not.
    pub sync_failure: Option<String>,
}

/// A process as the agent sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedProcess {
    /// Its ID, in the agent's PID namespace.
    pub pid: i32,
    /// Its effective user ID.
    pub uid: u32,
    /// Its effective group ID.
    pub gid: u32,
    /// The program that it runs; `None` when it may not be read.
    pub path: Option<String>,
}

/// What one workload attestor said. The values of selectors do not belong in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedAttestor {
    /// Its name, such as `unix`.
    pub name: String,
    /// What it found; or why it found nothing.
    pub found: Result<SelectorSet, String>,
    /// How long it took; whole milliseconds travel.
    pub took: Duration,
}

/// An entry that describes the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedMatch {
    /// The entry.
    pub entry: EntryId,
    /// The identity that it gives.
    pub spiffe_id: SpiffeId,
    /// The entry's hint; may be empty.
    pub hint: String,
    /// The X.509-SVID that is served; or why there is none.
    pub served: Result<ExplainedSvid, String>,
}

/// The X.509-SVID that is served for an entry; whole seconds travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExplainedSvid {
    /// Until when it is valid.
    pub expires_at: SystemTime,
    /// When the agent has it renewed; `None` when that is due already.
    pub renews_at: Option<SystemTime>,
}

/// An entry that does not describe the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedMiss {
    /// The entry.
    pub entry: EntryId,
    /// The identity that it would give.
    pub spiffe_id: SpiffeId,
    /// What the entry asks for and the process has not.
    pub lacking: SelectorSet,
}

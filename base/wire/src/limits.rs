//! How much a peer may send, and how long it may take; an error that comes of one names it.

use std::time::Duration;

/// Longest request to a server API, in bytes. gRPC's customary limit, and SPIRE's.
pub const MAX_REQUEST_BYTES: usize = 4 * 1024 * 1024;

/// Longest answer a client takes, in bytes: lists and bundles come whole.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Longest request to the Workload API, in bytes: the largest thing in one is a JWT-SVID.
pub const MAX_WORKLOAD_REQUEST_BYTES: usize = 64 * 1024;

/// Longest request of an Envoy for its secrets, in bytes: it lists all of its extensions in the first one.
pub const MAX_SECRET_REQUEST_BYTES: usize = 1024 * 1024;

/// Most names in a request of an Envoy, and most that one of its streams may be about.
pub const MAX_SECRET_NAMES: usize = 256;

/// How long a connection may last in which no call has begun. A client that dials before it has something to ask is
/// connected again when it has.
pub const MAX_SILENCE: Duration = Duration::from_secs(30);

/// How long a message of a call may take to arrive: the first from when the call begins, later ones of a stream from their
/// first byte.
pub const MAX_ARRIVAL: Duration = Duration::from_secs(30);

/// Longest request of an agent that attests, in bytes: anybody may make one.
pub const MAX_ATTESTATION_BYTES: usize = 512 * 1024;

/// Longest version that an agent gives of itself, in bytes.
pub const MAX_VERSION_BYTES: usize = 256;

/// Most items in a batch. SPIRE signs no more than this in a second for one address.
pub const MAX_BATCH: usize = 500;

/// Most selectors in an entry or a filter.
pub const MAX_SELECTORS: usize = 256;

/// Longest selector in an entry or a filter, in bytes.
pub const MAX_SELECTOR_BYTES: usize = 4096;

/// Most trust domains to federate with, and most DNS names, in an entry.
pub const MAX_LIST: usize = 256;

/// Most audiences of a JWT-SVID.
pub const MAX_AUDIENCES: usize = 64;

/// Longest audiences of a JWT-SVID, all together, in bytes: a token that nobody reads is not made.
pub const MAX_AUDIENCE_BYTES: usize = 4096;

/// Most entries or revisions in one message of SyncAuthorizedEntries; SPIRE's page.
pub const SYNC_PAGE: usize = 500;

/// Longest synchronisation of an agent's entries, from the call to its last page; SPIRE's agents take seconds.
pub(crate) const MAX_SYNC: Duration = Duration::from_secs(600);

/// Longest pause of an agent between two requests of a synchronisation.
pub(crate) const MAX_SYNC_PAUSE: Duration = Duration::from_secs(60);

/// Most entries an agent takes from a server.
pub const MAX_SYNCED_ENTRIES: usize = 1_000_000;

/// Most items that a caller takes of one list of a server's: twice as many entries as one is made for.
pub const MAX_LISTED: usize = 2_000_000;

//! The whole store, for whoever needs more than one noun of it.

use std::fmt::Debug;

use crate::{Bundles, Changes, Entries, Journal, Nodes, Tokens};

/// Everything that a server remembers. Each write returns after its commit is on disk.
///
/// A database is supported when its implementation passes `battery::run`.
pub trait DataStore: Entries + Nodes + Bundles + Tokens + Journal + Changes + Debug {}

impl<T: Entries + Nodes + Bundles + Tokens + Journal + Changes + Debug> DataStore for T {}

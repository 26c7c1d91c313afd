//! The datastore and its in-memory index

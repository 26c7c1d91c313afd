//! The finial binary

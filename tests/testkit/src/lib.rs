//! The real programs, in process, for tests

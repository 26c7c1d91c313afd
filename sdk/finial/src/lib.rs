//! Workload identity for Rust programs

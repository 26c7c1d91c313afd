//! Key managers

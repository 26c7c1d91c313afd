//! Issue: make the identity

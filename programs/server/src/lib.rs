//! The server: attests nodes, issues identities

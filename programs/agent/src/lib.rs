//! The agent: attests workloads, hands over identities

//! Repository chores: proto, arch

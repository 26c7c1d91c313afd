//! Stories: each module tells one, with the real programs on port 0 and sockets in a temporary folder.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agent;
mod cells;
mod domain;

mod admin;
mod bad_days;
mod commands;
mod compatibility;
mod configuration;
mod confined;
mod documents;
mod examples;
mod exchange;
mod faults;
mod federation;
mod first_contact;
mod first_identity;

mod ghostunnel;
mod helper;
mod helper_commands;
mod hostile;
mod identity_header;
mod memory;
mod outage;
mod pages;
mod processes;
mod proxy_days;
mod quickstart;
mod reattestation;
mod restarts;
mod rotations;
mod sdk;
mod sockets;
mod storm;
mod supervised;
mod takeover;
mod transcripts;

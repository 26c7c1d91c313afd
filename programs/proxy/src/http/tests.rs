//! Callers that say raw bytes, and backends that show what raw bytes they got.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod connections;
mod forged;
mod framing;
mod garble;
mod limits;
mod stage;
mod targets;
mod trust;
mod two;
mod two_backend;
mod two_raw;
mod websocket;

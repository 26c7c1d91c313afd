//! A trust domain with two workloads in it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_daemon::{Clock, ClockHand};
use finial_receive::testing::{Authority, start};
use finial_receive::{Source, SourceWriter};
use finial_tls::Policy;

use crate::Workload;

pub(crate) const SERVER: &str = "spiffe://example.org/server";
pub(crate) const CLIENT: &str = "spiffe://example.org/client";

pub(crate) struct World {
    authority: Authority,
    pub(crate) clock: Clock,
    pub(crate) hand: ClockHand,
}

impl World {
    pub(crate) fn new() -> Self {
        let (clock, hand) = Clock::manual(start());
        Self { authority: Authority::new("example.org"), clock, hand }
    }

    /// A workload whose identity the writer can take away.
    pub(crate) fn workload(&self, id: &str) -> (SourceWriter, Workload) {
        let (writer, source) = Source::channel(&self.clock);
        writer.publish(vec![self.authority.credential(id)], self.authority.bundles()).unwrap();
        (writer, Workload::from_source(source))
    }
}

pub(crate) fn only(id: &str) -> Policy {
    Policy::ids([id.parse().unwrap()])
}

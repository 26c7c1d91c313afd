//! Places of a bundle, good and bad.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod places;
mod web;

use std::path::Path;
use std::time::Duration;

use finial_daemon::{Clock, ClockHand};
use finial_identity::{Bundle, TrustDomain};
use finial_receive::Source;
use finial_receive::testing::{Authority, start};
use tempfile::TempDir;

use super::{Bootstrap, BootstrapError, Occasion};
use crate::channel::Dialer;
use crate::config::{BundleFormat, BundleUrl, Config, TrustBundle};

/// An agent's first contact, up to the bundle.
struct Contact {
    bootstrap: Bootstrap,
    dialer: Dialer,
    hand: ClockHand,
    clock: Clock,
    folder: TempDir,
}

impl Contact {
    fn with(source: TrustBundle) -> Self {
        Self::with_format(source, BundleFormat::Pem)
    }

    fn with_format(source: TrustBundle, format: BundleFormat) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(start());
        let mut config = Config::new(TrustDomain::parse("example.org").unwrap(), "::1", 8081, folder.path());
        config.trust_bundle = source;
        config.trust_bundle_format = format;
        let (_, source) = Source::channel(&clock);
        let dialer = Dialer::new(&config, &source, &clock).unwrap();
        let bootstrap = Bootstrap::new(&config, &clock).unwrap();
        Self { bootstrap, dialer, hand, clock, folder }
    }

    /// A contact that asks a program on this machine.
    fn over(socket: &Path, format: BundleFormat) -> Self {
        let url = BundleUrl::parse("http://localhost/bundle?instance=a", Some(socket.to_owned())).unwrap();
        Self::with_format(TrustBundle::Url(url), format)
    }

    async fn ask(&mut self) -> Result<Bundle, BootstrapError> {
        self.bootstrap.ask(Occasion::First, &self.dialer).await
    }
}

fn own() -> Bundle {
    Authority::new("example.org").bundle().as_ref().clone()
}

fn text(error: &BootstrapError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

const LONG: Duration = Duration::from_secs(60);

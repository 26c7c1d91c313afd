//! What the servers are verified with while an agent attests, and what becomes of it when none can be verified.

use std::sync::Arc;
use std::time::Duration;

use finial_identity::Bundle;

use super::{Bootstrap, BootstrapError, Occasion};
use crate::Config;
use crate::config::RebootstrapMode;
use crate::identity::{Home, only};
use crate::loss::Loss;

/// The bundle of an attestation that is under way; published, so that connections are verified with it.
pub(crate) struct Trust<'a> {
    pub(crate) bundle: Arc<Bundle>,
    pub(crate) home: &'a Home,
    bootstrap: &'a mut Bootstrap,
    occasion: Occasion,
    mode: RebootstrapMode,
    delay: Duration,
}

impl<'a> Trust<'a> {
    /// Takes what the operator configured, together with what the server said last: an authority that was rotated
    /// since the agent was configured must not keep it from joining again. Whoever publishes a bundle elsewhere is
    /// asked only when the server has said nothing yet.
    ///
    /// # Errors
    /// When there is no bundle to be had.
    pub(crate) async fn begin(
        config: &Config,
        bootstrap: &'a mut Bootstrap,
        home: &'a Home,
    ) -> Result<Self, BootstrapError> {
        let (bundle, occasion) = match &home.stored.bundle {
            None => (bootstrap.wait(Occasion::First, &home.dialer).await?, Occasion::First),
            Some(stored) if bootstrap.is_at_hand() => {
                (merged(bootstrap.ask(Occasion::Again, &home.dialer).await?, stored), Occasion::Again)
            }
            Some(stored) => (stored.clone(), Occasion::Again),
        };
        let (mode, delay) = (config.rebootstrap_mode, config.rebootstrap_delay);
        let trust = Self { bundle: Arc::new(bundle), home, bootstrap, occasion, mode, delay };
        home.writer.publish_anonymous(only(&trust.bundle));
        Ok(trust)
    }

    /// After a failure: when the servers were reached and none could be verified, looks whether there is a newer
    /// bundle. An agent that has been told nothing by its server yet looks at once, another after the configured
    /// delay, and only when it may.
    ///
    /// # Errors
    /// The [`Loss`] of an agent that may not look.
    pub(crate) async fn reconsider(&mut self) -> Result<(), Loss> {
        let Some(since) = *self.home.dialer.estranged().borrow() else { return Ok(()) };
        let asked = match self.occasion {
            Occasion::First if self.bootstrap.may_be_asked_again() => {
                self.bootstrap.ask(Occasion::First, &self.home.dialer).await.map(|it| Some(Arc::new(it)))
            }
            Occasion::First => return Ok(()),
            Occasion::Again if self.home.clock.now() < since + self.delay => return Ok(()),
            Occasion::Again if self.mode == RebootstrapMode::Never => {
                let trust_domain = self.bundle.trust_domain.clone();
                return Err(Loss::Estranged { trust_domain, since });
            }
            Occasion::Again => self.bootstrap.ask_again(&self.bundle, &self.home.dialer).await,
        };
        match asked {
            Ok(Some(bundle)) if bundle.x509_authorities != self.bundle.x509_authorities => {
                tracing::warn!(
                    "no server could be verified; from now on the newly fetched trust bundle is used"
                );
                self.bundle = bundle;
                self.home.writer.publish_anonymous(only(&self.bundle));
            }
            Ok(_) => {}
            Err(error) => {
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::warn!(error, "no server can be verified, and there is no newer trust bundle yet");
            }
        }
        Ok(())
    }
}

fn merged(mut bundle: Bundle, stored: &Bundle) -> Bundle {
    for authority in &stored.x509_authorities {
        if !bundle.x509_authorities.contains(authority) {
            bundle.x509_authorities.push(authority.clone());
        }
    }
    bundle
}

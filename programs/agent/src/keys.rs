//! The agent's own two keys: the one of its SVID, and a slot for the next.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use finial_daemon::Clock;
use finial_identity::{KeyKind, PrivateKey, PublicKey};
use finial_keys::{DiskKeys, Key, KeyManager, MemoryKeys};

use crate::KeysConfig;
use crate::meters::{IdentityMeters, timed};

/// SPIRE's ids of the two.
const SLOTS: [&str; 2] = ["agent-svid-A", "agent-svid-B"];
const FILE: &str = "keys.json";

/// The agent's keys by the SVID that they belong to.
#[derive(Clone, Debug)]
pub(crate) struct AgentKeys {
    manager: Arc<dyn KeyManager>,
    meters: IdentityMeters,
    clock: Clock,
}

impl AgentKeys {
    pub(crate) fn open(config: &KeysConfig, meters: IdentityMeters, clock: &Clock) -> anyhow::Result<Self> {
        let manager: Arc<dyn KeyManager> = match config {
            KeysConfig::Memory => Arc::new(MemoryKeys::new()),
            KeysConfig::Disk(folder) => {
                create_private_folder(folder)?;
                Arc::new(DiskKeys::open(folder.join(FILE)).context("the agent's keys cannot be used")?)
            }
        };
        Ok(Self { manager, meters, clock: clock.clone() })
    }

    /// The private key that belongs to `public`; `None` when neither slot holds it.
    pub(crate) async fn belonging_to(&self, public: &PublicKey) -> anyhow::Result<Option<PrivateKey>> {
        for slot in SLOTS {
            if let Some(key) = self.manager.key(slot).await?
                && key.public_key() == public
            {
                return private(key.as_ref()).map(Some);
            }
        }
        Ok(None)
    }

    /// As [`next`](Self::next), or, when the disk does not take it, a key that the next start will not find; and which of
    /// the two.
    pub(crate) async fn next_or_passing(
        &self,
        in_use: Option<&PublicKey>,
    ) -> anyhow::Result<(PrivateKey, bool)> {
        let error = match self.next(in_use).await {
            Ok(key) => return Ok((key, true)),
            Err(error) => error,
        };
        let error: &(dyn std::error::Error + 'static) = error.as_ref();
        tracing::error!(error, "the agent's new key is held in memory only: a restart would lose it");
        let key = PrivateKey::generate(KeyKind::EcP256).context("the agent's new key cannot be made")?;
        Ok((key, false))
    }

    /// A new key, in the slot that does not hold the key of the SVID in use.
    pub(crate) async fn next(&self, in_use: Option<&PublicKey>) -> anyhow::Result<PrivateKey> {
        let mut slot = SLOTS[0];
        if let Some(held) = self.manager.key(slot).await?
            && Some(held.public_key()) == in_use
        {
            slot = SLOTS[1];
        }
        let made = async { Ok(self.manager.generate(slot, KeyKind::EcP256).await?) };
        private(timed(&self.meters.generate_key, &self.clock, made).await?.as_ref())
    }
}

/// Creates a folder that only this user may look into, unless it exists.
pub(crate) fn create_private_folder(path: &Path) -> anyhow::Result<()> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.with_context(|| {
        format!("cannot create the folder {}: create it, writable by this user", path.display())
    })
}

/// TLS signs with the key itself.
fn private(key: &dyn Key) -> anyhow::Result<PrivateKey> {
    let held = key.local().cloned();
    held.with_context(|| format!("the key {} is not held in this process, which TLS needs", key.id()))
}

//! The Secret Discovery Service: Envoys get the same identities and bundles as any workload, in Envoy's own terms.

mod content;
mod conversation;
mod delta;
mod holder;
mod interest;
mod offer;
mod settings;
mod world;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use finial_attest::WorkloadAttestors;
use finial_daemon::Clock;
use finial_wire::server::{Messages, SecretApi};
use finial_wire::{SecretDelta, SecretDeltaRequest, SecretRequest, SecretUpdate};
use futures_util::{StreamExt, stream};
use tonic::{Extensions, Status};

use self::conversation::{Conversation, Dialect};
use self::delta::Delta;
use self::holder::Holder;
use self::world::World;
use super::cache::Cache;
use super::workload_api::caller::Caller;
use super::workload_api::limits::StreamTable;
use super::workload_api::rates::{RatedCall, Rates};

pub use self::settings::SdsOptions;

/// The Secret Discovery Service of one agent.
#[derive(Debug)]
pub struct Secrets {
    cache: Cache,
    attestors: Arc<WorkloadAttestors>,
    options: Arc<SdsOptions>,
    streams: Arc<StreamTable>,
    rates: Rates,
    clock: Clock,
}

impl Secrets {
    /// Serves what `cache` holds to the Envoys that `attestors` recognize.
    ///
    /// Each request must carry a [`WorkloadPeer`](crate::WorkloadPeer), as those of the Workload API.
    pub fn new(cache: Cache, attestors: Arc<WorkloadAttestors>, options: SdsOptions, clock: Clock) -> Self {
        let streams = Arc::new(StreamTable::new(options.streams));
        let rates = Rates::new(options.rates, cache.meters().clone(), clock.clone());
        Self { cache, attestors, options: Arc::new(options), streams, rates, clock }
    }

    /// Begins to answer the requests of one stream.
    async fn converse<D: Dialect>(
        &self,
        call: RatedCall,
        ctx: &Extensions,
        requests: Messages<D::Request>,
    ) -> Result<Conversation<D>, Status> {
        self.cache.synced(&self.clock).await?;
        let caller = Caller::attest(ctx, &self.attestors).await?;
        self.rates.admit(call, caller.attested())?;
        let place = self.streams.open(caller.process())?;
        let holder = Holder::new(self.cache.clone(), caller, place);
        Ok(Conversation::new(requests, holder, Arc::clone(&self.options), self.clock.clone()))
    }

    async fn answers<D: Dialect>(
        &self,
        ctx: &Extensions,
        requests: Messages<D::Request>,
    ) -> Result<Messages<D::Answer>, Status> {
        let conversation = self.converse::<D>(RatedCall::StreamSecrets, ctx, requests).await?;
        let answers = stream::try_unfold(conversation, |mut conversation| async move {
            Ok(conversation.next().await?.map(|answer| (answer, conversation)))
        });
        Ok(answers.boxed())
    }
}

#[async_trait]
impl SecretApi for Secrets {
    async fn stream(
        &self,
        ctx: &Extensions,
        requests: Messages<SecretRequest>,
    ) -> Result<Messages<SecretUpdate>, Status> {
        self.answers::<World>(ctx, requests).await
    }

    async fn delta(
        &self,
        ctx: &Extensions,
        requests: Messages<SecretDeltaRequest>,
    ) -> Result<Messages<SecretDelta>, Status> {
        self.answers::<Delta>(ctx, requests).await
    }

    async fn fetch(&self, ctx: &Extensions, request: SecretRequest) -> Result<SecretUpdate, Status> {
        let requests = stream::iter([Ok(request)]).chain(stream::pending()).boxed();
        let mut conversation = self.converse::<World>(RatedCall::FetchSecrets, ctx, requests).await?;
        let mut whole = SecretUpdate::default();
        // What is still to be issued comes in later parts.
        while let Some(part) = conversation.next().await? {
            whole.version = part.version;
            whole.secrets.extend(part.secrets);
            if conversation.is_complete() {
                break;
            }
        }
        Ok(whole)
    }
}

//! One delivery, for a job or an init container: all that is configured is fetched, written, and that is it.

use std::time::Duration;

use finial_daemon::Tasks;
use finial_identity::{BundleSet, JwtSvid};
use finial_receive::{JwtSource, ReceiveError, X509Context, connect};
use finial_wire::client::WorkloadClient;
use futures_util::stream::{BoxStream, StreamExt};
use tonic::{Code, Status};

use super::{DeliverError, Deliverer, x509_files};
use crate::vitals::OutputKind;
use crate::{JwtOutput, Whose, render};

/// How often an agent is asked that has no identity for this process yet.
const STEPS: u32 = 10;
/// The first wait between two of them; each is five times as long as the one before, up to the longest.
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(60);
/// How long the agent may take for an answer.
const CALL_LIMIT: Duration = Duration::from_secs(30);

impl Deliverer {
    /// Writes the X.509-SVIDs, then the JWT bundles, then the JWT-SVIDs. Only that the agent has no identity for this
    /// process is tried again, as its entry may be on its way.
    ///
    /// # Errors
    /// What was not given, or could not be written. What was written before stays.
    pub(crate) async fn once(mut self, tasks: &Tasks) -> Result<(), DeliverError> {
        let client = WorkloadClient::new(connect(&self.config.agent));
        if !self.config.outputs.x509.is_empty() {
            let context = self.patiently(async || self.x509(&client).await).await?;
            self.write_x509(&context).await?;
        }
        if let Some(place) = self.config.outputs.jwt_bundle.clone() {
            let bundles = self.patiently(async || self.jwt_bundles(&client).await).await?;
            let files = vec![render::jwt_bundles(&place, &bundles)];
            self.stock.of_kind(OutputKind::JwtBundle).for_each(|it| it.received(files.clone(), None, None));
            self.put().await?;
        }
        if !self.config.outputs.jwt_svids.is_empty() {
            let source = JwtSource::from_workload_api(&self.config.agent, &self.clock, tasks);
            for (index, wanted) in self.config.outputs.jwt_svids.clone().iter().enumerate() {
                let svid = self.patiently(async || token(&source, wanted).await).await?;
                self.take_token(index, &svid);
                self.put().await?;
            }
        }
        Ok(())
    }

    async fn write_x509(&mut self, context: &X509Context) -> Result<(), DeliverError> {
        let now = self.clock.now();
        for (wanted, output) in self.config.outputs.x509.iter().zip(self.stock.of_kind(OutputKind::X509)) {
            let (files, credential) = x509_files(wanted, context, now).await?;
            let svid = credential.svid();
            output.received(files, Some(svid.id().clone()), Some(svid.not_after()));
        }
        self.put().await
    }

    async fn x509(&self, client: &WorkloadClient) -> Result<X509Context, DeliverError> {
        let message = self.first("FetchX509SVID", client.x509_svids()).await?;
        Ok(X509Context::new(message.credentials, message.bundles, self.clock.now())?)
    }

    async fn jwt_bundles(&self, client: &WorkloadClient) -> Result<BundleSet, DeliverError> {
        Ok(self.first("FetchJWTBundles", client.jwt_bundles()).await?)
    }

    /// The first message of a stream.
    async fn first<T>(
        &self,
        rpc: &'static str,
        open: impl Future<Output = Result<BoxStream<'static, Result<T, Status>>, Status>>,
    ) -> Result<T, ReceiveError> {
        let first = async {
            let closed = || Err(Status::unavailable("the stream was closed without an answer"));
            open.await?.next().await.unwrap_or_else(closed)
        };
        let answer = self.clock.timeout(CALL_LIMIT, first).await;
        let answer = answer.map_err(|_| ReceiveError::Unanswered { rpc, limit: CALL_LIMIT })?;
        answer.map_err(|status| ReceiveError::Refused { rpc, status: Box::new(status) })
    }

    /// Asks again when the agent has no identity for this process, and only then.
    async fn patiently<T>(&self, ask: impl AsyncFn() -> Result<T, DeliverError>) -> Result<T, DeliverError> {
        let mut wait = FIRST;
        for _ in 1..STEPS {
            match ask().await {
                Err(error) if is_denied(&error) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::warn!(error, wait_ms = wait.as_millis(), "no identity yet, trying again");
                }
                answer => return answer,
            }
            self.clock.sleep(wait).await;
            wait = (wait * 5).min(LONGEST);
        }
        ask().await
    }
}

async fn token(source: &JwtSource, wanted: &JwtOutput) -> Result<JwtSvid, DeliverError> {
    let audience = &wanted.audience;
    Ok(match &wanted.whose {
        Whose::Default => source.fetch_jwt_svid(audience, None).await?,
        Whose::Id(id) => source.fetch_jwt_svid(audience, Some(id)).await?,
        Whose::Hint(hint) => render::hinted(hint, source.fetch_jwt_svids(audience).await?)?,
    })
}

fn is_denied(error: &DeliverError) -> bool {
    matches!(error, DeliverError::Receive(ReceiveError::Refused { status, .. })
        if status.code() == Code::PermissionDenied)
}

//! Asks spire.api.agent.delegatedidentity.v1.DelegatedIdentity.

use finial_identity::{Audience, Bundle, BundleSet, JwtSvid};
use futures_util::stream::{BoxStream, StreamExt};
use tonic::Status;
use tonic::transport::Channel;

use super::until_error;
use crate::convert::{delegated as convert, svid};
use crate::error::WireError;
use crate::proto::delegated::delegated_identity_client::DelegatedIdentityClient as Stub;
use crate::proto::delegated::{FetchJwtsviDsRequest, SubscribeToJwtBundlesRequest};
use crate::proto::delegated::{SubscribeToX509BundlesRequest, SubscribeToX509sviDsRequest};
use crate::{DelegatedIdentities, DelegatedWorkload, MAX_ANSWER_BYTES};

/// A stream that tells everything now, and everything again after each change.
type Updates<T> = BoxStream<'static, Result<T, Status>>;

/// Asks an agent's admin socket as a delegate.
#[derive(Clone, Debug)]
pub struct DelegatedIdentityClient(Stub<Channel>);

impl DelegatedIdentityClient {
    /// Asks over this channel.
    pub fn new(channel: Channel) -> Self {
        Self(Stub::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
    }

    /// The identities of a workload, which may be none.
    ///
    /// # Errors
    /// PermissionDenied when this process is no delegate; the agent's refusal.
    pub async fn x509_svids(
        &self,
        workload: &DelegatedWorkload,
    ) -> Result<Updates<DelegatedIdentities>, Status> {
        let (selectors, pid) = convert::to_workload(workload);
        let request = SubscribeToX509sviDsRequest { selectors, pid };
        let answers = self.0.clone().subscribe_to_x509svi_ds(request).await?.into_inner();
        let answers = until_error(answers);
        Ok(answers.map(|answer| convert::identities(answer?).map_err(WireError::bad_answer)).boxed())
    }

    /// All bundles to check X.509-SVIDs with.
    ///
    /// # Errors
    /// As for [`x509_svids`](Self::x509_svids).
    pub async fn x509_bundles(&self) -> Result<Updates<BundleSet>, Status> {
        let request = SubscribeToX509BundlesRequest {};
        let answers = self.0.clone().subscribe_to_x509_bundles(request).await?.into_inner();
        let read = |certificates| convert::bundles(certificates, Bundle::parse_x509_der);
        let answers = until_error(answers);
        Ok(answers.map(move |answer| read(answer?.ca_certificates).map_err(WireError::bad_answer)).boxed())
    }

    /// JWT-SVIDs of all identities of a workload.
    ///
    /// # Errors
    /// As for [`x509_svids`](Self::x509_svids); PermissionDenied also when the workload has no identity.
    pub async fn jwt_svids(
        &self,
        workload: &DelegatedWorkload,
        audience: &Audience,
    ) -> Result<Vec<JwtSvid>, Status> {
        let (selectors, pid) = convert::to_workload(workload);
        let audience = audience.iter().map(str::to_owned).collect();
        let request = FetchJwtsviDsRequest { audience, selectors, pid };
        let answer = self.0.clone().fetch_jwtsvi_ds(request).await?.into_inner();
        let svids: Result<_, _> = answer.svids.into_iter().map(|it| svid::jwt_svid(Some(it))).collect();
        svids.map_err(WireError::bad_answer)
    }

    /// All bundles to check JWT-SVIDs with.
    ///
    /// # Errors
    /// As for [`x509_svids`](Self::x509_svids).
    pub async fn jwt_bundles(&self) -> Result<Updates<BundleSet>, Status> {
        let request = SubscribeToJwtBundlesRequest {};
        let answers = self.0.clone().subscribe_to_jwt_bundles(request).await?.into_inner();
        let read = |documents| convert::bundles(documents, Bundle::parse_jwks);
        let answers = until_error(answers);
        Ok(answers.map(move |answer| read(answer?.bundles).map_err(WireError::bad_answer)).boxed())
    }
}

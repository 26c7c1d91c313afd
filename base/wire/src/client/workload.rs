//! Asks the Workload API.

use finial_identity::{Audience, BundleSet, JwtSvid, SpiffeId};
use futures_util::stream::{BoxStream, Stream, StreamExt};
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::until_error;
use crate::convert::workload as convert;
use crate::error::WireError;
use crate::proto::workload::spiffe_workload_api_client::SpiffeWorkloadApiClient as Stub;
use crate::proto::workload::{JwtBundlesRequest, JwtsvidRequest, ValidateJwtsvidRequest};
use crate::proto::workload::{X509BundlesRequest, X509svidRequest};
use crate::{MAX_ANSWER_BYTES, X509Context};

/// A stream that tells everything now, and everything again after each change.
type Updates<T> = BoxStream<'static, Result<T, Status>>;

/// Asks an agent as a workload. Every call carries the security header (WEP-03).
#[derive(Clone, Debug)]
pub struct WorkloadClient(Stub<InterceptedService<Channel, SecurityHeader>>);

impl WorkloadClient {
    /// Asks over this channel.
    pub fn new(channel: Channel) -> Self {
        let stub = Stub::with_interceptor(channel, SecurityHeader);
        Self(stub.max_decoding_message_size(MAX_ANSWER_BYTES))
    }

    /// The identities of this process and whom it may trust.
    ///
    /// # Errors
    /// PermissionDenied when this process has no identity; the agent's refusal. An item that is an error is the
    /// last one, unless it is a malformed message, which is passed on as Internal and counts for nothing (WAP-10).
    pub async fn x509_svids(&self) -> Result<Updates<X509Context>, Status> {
        let answers = self.0.clone().fetch_x509svid(X509svidRequest {}).await?.into_inner();
        Ok(updates(answers, convert::x509_context))
    }

    /// The bundles to check X.509-SVIDs with.
    ///
    /// # Errors
    /// As for [`x509_svids`](Self::x509_svids).
    pub async fn x509_bundles(&self) -> Result<Updates<BundleSet>, Status> {
        let answers = self.0.clone().fetch_x509_bundles(X509BundlesRequest {}).await?.into_inner();
        Ok(updates(answers, convert::x509_bundles))
    }

    /// The bundles to check JWT-SVIDs with.
    ///
    /// # Errors
    /// As for [`x509_svids`](Self::x509_svids).
    pub async fn jwt_bundles(&self) -> Result<Updates<BundleSet>, Status> {
        let answers = self.0.clone().fetch_jwt_bundles(JwtBundlesRequest {}).await?.into_inner();
        Ok(updates(answers, convert::jwt_bundles))
    }

    /// JWT-SVIDs for all identities of this process, or for one.
    ///
    /// # Errors
    /// PermissionDenied when this process has no such identity; the agent's refusal.
    pub async fn jwt_svids(
        &self,
        audience: &Audience,
        id: Option<&SpiffeId>,
    ) -> Result<Vec<JwtSvid>, Status> {
        let request = JwtsvidRequest {
            audience: audience.iter().map(str::to_owned).collect(),
            spiffe_id: id.map(SpiffeId::to_string).unwrap_or_default(),
        };
        let svids = self.0.clone().fetch_jwtsvid(request).await?.into_inner().svids;
        if svids.is_empty() {
            return Err(WireError::Missing("svids").bad_answer());
        }
        svids.into_iter().map(convert::jwt_svid).collect::<Result<_, _>>().map_err(WireError::bad_answer)
    }

    /// Has the agent check a JWT-SVID that is meant for this audience.
    ///
    /// # Errors
    /// InvalidArgument when it is no good; the agent's refusal.
    pub async fn validate_jwt_svid(
        &self,
        audience: impl Into<String>,
        token: impl Into<String>,
    ) -> Result<JwtSvid, Status> {
        let token = token.into();
        let request = ValidateJwtsvidRequest { audience: audience.into(), svid: token.clone() };
        let answer = self.0.clone().validate_jwtsvid(request).await?.into_inner();
        convert::stated_jwt_svid(&token, &answer.spiffe_id).map_err(WireError::bad_answer)
    }
}

fn updates<M: Send + 'static, T: 'static>(
    answers: impl Stream<Item = Result<M, Status>> + Send + 'static,
    noun: fn(M) -> Result<T, WireError>,
) -> Updates<T> {
    until_error(answers).map(move |answer| noun(answer?).map_err(WireError::bad_answer)).boxed()
}

/// Adds the header to each call.
#[derive(Clone, Copy, Debug)]
struct SecurityHeader;

impl Interceptor for SecurityHeader {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(crate::server::SECURITY_HEADER, MetadataValue::from_static("true"));
        Ok(request)
    }
}

//! Asks spire.api.server.bundle.v1.Bundle.

use finial_identity::{Bundle, TrustDomain};
use tonic::Status;
use tonic::transport::Channel;

use crate::MAX_ANSWER_BYTES;
use crate::convert::bundle as convert;
use crate::error::WireError;
use crate::proto::bundle::bundle_client::BundleClient as Stub;
use crate::proto::bundle::{GetBundleRequest, GetFederatedBundleRequest};

/// Asks a server about bundles.
#[derive(Clone, Debug)]
pub struct BundleClient(Stub<Channel>);

impl BundleClient {
    /// Asks over this channel.
    pub fn new(channel: Channel) -> Self {
        Self(Stub::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
    }

    /// The server's own bundle.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn bundle(&self) -> Result<Bundle, Status> {
        let answer = self.0.clone().get_bundle(GetBundleRequest { output_mask: None }).await?.into_inner();
        convert::bundle(answer).map_err(WireError::bad_answer)
    }

    /// The bundle of a trust domain that the server federates with.
    ///
    /// # Errors
    /// NotFound, or the server's refusal. An answer for another trust domain is refused.
    pub async fn federated_bundle(&self, trust_domain: &TrustDomain) -> Result<Bundle, Status> {
        let name = trust_domain.name().to_owned();
        let request = GetFederatedBundleRequest { trust_domain: name, output_mask: None };
        let answer = self.0.clone().get_federated_bundle(request).await?.into_inner();
        let bundle = convert::bundle(answer).map_err(WireError::bad_answer)?;
        if bundle.trust_domain != *trust_domain {
            let (stated, actual) = (trust_domain.to_string(), bundle.trust_domain.to_string());
            return Err(WireError::OtherId { document: "bundle", stated, actual }.bad_answer());
        }
        Ok(bundle)
    }
}

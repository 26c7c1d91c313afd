//! Asks spire.api.server.bundle.v1.Bundle.

use finial_identity::{Bundle, JwtAuthority, TrustDomain, X509Authority};
use tonic::Status;
use tonic::transport::Channel;

use super::{PAGE, next_page, only};
use crate::convert::{bundle as convert, status};
use crate::error::WireError;
use crate::proto::bundle::bundle_client::BundleClient as Stub;
use crate::proto::bundle::{
    BatchCreateFederatedBundleRequest, BatchDeleteFederatedBundleRequest, BatchSetFederatedBundleRequest,
    BatchUpdateFederatedBundleRequest, CountBundlesRequest, GetBundleRequest, GetFederatedBundleRequest,
    ListFederatedBundlesRequest,
};
use crate::proto::types;
use crate::{BundleDeletion, BundleUpdate, MAX_ANSWER_BYTES};

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

    /// Adds authorities to the server's own bundle, and gives all of it.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn append_bundle(
        &self,
        x509: &[X509Authority],
        jwt: &[JwtAuthority],
    ) -> Result<Bundle, Status> {
        let answer = self.0.clone().append_bundle(convert::to_append(x509, jwt)).await?.into_inner();
        convert::bundle(answer).map_err(WireError::bad_answer)
    }

    /// How many bundles there are, the server's own among them.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn count_bundles(&self) -> Result<u64, Status> {
        let answer = self.0.clone().count_bundles(CountBundlesRequest {}).await?.into_inner();
        Ok(u64::try_from(answer.count).unwrap_or(0))
    }

    /// The bundles of all other trust domains, fetched page by page.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn federated_bundles(&self) -> Result<Vec<Bundle>, Status> {
        let mut bundles = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListFederatedBundlesRequest {
                output_mask: None,
                page_size: PAGE,
                page_token: page_token.clone(),
            };
            let page = self.0.clone().list_federated_bundles(request).await?.into_inner();
            for bundle in page.bundles {
                bundles.push(convert::bundle(bundle).map_err(WireError::bad_answer)?);
            }
            match next_page(&page_token, page.next_page_token, bundles.len())? {
                Some(next) => page_token = next,
                None => return Ok(bundles),
            }
        }
    }

    /// Stores the bundle of a trust domain that has none.
    ///
    /// # Errors
    /// AlreadyExists, or the server's refusal.
    pub async fn create_federated_bundle(&self, bundle: &Bundle) -> Result<Bundle, Status> {
        let bundle = vec![convert::to_bundle(bundle, None)];
        let request = BatchCreateFederatedBundleRequest { bundle, output_mask: None };
        let answer = self.0.clone().batch_create_federated_bundle(request).await?.into_inner();
        let result = only(answer.results)?;
        stored(result.status, result.bundle)
    }

    /// Changes the bundle of another trust domain.
    ///
    /// # Errors
    /// NotFound, or the server's refusal.
    pub async fn update_federated_bundle(&self, update: BundleUpdate) -> Result<Bundle, Status> {
        let (bundle, mask) = convert::to_update(update);
        let (bundle, input_mask) = (vec![bundle], Some(mask));
        let request = BatchUpdateFederatedBundleRequest { bundle, input_mask, output_mask: None };
        let answer = self.0.clone().batch_update_federated_bundle(request).await?.into_inner();
        let result = only(answer.results)?;
        stored(result.status, result.bundle)
    }

    /// Stores the bundle of another trust domain, whatever was there before.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn set_federated_bundle(&self, bundle: &Bundle) -> Result<Bundle, Status> {
        let bundle = vec![convert::to_bundle(bundle, None)];
        let request = BatchSetFederatedBundleRequest { bundle, output_mask: None };
        let answer = self.0.clone().batch_set_federated_bundle(request).await?.into_inner();
        let result = only(answer.results)?;
        stored(result.status, result.bundle)
    }

    /// Deletes the bundle of another trust domain.
    ///
    /// # Errors
    /// NotFound; FailedPrecondition while entries that are to stay federate with it; or the server's refusal.
    pub async fn delete_federated_bundle(
        &self,
        trust_domain: &TrustDomain,
        deletion: BundleDeletion,
    ) -> Result<(), Status> {
        let request = BatchDeleteFederatedBundleRequest {
            trust_domains: vec![trust_domain.name().to_owned()],
            mode: convert::to_deletion(deletion).into(),
        };
        let answer = self.0.clone().batch_delete_federated_bundle(request).await?.into_inner();
        status::result(only(answer.results)?.status)
    }
}

/// A bundle as the server holds it now, or why it was refused.
fn stored(status: Option<types::Status>, bundle: Option<types::Bundle>) -> Result<Bundle, Status> {
    status::result(status)?;
    let bundle = bundle.ok_or(WireError::Missing("stored bundle"));
    bundle.and_then(convert::bundle).map_err(WireError::bad_answer)
}

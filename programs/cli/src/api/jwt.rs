//! `finial api fetch jwt` and `finial api validate jwt`.

use anyhow::{Context, Result, bail};
use clap::Args;
use finial_identity::{Audience, SpiffeId};
use futures_util::StreamExt;
use serde_json::json;

use super::Ask;
use crate::connection::{answered, refused};

#[derive(Args)]
pub(crate) struct Fetch {
    /// Whom the token is for; several separated by commas
    #[arg(long, value_delimiter = ',')]
    audience: Vec<String>,
    /// Only the token of this identity
    #[arg(long = "spiffeID", visible_alias = "spiffe-id", value_name = "ID")]
    spiffe_id: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

impl Fetch {
    pub(crate) async fn run(self) -> Result<()> {
        if self.audience.is_empty() {
            bail!("audience must be specified: give -audience, for whom the token is");
        }
        let audience = Audience::new(self.audience.iter().map(String::as_str)).context("-audience")?;
        let id = self
            .spiffe_id
            .as_ref()
            .map(|id| SpiffeId::parse(id).with_context(|| format!("-spiffeID {id:?}")))
            .transpose()?;
        let answer = async {
            let client = self.ask.client().await?;
            let svids = client.jwt_svids(&audience, id.as_ref()).await.map_err(answered)?;
            let mut updates = client.jwt_bundles().await.map_err(answered)?;
            let bundles = updates.next().await.context("the agent closed the stream without its bundles")?;
            let bundles = bundles.map_err(answered)?;
            Ok((svids, bundles))
        };
        let (svids, bundles) = self.ask.in_time(answer).await?;
        let mut out = String::new();
        for svid in &svids {
            out += &format!("token({}):\n\t{}\n", svid.id(), svid.token());
            if !svid.hint().is_empty() {
                out += &format!("hint({}):\n\t{}\n", svid.id(), svid.hint());
            }
        }
        for bundle in bundles.iter() {
            out += &format!("bundle({}):\n\t{}\n", bundle.trust_domain.id(), bundle.to_jwks());
        }
        self.ask.output.print(out, || {
            let svids = svids.iter().map(
                |svid| json!({"spiffe_id": svid.id().to_string(), "svid": svid.token(), "hint": svid.hint()}),
            );
            let bundles: serde_json::Map<_, _> =
                bundles.iter().map(|b| (b.trust_domain.id().to_string(), json!(b.to_jwks()))).collect();
            json!([{"svids": svids.collect::<Vec<_>>()}, {"bundles": bundles}])
        });
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Validate {
    /// Whom the token must be for
    #[arg(long)]
    audience: Option<String>,
    /// The token
    #[arg(long)]
    svid: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

impl Validate {
    pub(crate) async fn run(self) -> Result<()> {
        let audience = self.audience.clone().context("audience must be specified: give -audience")?;
        let svid = self.svid.clone().context("svid must be specified: give -svid, the token")?;
        let answer = async {
            let client = self.ask.client().await?;
            client.validate_jwt_svid(audience, svid).await.map_err(refused("SVID is not valid"))
        };
        let valid = self.ask.in_time(answer).await?;
        let claims = json!(valid.claims());
        let text = format!("SVID is valid.\nSPIFFE ID : {}\nClaims    : {claims}\n", valid.id());
        self.ask.output.print(text, || json!({"spiffe_id": valid.id().to_string(), "claims": claims}));
        Ok(())
    }
}

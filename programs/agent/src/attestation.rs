//! How an agent comes by its identity at start: the stored one, or else by attesting with its join token.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use finial_attest::{JoinTokenEvidence, NodeEvidenceSource};
use finial_daemon::{Backoff, Clock};
use finial_identity::{Bundle, CertificateRequest, PrivateKey, X509Credential};
use finial_receive::Source;
use finial_wire::client::{AgentClient, BundleClient, Responder};
use finial_wire::{AttestationResult, NodeEvidence};
use tonic::Status;
use tonic::transport::Channel;
use zeroize::Zeroizing;

use crate::Config;
use crate::bootstrap::{Bootstrap, Trust};
use crate::channel::{Dialer, answer, problem};
use crate::identity::{Home, Identity};
use crate::keys::{AgentKeys, create_private_folder};
use crate::loss::{Loss, Verdict};
use crate::storage::Storage;

/// How long the start waits for the server's word on a stored SVID; without it the agent serves all the same.
const GREETING_LIMIT: Duration = Duration::from_secs(5);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// An identity that the server accepts, or may accept when it is back.
pub(crate) async fn obtain(config: &Config, clock: &Clock) -> anyhow::Result<Identity> {
    let mut bootstrap = Bootstrap::new(config, clock)?;
    let home = open(config, clock)?;
    let (home, loss) = match reuse(home, clock).await? {
        Reuse::Works(identity) => return Ok(identity),
        Reuse::Lost(home, loss) => (home, loss),
    };
    match (config.read_join_token()?, loss) {
        (Some(token), _) => attest(config, token, home, &mut bootstrap).await,
        (None, Some(loss)) => Err(loss),
        (None, None) => Err(Loss::NeverJoined(config.trust_domain.clone()).into()),
    }
}

fn open(config: &Config, clock: &Clock) -> anyhow::Result<Home> {
    create_private_folder(&config.data_dir)?;
    let storage = Storage::new(&config.data_dir, config.trust_domain.clone());
    let stored = storage.load()?;
    if let Some(svid) = &stored.svid {
        anyhow::ensure!(
            svid.id().is_member_of(&config.trust_domain),
            "{} holds the identity {}, which is not of the trust domain {}: use another data_dir",
            storage.path().display(),
            svid.id(),
            config.trust_domain
        );
    }
    let keys = AgentKeys::open(&config.keys)?;
    let (writer, source) = Source::channel(clock);
    let dialer = Dialer::new(config, &source, clock)?;
    Ok(Home { keys, storage, stored, writer, dialer, clock: clock.clone() })
}

/// What has become of the stored identity.
enum Reuse {
    Works(Identity),
    /// Why it is of no more use; `None` when there was none.
    Lost(Home, Option<anyhow::Error>),
}

async fn reuse(home: Home, clock: &Clock) -> anyhow::Result<Reuse> {
    let (Some(svid), Some(bundle)) = (home.stored.svid.clone(), home.stored.bundle.clone()) else {
        return Ok(Reuse::Lost(home, None));
    };
    let id = svid.id().clone();
    if svid.not_after() <= clock.now() {
        let loss = Loss::Expired { id, at: svid.not_after() };
        return Ok(Reuse::Lost(home, Some(loss.into())));
    }
    let Some(key) = home.keys.belonging_to(svid.public_key()).await? else {
        return Ok(Reuse::Lost(home, Some(Loss::KeyGone { id }.into())));
    };
    let credential = X509Credential::new(svid, key, String::new())?;
    let bundle = Arc::new(bundle);
    if let Err(error) = home.prove(&credential, &bundle) {
        return Ok(Reuse::Lost(home, Some(error.context("the stored identity cannot be used"))));
    }
    let identity = Identity::take_up(home, credential, bundle)?;
    greet(identity, clock).await
}

/// Asks the server whether it still accepts the agent. No answer is no reason not to serve.
async fn greet(identity: Identity, clock: &Clock) -> anyhow::Result<Reuse> {
    let id = identity.id().clone();
    let answered = clock.timeout(GREETING_LIMIT, identity.post_status()).await;
    let status = match answered {
        Ok(Ok(())) => {
            tracing::info!(spiffe_id = %id, "the agent goes on as {id}");
            return Ok(Reuse::Works(identity));
        }
        Ok(Err(status)) => status,
        Err(late) => Status::deadline_exceeded(late.to_string()),
    };
    if let Verdict::Denied(denial) = Verdict::on(&status) {
        let loss = Loss::Denied { id, denial };
        return Ok(Reuse::Lost(identity.abandon().await, Some(loss.into())));
    }
    let error = problem(&status);
    tracing::warn!(spiffe_id = %id, error, "the agent goes on as {id}, although its server does not answer yet");
    Ok(Reuse::Works(identity))
}

/// Joins by token: the SVID is stored as soon as it is there, since the token is used up.
async fn attest(
    config: &Config,
    token: Zeroizing<String>,
    mut home: Home,
    bootstrap: &mut Bootstrap,
) -> anyhow::Result<Identity> {
    let mut trust = Trust::begin(config, bootstrap, &home).await?;
    let channel = home.dialer.channel();
    let in_use = home.stored.svid.as_ref().map(finial_identity::X509Svid::public_key);
    let key = home.keys.next(in_use).await?;
    let mut evidence = JoinTokenEvidence::new(token.as_str());
    let result = show(config, &mut evidence, &key, &channel, &mut trust).await?;
    let trusted = trust.bundle;
    let credential = X509Credential::new(result.svid, key, String::new())
        .context("the server answered with an SVID for another key")?;
    let id = credential.svid().id().clone();
    anyhow::ensure!(
        id.is_member_of(&config.trust_domain) && id.is_agent(),
        "the server answered with the SVID of {id}, which is no agent of {}",
        config.trust_domain
    );
    home.stored.svid = Some(credential.svid().clone());
    home.stored.can_reattest = result.can_reattest;
    home.stored.bundle = Some(Bundle::clone(&trusted));
    home.storage.save(&home.stored).await?;
    let bundle = fetch_bundle(&channel, &home.clock).await?;
    anyhow::ensure!(
        bundle.trust_domain == config.trust_domain,
        "the server answered with the bundle of `{}`",
        bundle.trust_domain
    );
    home.stored.bundle = Some(bundle.clone());
    home.storage.save(&home.stored).await?;
    let identity = Identity::take_up(home, credential, Arc::new(bundle))?;
    tracing::info!(spiffe_id = %id, "the agent has joined as {id}");
    greet_after_joining(&identity).await;
    Ok(identity)
}

/// Shows the evidence until the server accepts or refuses it; an outage is waited out.
async fn show(
    config: &Config,
    evidence: &mut dyn NodeEvidenceSource,
    key: &PrivateKey,
    channel: &Channel,
    trust: &mut Trust<'_>,
) -> anyhow::Result<AttestationResult> {
    let clock = trust.home.clock.clone();
    let client = AgentClient::new(channel.clone());
    let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
    loop {
        let shown = NodeEvidence { kind: evidence.kind().to_owned(), payload: evidence.payload().await? };
        let request = CertificateRequest::create(key, None)?;
        let mut answers = Answers(evidence);
        let status = match answer(&clock, client.attest_agent(shown, request, &mut answers)).await {
            Ok(result) => return Ok(result),
            Err(status) => status,
        };
        if Verdict::on(&status) != Verdict::Passing {
            let trust_domain = config.trust_domain.clone();
            return Err(Loss::Refused { trust_domain, status: Box::new(status) }.into());
        }
        trust.reconsider().await?;
        pause(&clock, &mut backoff, &status, "the server cannot be reached to attest").await;
    }
}

async fn fetch_bundle(channel: &Channel, clock: &Clock) -> anyhow::Result<Bundle> {
    let client = BundleClient::new(channel.clone());
    let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
    loop {
        match answer(clock, client.bundle()).await {
            Ok(bundle) => return Ok(bundle),
            Err(status) if Verdict::on(&status) == Verdict::Passing => {
                pause(clock, &mut backoff, &status, "the server cannot be reached for its bundle").await;
            }
            Err(status) => return Err(status).context("the server does not give its bundle"),
        }
    }
}

async fn pause(clock: &Clock, backoff: &mut Backoff, status: &Status, what: &str) {
    let wait = backoff.next();
    tracing::warn!(error = problem(status), retry_in_s = wait.as_secs_f32(), "{what}; trying again");
    clock.sleep(wait).await;
}

/// The token has served, so nothing that the server says now can undo it; the first sync will tell.
async fn greet_after_joining(identity: &Identity) {
    if let Err(status) = identity.post_status().await {
        tracing::warn!(error = problem(&status), "the server did not take note of the agent's version");
    }
}

/// Lets the evidence answer the server's challenges.
struct Answers<'a>(&'a mut dyn NodeEvidenceSource);

#[async_trait]
impl Responder for Answers<'_> {
    async fn respond(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.0.respond(&challenge).await.map_err(|error| Status::failed_precondition(error.to_string()))
    }
}

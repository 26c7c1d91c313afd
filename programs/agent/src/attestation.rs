//! How an agent comes by its identity at start: the stored one, or else by attesting with what it has.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use finial_attest::{JoinTokenEvidence, NodeEvidenceSource};
use finial_daemon::{Backoff, Clock};
use finial_identity::{Bundle, PrivateKey, X509Credential};
use finial_receive::Source;
use finial_wire::client::BundleClient;
use tonic::Status;
use tonic::transport::Channel;

use crate::Config;
use crate::bootstrap::{Bootstrap, Trust};
use crate::channel::{Dialer, answer, problem};
use crate::config::RebootstrapMode;
use crate::evidence::{self, Admission};
use crate::identity::{Home, Identity};
use crate::keys::{AgentKeys, create_private_folder};
use crate::loss::{Loss, Verdict};
use crate::meters::{IdentityMeters, timed};
use crate::storage::Storage;

/// How long the start waits for the server's word on a stored SVID; without it the agent serves all the same.
const GREETING_LIMIT: Duration = Duration::from_secs(5);
/// SPIRE's words, and what to do.
const CANNOT_REATTEST: &str = "you have requested rebootstrap support but the NodeAttestor plugin or the server \
     configuration is not allowing it: set rebootstrap_mode to auto or never, or attest by other means than a join token";
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// An identity that the server accepts, or may accept when it is back.
pub(crate) async fn obtain(
    config: &Config,
    meters: IdentityMeters,
    clock: &Clock,
) -> anyhow::Result<Identity> {
    if config.rebootstrap_mode != RebootstrapMode::Never {
        config.rebootstrap_source()?;
    }
    let must_reattest = config.rebootstrap_mode == RebootstrapMode::Always;
    // Before the token is used up.
    anyhow::ensure!(!(must_reattest && config.has_join_token()), CANNOT_REATTEST);
    let identity = Box::pin(find(config, meters, clock)).await?;
    anyhow::ensure!(!must_reattest || identity.can_reattest(), CANNOT_REATTEST);
    Ok(identity)
}

async fn find(config: &Config, meters: IdentityMeters, clock: &Clock) -> anyhow::Result<Identity> {
    let mut bootstrap = Bootstrap::new(config, clock)?;
    let home = open(config, meters, clock)?;
    let (mut home, loss) = match reuse(home, clock).await? {
        Reuse::Works(identity) => return Ok(identity),
        Reuse::Lost(home, loss) => (home, loss),
    };
    let evidence: Option<Box<dyn NodeEvidenceSource>> = match config.read_join_token()? {
        Some(token) => Some(Box::new(JoinTokenEvidence::new(token.as_str()))),
        None if loss.as_ref().is_some_and(is_ban) => None,
        None => home.evidence.take(),
    };
    match (evidence, loss) {
        (Some(evidence), _) => attest(config, evidence, home, &mut bootstrap).await,
        (None, Some(loss)) => Err(loss),
        (None, None) => Err(Loss::NeverJoined(config.trust_domain.clone()).into()),
    }
}

/// What the node has would be refused as well, until an operator lets it back.
fn is_ban(loss: &anyhow::Error) -> bool {
    matches!(loss.downcast_ref(), Some(Loss::Banned { .. }))
}

fn open(config: &Config, meters: IdentityMeters, clock: &Clock) -> anyhow::Result<Home> {
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
    let keys = AgentKeys::open(&config.keys, meters.clone(), clock)?;
    let (writer, source) = Source::channel(clock);
    let dialer = Dialer::new(config, &source, clock)?;
    let evidence = config.lasting_evidence(clock);
    Ok(Home { keys, storage, stored, writer, source, dialer, evidence, meters, clock: clock.clone() })
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
        let loss = Loss::denied(id, denial, identity.has_evidence());
        return Ok(Reuse::Lost(identity.abandon().await, Some(loss.into())));
    }
    let error = problem(&status);
    tracing::warn!(spiffe_id = %id, error, "the agent goes on as {id}, although its server does not answer yet");
    Ok(Reuse::Works(identity))
}

/// Joins: the SVID is stored as soon as it is there, since evidence may count only once.
async fn attest(
    config: &Config,
    mut evidence: Box<dyn NodeEvidenceSource>,
    mut home: Home,
    bootstrap: &mut Bootstrap,
) -> anyhow::Result<Identity> {
    let mut trust = Trust::begin(config, bootstrap, &home).await?;
    let channel = home.dialer.channel();
    let in_use = home.stored.svid.as_ref().map(finial_identity::X509Svid::public_key);
    let key = home.keys.next(in_use).await?;
    let shown = show_until_judged(config, evidence.as_mut(), &key, &channel, &mut trust);
    let Admission { credential, can_reattest } = timed(&home.meters.new_svid, &home.clock, shown).await?;
    let (trusted, id) = (trust.bundle, credential.svid().id().clone());
    home.stored.svid = Some(credential.svid().clone());
    home.stored.can_reattest = can_reattest;
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
    home.evidence = can_reattest.then_some(evidence);
    let identity = Identity::take_up(home, credential, Arc::new(bundle))?;
    tracing::info!(spiffe_id = %id, "the agent has joined as {id}");
    greet_after_joining(&identity).await;
    Ok(identity)
}

/// Shows the evidence until the server accepts or refuses it; an outage is waited out.
async fn show_until_judged(
    config: &Config,
    evidence: &mut dyn NodeEvidenceSource,
    key: &PrivateKey,
    channel: &Channel,
    trust: &mut Trust<'_>,
) -> anyhow::Result<Admission> {
    let clock = trust.home.clock.clone();
    let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
    loop {
        let shown = evidence::show(evidence, key, &config.trust_domain, channel, &clock).await;
        let error = match shown {
            Err(error) if evidence::is_passing(&error) => error,
            Err(error) => return Err(refused(config, evidence.kind(), error)),
            Ok(admission) => return Ok(admission),
        };
        trust.reconsider().await?;
        let (wait, error) = (evidence::retry_in(&mut backoff, &error), evidence::problem(&error));
        tracing::warn!(
            error,
            retry_in_s = wait.as_secs_f32(),
            "the server cannot be reached to attest; trying again"
        );
        clock.sleep(wait).await;
    }
}

/// The server's refusal, with what can be done about it.
fn refused(config: &Config, kind: &str, error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Status>() {
        Ok(status) => Loss::refused(config.trust_domain.clone(), kind, status).into(),
        Err(error) => error,
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

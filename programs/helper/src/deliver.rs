//! Writing what the agent gives, as long as it gives: one task owns the folder, and all that was received.

mod once;
mod stock;
#[cfg(test)]
mod tests;
mod tokens;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Backoff, Clock, Tasks, memory};
use finial_identity::{BundleSet, JwtSvid, X509Credential};
use finial_receive::{JwtSource, Live, NotLive, ReceiveError, Source, X509Context};
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use self::stock::Stock;
use self::tokens::Tokens;
use crate::folder::Folder;
use crate::render::{self, RenderError, Rendered};
use crate::vitals::{OutputKind, Vitals};
use crate::{Config, Delivered, Deliveries, FolderError, Outputs, X509Output, passwords};

/// How often is looked whether the files still stand where they were put.
const LOOK: Duration = Duration::from_secs(10);
/// The waits between attempts to put files into the folder.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The most tokens that wait to be written.
const QUEUE: usize = 8;

/// Something could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What was received cannot be written as was asked for.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The agent did not give what was asked for.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// Nothing is given at the moment.
    #[error(transparent)]
    NotLive(NotLive),
    /// The password of a keystore cannot be read.
    #[error("cannot read the password of a keystore in {}", path.display())]
    Password {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// The agent will never give it.
    #[error(
        "the agent at {agent} does not serve what is to be written: ask its operator, or change agent_address"
    )]
    NeverServed {
        /// The address of the agent.
        agent: String,
        /// How it said so.
        #[source]
        cause: NotLive,
    },
}

/// The task that writes files.
#[derive(Debug)]
pub(crate) struct Deliverer {
    config: Arc<Config>,
    stock: Stock,
    /// Away while it is written in.
    folder: Option<Folder>,
    delivered: watch::Sender<Delivered>,
    clock: Clock,
    backoff: Backoff,
    /// Why there is no X.509-SVID that is good, as far as it was told.
    lost: Option<NotLive>,
}

/// Where it all comes from; `None` of what nobody asked for.
struct Feeds {
    x509: Option<Source>,
    jwt_bundles: Option<Live<BundleSet>>,
    tokens: mpsc::Receiver<(usize, JwtSvid)>,
}

enum Event {
    X509(Result<(), NotLive>),
    JwtBundles(Result<(), NotLive>),
    Token(usize, JwtSvid),
    Retry,
    Look,
}

impl Deliverer {
    /// Nothing is received yet.
    pub(crate) fn new(config: Arc<Config>, folder: Folder, vitals: &Vitals, clock: &Clock) -> Self {
        let stock = Stock::new(&config, vitals);
        let backoff = Backoff::new(RETRY.0, RETRY.1);
        let delivered = watch::Sender::new(Delivered::default());
        Self { config, stock, folder: Some(folder), delivered, clock: clock.clone(), backoff, lost: None }
    }

    /// For those who tell somebody of each delivery.
    pub(crate) fn deliveries(&self) -> Deliveries {
        self.delivered.subscribe()
    }

    /// Writes what the agent gives until it says that it will never give any more.
    ///
    /// # Errors
    /// [`DeliverError::NeverServed`]. Everything else is tried again.
    pub(crate) async fn run(mut self, tasks: &Tasks) -> Result<(), DeliverError> {
        let mut feeds = self.open(tasks);
        let (mut wait, mut was_busy) = (None, true);
        loop {
            let event = feeds.next(&self.clock, wait).await;
            let is_look = matches!(event, Event::Look);
            match event {
                Event::X509(changed) => {
                    changed.map_err(|cause| self.never_served(cause))?;
                    self.take_x509(&feeds).await;
                }
                Event::JwtBundles(changed) => {
                    changed.map_err(|cause| self.never_served(cause))?;
                    self.take_jwt_bundles(&feeds);
                }
                Event::Token(index, svid) => self.take_token(index, &svid),
                Event::Retry => self.take_x509(&feeds).await,
                Event::Look => self.look().await,
            }
            wait = self.deliver().await;
            // What an update needed is not needed before the next one.
            if !is_look {
                was_busy = true;
            } else if std::mem::take(&mut was_busy) {
                memory::settle();
            }
        }
    }

    fn open(&mut self, tasks: &Tasks) -> Feeds {
        let Outputs { x509, jwt_svids, jwt_bundle } = &self.config.outputs;
        let (agent, clock) = (&self.config.agent, &self.clock);
        let source = (!x509.is_empty()).then(|| Source::from_workload_api(agent, clock, tasks));
        let wants_jwt = jwt_bundle.is_some() || !jwt_svids.is_empty();
        let jwt = wants_jwt.then(|| JwtSource::from_workload_api(agent, clock, tasks));
        let (fetched, tokens) = mpsc::channel(QUEUE);
        let vitals = self.stock.of_kind(OutputKind::Jwt).map(|output| output.vitals()).collect::<Vec<_>>();
        for (index, (output, vitals)) in jwt_svids.iter().zip(vitals).enumerate() {
            let Some(source) = jwt.clone() else { continue };
            let (output, clock, fetched) = (output.clone(), clock.clone(), fetched.clone());
            let tokens = Tokens { index, output, source, vitals, clock, fetched };
            let drain = tasks.drain();
            tasks.spawn("jwt svid", async move {
                tokio::select! {
                    () = tokens.keep() => {}
                    () = drain.requested() => {}
                }
            });
        }
        Feeds { x509: source, jwt_bundles: jwt.map(|jwt| jwt.bundles().clone()), tokens }
    }

    async fn take_x509(&mut self, feeds: &Feeds) {
        let Some(context) = feeds.x509.as_ref().map(Source::context) else { return };
        match context {
            Ok(context) => {
                self.lost = None;
                self.render_x509(&context).await;
            }
            // An agent that denies is asked again and again, and says the same.
            Err(reason) if reason == NotLive::Waiting || self.lost.as_ref() == Some(&reason) => {}
            Err(reason) => {
                tracing::warn!(%reason, "there is no X.509-SVID that is good; the files of the last one stay");
                self.lost = Some(reason);
            }
        }
    }

    async fn render_x509(&mut self, context: &X509Context) {
        let now = self.clock.now();
        for (wanted, output) in self.config.outputs.x509.iter().zip(self.stock.of_kind(OutputKind::X509)) {
            match x509_files(wanted, context, now).await {
                Ok((files, credential)) => {
                    let svid = credential.svid();
                    output.received(files, Some(svid.id().clone()), Some(svid.not_after()));
                }
                Err(error) => {
                    output.faulty();
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::error!(
                        error,
                        "an X.509-SVID came and cannot be written; the files of the last one stay"
                    );
                }
            }
        }
    }

    fn take_jwt_bundles(&mut self, feeds: &Feeds) {
        let Some(place) = &self.config.outputs.jwt_bundle else { return };
        match feeds.jwt_bundles.as_ref().map(Live::current) {
            Some(Ok(bundles)) => {
                let files = vec![render::jwt_bundles(place, &bundles)];
                self.stock
                    .of_kind(OutputKind::JwtBundle)
                    .for_each(|it| it.received(files.clone(), None, None));
            }
            Some(Err(NotLive::Waiting)) | None => {}
            Some(Err(reason)) => {
                tracing::warn!(%reason, "there are no JWT bundles; the file of the last ones stays");
            }
        }
    }

    fn take_token(&mut self, index: usize, svid: &JwtSvid) {
        let wanted = self.config.outputs.jwt_svids.get(index);
        let Some((wanted, output)) = wanted.zip(self.stock.of_kind(OutputKind::Jwt).nth(index)) else {
            return;
        };
        output.received(vec![render::jwt(wanted, svid)], Some(svid.id().clone()), Some(svid.expires_at()));
    }

    /// Puts back what somebody has taken away.
    async fn look(&mut self) {
        let shelf = self.stock.shelf();
        if !self.in_folder(move |folder| folder.is_standing(&shelf)).await {
            tracing::warn!(folder = %self.config.cert_dir.display(), "files were taken away; putting them back");
            self.stock.renew();
        }
    }

    /// Puts everything that is new in its place, and says how long to wait before the next attempt if one is due.
    async fn deliver(&mut self) -> Option<Duration> {
        if self.stock.is_new() {
            match self.put().await {
                Ok(()) => {}
                Err(error) => {
                    let wait = self.backoff.next();
                    let error: &(dyn std::error::Error + 'static) = &error;
                    let wait_ms = wait.as_millis();
                    tracing::error!(
                        error,
                        wait_ms,
                        "files could not be written; those of before stay, trying again"
                    );
                    return Some(wait);
                }
            }
        }
        if self.stock.is_faulty() {
            return Some(self.backoff.next());
        }
        self.backoff.reset();
        None
    }

    async fn put(&mut self) -> Result<(), DeliverError> {
        let shelf = self.stock.shelf();
        let put = self.in_folder(move |folder| folder.put(&shelf)).await;
        match put {
            Ok(()) => self.delivered.send_modify(|delivered| self.stock.stands(delivered)),
            Err(_) => self.stock.refused(),
        }
        Ok(put?)
    }

    /// Works in the folder, which waits for the disk, while others go on.
    async fn in_folder<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Folder) -> T + Send + 'static,
    ) -> T {
        let Some(mut folder) = self.folder.take() else {
            // Whoever was to bring it back has been cancelled, and so is this.
            return std::future::pending().await;
        };
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&mut folder);
            (folder, done)
        });
        match done.await {
            Ok((folder, done)) => {
                self.folder = Some(folder);
                done
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => std::future::pending().await,
        }
    }

    fn never_served(&self, cause: NotLive) -> DeliverError {
        DeliverError::NeverServed { agent: self.config.agent.to_string(), cause }
    }
}

impl Feeds {
    async fn next(&mut self, clock: &Clock, wait: Option<Duration>) -> Event {
        tokio::select! {
            changed = updated(self.x509.as_mut()) => Event::X509(changed),
            changed = changed(self.jwt_bundles.as_mut()) => Event::JwtBundles(changed),
            Some((index, svid)) = self.tokens.recv() => Event::Token(index, svid),
            () = clock.sleep(wait.unwrap_or(LOOK)) => if wait.is_some() { Event::Retry } else { Event::Look },
        }
    }
}

/// The files of one output, and the identity that they are of.
async fn x509_files<'a>(
    wanted: &X509Output,
    context: &'a X509Context,
    now: SystemTime,
) -> Result<(Vec<Rendered>, &'a X509Credential), DeliverError> {
    let password = match &wanted.password_file {
        Some(path) if wanted.needs_password() => passwords::read(path).await?,
        _ => Zeroizing::default(),
    };
    let credential = render::credential(&wanted.whose, context.credentials())?;
    Ok((render::x509(wanted, context, &password, now)?, credential))
}

/// Never, of what nobody asked for.
async fn updated(source: Option<&mut Source>) -> Result<(), NotLive> {
    match source {
        Some(source) => source.updated().await,
        None => std::future::pending().await,
    }
}

/// The same.
async fn changed<T>(live: Option<&mut Live<T>>) -> Result<(), NotLive> {
    match live {
        Some(live) => live.changed().await,
        None => std::future::pending().await,
    }
}

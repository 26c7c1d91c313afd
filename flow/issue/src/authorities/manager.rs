//! The task that owns the authorities: it wakes when something is due, and does what administrators ask.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Backoff, Clock, Drain, Tasks};
use finial_identity::{Bundle, JwtAuthority, X509Authority};
use finial_keys::KeyManager;
use finial_store::{Bundles, Journal};
use tokio::sync::{mpsc, oneshot, watch};

use super::books::Books;
use super::shelf::Shelf;
use super::{ActiveAuthorities, Authority, AuthorityKind, AuthorityStates};
use crate::{IssueConfig, IssueError, IssueMeters, Issuer};

/// How many commands may wait.
const COMMANDS: usize = 16;

/// The first pause after a failure, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Asks the owner of the authorities. Cheap to clone; the owner lives as long as the program's tasks.
#[derive(Clone, Debug)]
pub struct AuthorityManager {
    commands: mpsc::Sender<Command>,
    issuer: Issuer,
}

#[derive(Debug)]
enum Command {
    Show(AuthorityKind, oneshot::Sender<Result<AuthorityStates, IssueError>>),
    Change(AuthorityKind, Change, oneshot::Sender<Result<Authority, IssueError>>),
    Append(Vec<X509Authority>, Vec<JwtAuthority>, oneshot::Sender<Result<Bundle, IssueError>>),
}

#[derive(Debug)]
enum Change {
    Prepare,
    Activate(String),
    Taint(String),
    Revoke(String),
}

impl AuthorityManager {
    /// Takes up the authorities from whatever state store and keys are in, making what is missing, and looks after
    /// them until the tasks are drained.
    ///
    /// # Errors
    /// When the configuration cannot be used, or the store or the keys fail before there is something to sign with.
    pub async fn start(
        config: IssueConfig,
        keys: Arc<dyn KeyManager>,
        bundles: Arc<dyn Bundles>,
        journal: Arc<dyn Journal>,
        meters: IssueMeters,
        clock: &Clock,
        tasks: &Tasks,
    ) -> Result<Self, IssueError> {
        config.check()?;
        let issuing = meters.clone();
        let shelf = Shelf { config: config.clone(), keys, bundles, journal, meters, clock: clock.clone() };
        let mut books = shelf.open().await?;
        books.keep().await?;
        books.tell_other_kinds();
        let active = books.active()?.ok_or(IssueError::Stopped)?;
        let next_look = books.next_look();
        let (publisher, subscriber) = watch::channel(Arc::new(active));
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let issuer = Issuer::new(config, clock.clone(), subscriber, issuing);
        let owner = Owner { shelf, inbox, publisher, next_look, backoff: Backoff::new(RETRY.0, RETRY.1) };
        tasks.spawn("authorities", owner.run(commands.clone(), tasks.drain()));
        Ok(Self { commands, issuer })
    }

    /// Signs with what is active.
    pub fn issuer(&self) -> Issuer {
        self.issuer.clone()
    }

    /// The authorities of a kind by their state.
    ///
    /// # Errors
    /// Those of the store and of the keys.
    pub async fn show(&self, kind: AuthorityKind) -> Result<AuthorityStates, IssueError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Show(kind, reply), answer).await
    }

    /// Makes and publishes the next authority now, whatever the time. One that was prepared before is given up.
    ///
    /// # Errors
    /// Those of the store and of the keys.
    pub async fn prepare(&self, kind: AuthorityKind) -> Result<Authority, IssueError> {
        self.change(kind, Change::Prepare).await
    }

    /// Signs with the prepared authority from now on. Returns after the issuer has it.
    ///
    /// # Errors
    /// When `id` is not the prepared authority's, or the store does not hold it in its bundle.
    pub async fn activate(
        &self,
        kind: AuthorityKind,
        id: impl Into<String>,
    ) -> Result<Authority, IssueError> {
        self.change(kind, Change::Activate(id.into())).await
    }

    /// Marks an old authority as tainted in the bundle. Tainting twice is tainting once.
    ///
    /// # Errors
    /// When `id` is not an old authority's.
    pub async fn taint(&self, kind: AuthorityKind, id: impl Into<String>) -> Result<Authority, IssueError> {
        self.change(kind, Change::Taint(id.into())).await
    }

    /// Takes a tainted old authority out of the bundle and deletes its key. A tainted JWT key may also be one that only
    /// the bundle still knows.
    ///
    /// # Errors
    /// When `id` is not such an authority's, or it is not tainted.
    pub async fn revoke(&self, kind: AuthorityKind, id: impl Into<String>) -> Result<Authority, IssueError> {
        self.change(kind, Change::Revoke(id.into())).await
    }

    /// Adds authorities of somebody else to the trust domain's bundle, and gives all of it. What is there already stays
    /// as it is; what was revoked does not come back.
    ///
    /// # Errors
    /// [`IssueError::KeyIdTaken`] when a JWT authority has the ID of another key. Those of the store.
    pub async fn append(
        &self,
        x509: Vec<X509Authority>,
        jwt: Vec<JwtAuthority>,
    ) -> Result<Bundle, IssueError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Append(x509, jwt, reply), answer).await
    }

    async fn change(&self, kind: AuthorityKind, change: Change) -> Result<Authority, IssueError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Change(kind, change, reply), answer).await
    }

    async fn ask<T>(
        &self,
        command: Command,
        answer: oneshot::Receiver<Result<T, IssueError>>,
    ) -> Result<T, IssueError> {
        self.commands.send(command).await.map_err(|_| IssueError::Stopped)?;
        answer.await.map_err(|_| IssueError::Stopped)?
    }
}

struct Owner {
    shelf: Shelf,
    inbox: mpsc::Receiver<Command>,
    publisher: watch::Sender<Arc<ActiveAuthorities>>,
    next_look: SystemTime,
    backoff: Backoff,
}

impl Owner {
    /// Holds a sender of its own, so that the inbox stays open when all managers are dropped: rotation goes on.
    async fn run(mut self, _open: mpsc::Sender<Command>, drain: Drain) {
        loop {
            tokio::select! {
                () = drain.requested() => return,
                Some(command) = self.inbox.recv() => self.serve(command).await,
                () = self.shelf.clock.sleep_until(self.next_look) => self.look().await,
            }
        }
    }

    /// Does what the time asks for. A failure is logged, and tried again soon.
    async fn look(&mut self) {
        if let Err(error) = self.with_books(async |_| Ok(())).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "authorities could not be looked after; signing goes on with those active"
            );
        }
    }

    async fn serve(&mut self, command: Command) {
        // A caller that no longer waits misses its answer; what it asked for is done all the same.
        match command {
            Command::Show(kind, reply) => {
                let states = self.with_books(async |books| Ok(books.states(kind))).await;
                let _ = reply.send(states);
            }
            Command::Append(x509, jwt, reply) => {
                let bundle = self.with_books(async |books| books.append(x509, jwt).await).await;
                let _ = reply.send(bundle);
            }
            Command::Change(kind, change, reply) => {
                let authority = self
                    .with_books(async |books| match change {
                        Change::Prepare => books.prepare(kind).await,
                        Change::Activate(id) => books.activate(kind, &id).await,
                        Change::Taint(id) => books.taint(kind, &id).await,
                        Change::Revoke(id) => books.revoke(kind, &id).await,
                    })
                    .await;
                let _ = reply.send(authority);
            }
        }
    }

    /// Opens the books, does what is due, then `step`, then publishes what signs and decides when to look again.
    async fn with_books<T>(
        &mut self,
        step: impl AsyncFnOnce(&mut Books<'_>) -> Result<T, IssueError>,
    ) -> Result<T, IssueError> {
        let result = self.try_with_books(step).await;
        match &result {
            Ok(_) => self.backoff.reset(),
            Err(_) => self.next_look = self.shelf.clock.now() + self.backoff.next(),
        }
        result
    }

    async fn try_with_books<T>(
        &mut self,
        step: impl AsyncFnOnce(&mut Books<'_>) -> Result<T, IssueError>,
    ) -> Result<T, IssueError> {
        let mut books = self.shelf.open().await?;
        books.keep().await?;
        publish(&self.publisher, &books)?;
        self.next_look = books.next_look();
        let result = step(&mut books).await?;
        publish(&self.publisher, &books)?;
        self.next_look = books.next_look();
        Ok(result)
    }
}

/// Shows what signs now. Only for books whose last step succeeded: what they say is then also in the store.
fn publish(publisher: &watch::Sender<Arc<ActiveAuthorities>>, books: &Books<'_>) -> Result<(), IssueError> {
    let signs_already = books.sign_with(&publisher.borrow());
    if !signs_already && let Some(active) = books.active()? {
        publisher.send_replace(Arc::new(active));
    }
    Ok(())
}

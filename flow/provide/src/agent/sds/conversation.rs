//! One stream of an Envoy: what it asks, what changes, and when it is told.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::Clock;
use finial_wire::EnvoyNode;
use finial_wire::server::Messages;
use futures_util::StreamExt;
use tonic::{Code, Status};

use super::holder::Holder;
use super::interest::{Due, Interest};
use super::settings::{SdsOptions, Settings};
use crate::agent::workload_api::subscription::RECOGNITION;

/// How long an Envoy waits for what there is not yet: less than the 15 s after which it goes on without.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// One of the two ways in which an Envoy asks.
pub(super) trait Dialect: Default + Send + 'static {
    type Request: Send + 'static;
    type Answer: Send + 'static;

    /// Whether an answer can say that there is nothing under a name; if not, the stream ends with it.
    const TELLS_ABSENCE: bool;

    /// Who asks, if the request says so.
    fn node(request: &mut Self::Request) -> Option<EnvoyNode>;

    /// Takes a request, and gives the reason if it refuses the last answer.
    fn take(&mut self, request: Self::Request, interest: &mut Interest) -> Result<Option<String>, Status>;

    /// The next answer.
    fn answer(&mut self, due: Due) -> Self::Answer;
}

pub(super) struct Conversation<D: Dialect> {
    dialect: D,
    requests: Messages<D::Request>,
    holder: Holder,
    options: Arc<SdsOptions>,
    clock: Clock,
    /// Known from the first request on.
    envoy: Option<Envoy>,
    interest: Interest,
    /// Whether the caller ever had an identity on this stream.
    has_been_somebody: bool,
    /// When to stop waiting for what is missing.
    gives_up_at: Option<Duration>,
}

/// Who asks.
struct Envoy {
    id: String,
    settings: Settings,
}

impl<D: Dialect> Conversation<D> {
    pub(super) fn new(
        requests: Messages<D::Request>,
        holder: Holder,
        options: Arc<SdsOptions>,
        clock: Clock,
    ) -> Self {
        Self {
            dialect: D::default(),
            requests,
            holder,
            options,
            clock,
            envoy: None,
            interest: Interest::default(),
            has_been_somebody: false,
            gives_up_at: None,
        }
    }

    /// The next answer; `None` when the Envoy has hung up.
    ///
    /// # Errors
    /// PermissionDenied when the caller is nobody (any more), InvalidArgument when it may not have what it asks for,
    /// Unavailable when its SVIDs do not come or the agent stops.
    pub(super) async fn next(&mut self) -> Result<Option<D::Answer>, Status> {
        loop {
            if let Some(answer) = self.answer().await? {
                return Ok(Some(answer));
            }
            let recognition = (!self.holder.is_fully_known()).then(|| self.clock.monotonic() + RECOGNITION);
            let event = tokio::select! {
                biased;
                request = self.requests.next() => match request {
                    Some(request) => Event::Request(request?),
                    None => return Ok(None),
                },
                changed = self.holder.changed() => {
                    changed?;
                    Event::Change
                }
                () = wait_until(&self.clock, self.gives_up_at) => Event::Late,
                () = wait_until(&self.clock, recognition) => Event::Doubt,
            };
            self.holder.grow_stale();
            match event {
                Event::Request(request) => self.take(request)?,
                Event::Change | Event::Late => {}
                // It may be entitled to more.
                Event::Doubt => {
                    self.holder.confirm().await?;
                }
            }
        }
    }

    /// Whether the last answer left nothing to wait for.
    pub(super) fn is_complete(&self) -> bool {
        self.gives_up_at.is_none()
    }

    fn take(&mut self, mut request: D::Request) -> Result<(), Status> {
        let node = D::node(&mut request);
        let options = &self.options;
        let envoy = self.envoy.get_or_insert_with(|| {
            let node = node.unwrap_or_default();
            Envoy { settings: Settings::of(options, &node), id: node.id }
        });
        if let Some(error) = self.dialect.take(request, &mut self.interest)? {
            let (node, pid) = (envoy.id.as_str(), self.holder.pid());
            tracing::warn!(
                node,
                pid,
                error,
                "an Envoy refuses its secrets; they are not sent again until they change"
            );
        }
        Ok(())
    }

    /// What there is to say now, to whoever is there now.
    async fn answer(&mut self) -> Result<Option<D::Answer>, Status> {
        while let Some(due) = self.due() {
            match self.weigh(due) {
                Verdict::Wait => return Ok(None),
                // What was taken away while the caller was looked at is not told any more.
                _ if !self.holder.confirm().await? || self.holder.has_changed() => {}
                Verdict::End(refusal) => return Err(refusal),
                Verdict::Tell(due) => {
                    self.interest.told(&due);
                    // A reader that takes its time may come back long after this answer.
                    self.holder.grow_stale();
                    return Ok(Some(self.dialect.answer(due)));
                }
            }
        }
        Ok(None)
    }

    /// What is news to the Envoy, once it has asked for anything.
    fn due(&mut self) -> Option<Result<Due, Status>> {
        let settings = &self.envoy.as_ref()?.settings;
        loop {
            let offer = self.holder.offer();
            self.has_been_somebody |= offer.is_ok();
            let due = offer.and_then(|offer| self.interest.due(&offer, settings));
            if !due.as_ref().is_ok_and(|due| self.holder.read(&due.svids)) {
                return Some(due);
            }
        }
    }

    fn weigh(&mut self, due: Result<Due, Status>) -> Verdict {
        let (refusal, is_final) = match &due {
            Ok(due) => (due.refusal::<D>(), due.ends::<D>()),
            Err(status) => {
                (Some(status.clone()), self.has_been_somebody || status.code() != Code::PermissionDenied)
            }
        };
        let now = self.clock.monotonic();
        self.gives_up_at = refusal.is_some().then(|| self.gives_up_at.unwrap_or(now + PATIENCE));
        let is_late = self.gives_up_at.is_some_and(|instant| instant <= now);
        match (due, refusal) {
            (Ok(due), _) if due.is_news::<D>() => Verdict::Tell(due),
            (_, Some(refusal)) if is_final || is_late => Verdict::End(refusal),
            (_, Some(_)) => {
                self.holder.miss();
                Verdict::Wait
            }
            _ => Verdict::Wait,
        }
    }
}

/// What becomes of what is due.
enum Verdict {
    Tell(Due),
    End(Status),
    Wait,
}

/// What ended a wait.
enum Event<R> {
    Request(R),
    Change,
    Late,
    /// The caller could not be fully recognized, and is looked at again.
    Doubt,
}

impl Due {
    fn is_news<D: Dialect>(&self) -> bool {
        !self.ends::<D>() && (!self.secrets.is_empty() || (D::TELLS_ABSENCE && !self.absent.is_empty()))
    }

    /// Whether the stream ends at once, since something was taken away and that cannot be told.
    fn ends<D: Dialect>(&self) -> bool {
        !D::TELLS_ABSENCE && self.is_loss
    }

    /// What to say when it stays like this.
    fn refusal<D: Dialect>(&self) -> Option<Status> {
        if !D::TELLS_ABSENCE && !self.unknown.is_empty() {
            let names: Vec<_> = self.unknown.iter().map(|name| format!("{name:?}")).collect();
            let names = names.join(" ");
            let text = format!("workload is not authorized for the requested identities [{names}]");
            return Some(Status::invalid_argument(text));
        }
        self.is_pending
            .then(|| Status::unavailable("the X.509-SVIDs of this workload have not been issued yet"))
    }
}

async fn wait_until(clock: &Clock, instant: Option<Duration>) {
    match instant {
        Some(instant) => clock.sleep(instant.saturating_sub(clock.monotonic())).await,
        None => pending().await,
    }
}

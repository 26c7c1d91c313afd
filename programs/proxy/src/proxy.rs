//! What happens to one caller: a handshake on the side of the mode, a dial, and then a pipe.

mod checks;
mod dial;
mod refusals;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::Clock;
use finial_receive::NotLive;
use finial_tls::{HandshakeSettings, Standing, Terms};
use tokio::io::AsyncRead;

pub(crate) use self::dial::{CheckError, DialError};
use crate::Address;
use crate::admission::{Admission, Pass};
use crate::ahead::ReadAhead;
use crate::config::{Config, HealthCheck, Limits, Named, Own, Plan, Quiet, Scrutiny};
use crate::gate::Notices;
use crate::http::BackendHttp;
use crate::identity::Identity;
use crate::lines::{Chain, rounded};
use crate::metrics::Metrics;
use crate::outgoing::Site;
use crate::pipe::{Cut, End, Name, Pool, Secured, Size, Traffic, relay};
use crate::plain::{Names, Plain};
use crate::proxy_protocol::{ProxyProtocol, TlsFacts};
use crate::side::{Back, Front, Met, Side};
use crate::targets::Targets;
use crate::upstream::Upstream;

/// How long a caller is let speak before it is reset.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// What the sessions of a proxy share.
#[derive(Debug)]
pub(crate) struct Proxy {
    name: String,
    config: Config,
    side: Side,
    listen: Address,
    targets: Targets,
    health_check: Option<HealthCheck>,
    own: Own,
    scrutiny: Scrutiny,
    identity: Identity,
    settings: HandshakeSettings,
    limits: Limits,
    quiet: Quiet,
    metrics: Arc<Metrics>,
    proxy_protocol: Option<ProxyProtocol>,
    upstream: Option<Upstream>,
    /// What the target is asked, to be told well.
    site: Option<Site>,
    http: Option<BackendHttp>,
    pool: Pool,
    names: Names,
}

/// What an open connection rests on.
pub(crate) struct Ground {
    pub(crate) standing: Standing,
    pub(crate) notices: Notices,
}

impl Proxy {
    pub(crate) fn new(named: Named, (identity, terms): (Identity, Terms), metrics: Arc<Metrics>) -> Self {
        let Named { name, config, plan } = named;
        let (offer, limit) = (plan.offer.clone(), plan.limits.connect_timeout);
        let settings = HandshakeSettings { offer, limit, terms, ..HandshakeSettings::default() };
        let side = Side::new(&plan, &identity, &settings);
        let site = plan.target_status.map(|url| Site::new(url, identity.clock()));
        let Plan {
            listen, health_check, own, scrutiny, limits, quiet, proxy_protocol, upstream, http, ..
        } = plan;
        Self {
            name,
            config,
            side,
            listen,
            targets: Targets::new(plan.targets),
            health_check,
            own,
            scrutiny,
            identity,
            settings,
            limits,
            quiet,
            metrics,
            proxy_protocol,
            upstream,
            site,
            http,
            pool: Pool::new(),
            names: Names::default(),
        }
    }

    /// Of its block in a configuration file; empty where flags made it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it was made of this.
    pub(crate) fn is(&self, named: &Named) -> bool {
        self.name == named.name && self.config == named.config
    }

    pub(crate) fn mode(&self) -> &'static str {
        match self.side {
            Side::Server(_) => "server",
            Side::Client(_) => "client",
        }
    }

    pub(crate) fn listen(&self) -> &Address {
        &self.listen
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What its peers are held to.
    pub(crate) fn scrutiny(&self) -> &Scrutiny {
        &self.scrutiny
    }

    /// Where its identity comes from.
    pub(crate) fn own(&self) -> &Own {
        &self.own
    }

    /// The buffers of its connections.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Goes on with what is known of targets that the proxy before it had too.
    pub(crate) fn inherit(&mut self, before: &Self) {
        self.targets.inherit(&before.targets, self.health_check.is_some());
    }

    /// How callers are let in.
    pub(crate) fn admission(&self) -> Admission {
        Admission::new(self.limits.connections, self.is_guarded(), self.clock())
    }

    /// Whether callers must show who they are. Those of a client need not, and being served is not up to them.
    pub(crate) fn is_guarded(&self) -> bool {
        matches!(self.side, Side::Server(_))
    }

    /// Serves one caller to the end, which holds its pass meanwhile. A handshake that has not ended when the drain is
    /// requested is given up.
    pub(crate) async fn serve(self: &Arc<Self>, caller: Plain, mut pass: Pass, notices: Notices) {
        let _open = self.metrics.accept();
        match &self.side {
            Side::Server(front) => self.serve_secured(front, caller, &mut pass, notices).await,
            // At once, but for callers that came when the proxy was a server.
            Side::Client(back) if pass.take_place().await => self.serve_plain(back, caller, notices).await,
            Side::Client(_) => {}
        }
    }

    /// Whether this proxy would let a connection go on that the one before it had begun. It rests on the identity of this
    /// one then, by which its peer may yet prove not to be trusted. Where the backend believes what it is told, nobody
    /// may go on saying it.
    fn keeps(&self, before: &Self, standing: &mut Standing) -> bool {
        self.http == before.http
            && self.side.keeps(&before.side, standing)
            && self.identity.carry(standing, &self.settings.terms)
    }

    /// How the status is served with what this proxy presents; `None` when it presents nothing.
    pub(crate) fn status_front(&self) -> Option<Front> {
        let settings = || HandshakeSettings { terms: Terms::default(), ..self.settings.clone() };
        self.identity.can_serve().then(|| Front::open(&self.identity, settings()))
    }

    /// Whether there is an identity to present.
    pub(crate) fn check_identity(&self) -> Result<(), NotLive> {
        self.identity.check()
    }

    async fn serve_secured(
        self: &Arc<Self>,
        front: &Front,
        caller: Plain,
        pass: &mut Pass,
        notices: Notices,
    ) {
        let (from, ends) = (caller.remote(), self.proxy_protocol.and_then(|_| caller.ends()));
        let began = self.clock().monotonic();
        // On the heap, here and below: what is needed to connect takes no room while the connection lasts.
        let accepted = tokio::select! {
            accepted = Box::pin(front.accept(ReadAhead::new(caller, &self.pool))) => accepted,
            () = pass.lost() => return self.displaced(&from),
            () = notices.stopping() => return,
        };
        let met = match accepted {
            Ok(secured) => secured,
            Err(error) => return self.unmet(&from, &error),
        };
        self.metrics.handshakes().note(self.clock().monotonic().saturating_sub(began));
        tokio::select! {
            kept = pass.take_place() => if !kept { return self.displaced(&from) },
            () = notices.stopping() => return,
        }
        let told = |how: ProxyProtocol| {
            how.header(ends, &TlsFacts::of(met.stream.get_ref().1, met.peer.is_vouched_for()))
        };
        let header = match self.proxy_protocol.map(told).transpose() {
            Ok(header) => header,
            Err(error) => return self.untellable(&from, &error),
        };
        if let Some(http) = self.http {
            // Boxed, or every pipe would take the memory of it.
            return Box::pin(self.serve_http(http, met, from, header, notices)).await;
        }
        let Met { mut stream, peer, standing } = met;
        let (mut backend, lease) = match Box::pin(self.dial_backend(header.as_deref())).await {
            Ok(dialled) => dialled,
            Err(error) => return self.undialled(&error),
        };
        backend.abort_on_close();
        let target = lease.target().network_address();
        let name = Name { from, target, peer: &peer, secured: Secured::Caller };
        let (traffic, ground) = (Traffic::default(), Ground { standing, notices });
        if self.pipe(&name, &mut *stream, &mut backend, ground, &traffic).await {
            backend.close_in_order();
        }
    }

    /// Reads nothing from the caller before the handshake with the target has ended: what the caller says is for
    /// nobody else, and the caller keeps it when there is no target.
    async fn serve_plain(&self, back: &Back, mut caller: Plain, notices: Notices) {
        caller.abort_on_close();
        let began = self.clock().monotonic();
        let dialled = tokio::select! {
            dialled = Box::pin(self.dial_secured(back)) => dialled,
            () = notices.stopping() => return,
        };
        let (Met { mut stream, peer, standing }, lease) = match dialled {
            Ok(dialled) => dialled,
            Err(error) => {
                self.undialled(&error);
                return self.let_speak(&caller).await;
            }
        };
        self.metrics.handshakes().note(self.clock().monotonic().saturating_sub(began));
        let (from, target) = (caller.remote(), lease.target().network_address());
        let name = Name { from, target, peer: &peer, secured: Secured::Target };
        let (traffic, ground) = (Traffic::default(), Ground { standing, notices });
        if self.pipe(&name, &mut caller, &mut *stream, ground, &traffic).await {
            caller.close_in_order();
        } else if traffic.forwarded() == 0 && traffic.returned() == 0 {
            self.let_speak(&caller).await;
        }
    }

    /// A reset that comes before the caller has noticed that it is connected looks as if nobody listened here, and
    /// makes it try elsewhere. So it is let speak, unread, and the reset is then the answer.
    async fn let_speak(&self, caller: &Plain) {
        let _ = self.clock().timeout(FIRST_WORD, caller.spoken()).await;
    }

    /// Returns whether both ends were done.
    async fn pipe<A, B>(
        &self,
        name: &(dyn fmt::Display + Sync),
        caller: &mut A,
        target: &mut B,
        ground: Ground,
        traffic: &Traffic,
    ) -> bool
    where
        A: AsyncRead + End,
        B: AsyncRead + End,
    {
        let limits = (self.clock(), self.limits.close_timeout);
        let lost = self.lost(ground);
        let talk = pin!(relay(caller, target, lost, traffic, &self.pool, limits));
        self.watch(name, traffic, talk).await
    }

    /// Tells of an open connection from its beginning to its end, which is at its lifetime at the latest. Returns whether
    /// both ends were done.
    pub(crate) async fn watch(
        &self,
        name: &(dyn fmt::Display + Sync),
        traffic: &Traffic,
        talk: impl Future<Output = Result<(), Cut>>,
    ) -> bool {
        self.metrics.succeed();
        let opened = self.clock().monotonic();
        if !self.quiet.connections {
            tracing::info!("opening pipe: {name}");
        }
        let ended = self.within_lifetime(talk).await;
        let open = self.clock().monotonic().saturating_sub(opened);
        self.metrics.lifetimes().note(open);
        self.tell_end(name, &ended, traffic, open);
        ended.is_ok()
    }

    async fn within_lifetime(&self, talk: impl Future<Output = Result<(), Cut>>) -> Result<(), Cut> {
        let lifetime = self.limits.lifetime;
        if lifetime.is_zero() {
            return talk.await;
        }
        self.clock().timeout(lifetime, talk).await.unwrap_or(Err(Cut::Outlived(lifetime)))
    }

    /// Resolves when a connection must be cut, whatever its ends say.
    pub(crate) async fn lost(&self, mut ground: Ground) -> Cut {
        loop {
            tokio::select! {
                fallen = ground.standing.fallen() => return fallen.into(),
                next = ground.notices.replaced() => {
                    if !next.keeps(self, &mut ground.standing) {
                        return Cut::Revoked;
                    }
                }
            }
        }
    }

    fn tell_end(&self, name: &dyn fmt::Display, ended: &Result<(), Cut>, traffic: &Traffic, open: Duration) {
        match ended {
            Err(cut) if cut.is_departure() => tracing::debug!("{}", Chain(cut)),
            Err(cut @ Cut::Copy(_)) if !self.quiet.connection_errors => tracing::warn!("{}", Chain(cut)),
            Err(cut @ (Cut::Fallen(_) | Cut::Revoked)) => {
                self.metrics.distrust();
                tracing::info!("cutting pipe: {name}: {}", Chain(cut));
            }
            Err(cut @ (Cut::HalfOpen(_) | Cut::Outlived(_) | Cut::Silent(_))) => {
                self.metrics.time_out();
                if !self.quiet.connections {
                    tracing::info!("cutting pipe: {name}: {}", Chain(cut));
                }
            }
            _ => {}
        }
        if self.quiet.connections {
            return;
        }
        let (forwarded, returned) = (traffic.forwarded(), traffic.returned());
        tracing::info!(
            forwarded,
            returned,
            "closed pipe: {name} [forwarded {}, returned {}, open {}]",
            Size(forwarded),
            Size(returned),
            rounded(open),
        );
    }

    /// As log lines name them.
    pub(crate) fn target_name(&self) -> String {
        self.targets.iter().map(|target| target.network_address()).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.identity.clock()
    }
}

//! TCP with TLS: a handshake is a session of its own, so that a slow one keeps nobody waiting.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use finial_attest::Caller;
use finial_daemon::doorstep::{self, Doorstep, Spot};
use finial_daemon::{Backoff, Clock, Drain, Tasks};
use finial_tls::{Acceptor, Peer, Secured};
use finial_wire::MAX_SILENCE;
use futures_util::stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;
use tonic::service::Routes;

use super::announced;
use super::connection::Connection;
use super::crowd::{Crowd, Member};
use super::{CONNECTION_GRACE, Gate, LINGER, MAX_CONNECTIONS, MAX_CONNECTIONS_OF_ONE, Origin, http2};
use crate::config::Cidr;

/// Connections whose handshake is done and that wait to be served.
const WAITING: usize = 64;

/// The pause after the operating system could not accept, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// The API for agents and administrators, bound and not yet accepting.
pub(crate) struct TcpApi {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: Acceptor,
    age: Duration,
    balancers: Vec<Cidr>,
}

impl TcpApi {
    /// Connections take no new calls beyond this age. `balancers` are believed for whom they speak.
    pub(crate) async fn bind(
        address: SocketAddr,
        acceptor: Acceptor,
        age: Duration,
        balancers: Vec<Cidr>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, acceptor: acceptor.with_alpn(["h2"]), age, balancers })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts and serves until the tasks are drained.
    pub(crate) fn serve(self, gate: Gate, routes: Routes, clock: &Clock, tasks: &Tasks) {
        let (secured, connections) = mpsc::channel(WAITING);
        let door = Door {
            acceptor: self.acceptor,
            end_at_age: self.age + LINGER,
            clock: clock.clone(),
            tasks: tasks.clone(),
            balancers: self.balancers.into(),
            doorstep: Arc::new(Doorstep::new(MAX_CONNECTIONS, clock)),
            crowd: Crowd::default(),
            secured,
        };
        tasks.spawn("tcp listener", accept(self.listener, door));
        let drain = tasks.drain();
        tasks.spawn("tcp api", async move {
            let incoming = stream::unfold(connections, async |mut connections| {
                let connection = connections.recv().await?;
                Some((Ok::<_, io::Error>(connection), connections))
            });
            let Gate { watch, guard } = gate;
            let server = http2().max_connection_age(self.age).layer(watch).layer(guard).add_routes(routes);
            if let Err(error) = server.serve_with_incoming_shutdown(incoming, drain.requested()).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the TCP API has failed");
                drain.request();
            }
        });
    }
}

/// What a handshake needs, and where its outcome goes.
#[derive(Clone)]
struct Door {
    acceptor: Acceptor,
    /// When a connection is closed whatever goes on in it.
    end_at_age: Duration,
    clock: Clock,
    tasks: Tasks,
    balancers: Arc<[Cidr]>,
    doorstep: Arc<Doorstep>,
    crowd: Crowd,
    secured: mpsc::Sender<Connection<TlsStream<TcpStream>>>,
}

async fn accept(listener: TcpListener, door: Door) {
    let drain = door.tasks.drain();
    let mut backoff = Backoff::new(RETRY.0, RETRY.1);
    loop {
        let accepted = tokio::select! {
            () = drain.requested() => return,
            accepted = next(&listener, &door.doorstep) => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                backoff.reset();
                let spot = door.doorstep.enter(doorstep::Origin::of(address.ip()));
                let session = door.clone().secure(stream, address, spot);
                door.tasks.spawn_session("tls handshake", session);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted, trying on");
                door.clock.sleep(backoff.next()).await;
            }
        }
    }
}

/// The next connection, once there is a place for it, or somebody who gives theirs.
async fn next(listener: &TcpListener, doorstep: &Doorstep) -> io::Result<(TcpStream, SocketAddr)> {
    doorstep.has_room().await;
    listener.accept().await
}

impl Door {
    async fn secure(self, mut stream: TcpStream, mut address: SocketAddr, mut spot: Spot) {
        let drain = self.tasks.drain();
        // Small messages go out at once; a socket that refuses this is about to fail anyway.
        let _ = stream.set_nodelay(true);
        if self.balancers.iter().any(|network| network.contains(address.ip())) {
            let announced = tokio::select! {
                () = drain.requested() => return,
                () = spot.lost() => return gives_way(address),
                announced = self.announced(&mut stream, address) => announced,
            };
            match announced {
                Some(caller) if caller != address => {
                    drop(spot);
                    spot = self.doorstep.enter(doorstep::Origin::of(caller.ip()));
                    address = caller;
                }
                Some(_) => {}
                None => return,
            }
        }
        let handshake = tokio::select! {
            () = drain.requested() => return,
            () = spot.lost() => return gives_way(address),
            handshake = self.acceptor.accept_optional(stream) => handshake,
        };
        let Secured { stream, peer, mut standing } = match handshake {
            Ok(secured) => secured,
            Err(error) => {
                let reason = &error as &dyn std::error::Error;
                tracing::debug!(error = reason, %address, "a TLS handshake has failed");
                return;
            }
        };
        let member = match &peer {
            Some(peer) => match self.keep(peer, address, &mut spot) {
                Some(member) => Some(member),
                None => return,
            },
            None => None,
        };
        let caller = peer.map_or_else(Caller::anonymous, |peer: Peer| Caller::spiffe(peer.svid().clone()));
        let origin = Origin::new(caller, Some(address.ip()));
        let clock = self.clock.clone();
        let patience = patience(clock.clone());
        let overdue = overdue(drain, self.clock);
        let end = async move {
            let _member = member;
            tokio::select! {
                () = overdue => {}
                () = spot.lost() => gives_way(address),
                () = clock.sleep(self.end_at_age) => {
                    tracing::debug!(%address, "a connection is closed, since it lingered beyond its age");
                }
                fallen = standing.fallen() => {
                    tracing::info!(%address, reason = %fallen, "a connection is closed");
                }
            }
        };
        // Nobody serves any more once the server is stopping.
        let _ = self.secured.send(Connection::new(stream, origin, end, patience)).await;
    }

    /// For whom a balancer speaks, or it itself; nobody when that cannot be told.
    async fn announced(&self, stream: &mut TcpStream, balancer: SocketAddr) -> Option<SocketAddr> {
        let caller = announced::caller(stream);
        match self.clock.timeout(announced::HEADER_LIMIT, caller).await {
            Ok(Ok(caller)) => Some(caller.unwrap_or(balancer)),
            Ok(Err(error)) => {
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::debug!(error, %balancer, "a balancer does not say for whom it speaks");
                None
            }
            Err(_) => {
                tracing::debug!(%balancer, "a balancer takes too long to say for whom it speaks");
                None
            }
        }
    }

    /// Whoever has proved an identity keeps the place, unless that identity has too many.
    fn keep(&self, peer: &Peer, address: SocketAddr, spot: &mut Spot) -> Option<Member> {
        let id = peer.svid().id();
        let member = self.crowd.join(id, MAX_CONNECTIONS_OF_ONE);
        if member.is_none() {
            tracing::debug!(
                %address, spiffe_id = %id,
                "a connection is closed: its identity has {MAX_CONNECTIONS_OF_ONE} already, the most for one",
            );
        }
        member.filter(|_| spot.keep())
    }
}

/// Resolves when a client should have asked something.
pub(super) async fn patience(clock: Clock) {
    clock.sleep(MAX_SILENCE).await;
}

fn gives_way(address: SocketAddr) {
    tracing::debug!(%address, "a connection is closed to make room for another");
}

/// Resolves when an open connection has had its time to finish.
pub(super) async fn overdue(drain: Drain, clock: Clock) {
    drain.requested().await;
    clock.sleep(CONNECTION_GRACE).await;
}

//! One listener of a process: its socket, the proxy behind it as it is now, and the connections that came through.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use finial_daemon::{Clock, Drain, Tasks};
use tokio::sync::watch;

use crate::accept::{self, Listener};
use crate::admission::Admission;
use crate::proxy::Proxy;
use crate::{Address, ProxyError};

/// The socket stays; the proxy behind it may be replaced, which holds for connections that come from then on.
#[derive(Debug)]
pub(crate) struct Gate {
    bound: Option<SocketAddr>,
    /// Until the gate is opened.
    listener: Mutex<Option<Listener>>,
    current: watch::Sender<Arc<Proxy>>,
    admission: Admission,
    /// The connections of callers.
    sessions: Tasks,
}

/// What a connection is told from outside while it lasts.
#[derive(Clone, Debug)]
pub(crate) struct Notices {
    drain: Drain,
    newest: watch::Receiver<Arc<Proxy>>,
}

impl Gate {
    /// Bound, and closed: who connects waits in the backlog.
    pub(crate) fn new(listener: Listener, proxy: Proxy, clock: &Clock) -> Self {
        Self {
            bound: listener.address(),
            listener: Mutex::new(Some(listener)),
            admission: proxy.admission(),
            current: watch::Sender::new(Arc::new(proxy)),
            sessions: Tasks::new(clock.clone()),
        }
    }

    /// Begins to accept, in a task that ends with the gate.
    pub(crate) fn open(&self, tasks: &Tasks) {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(listener) = listener else { return };
        let notices = Notices { drain: self.sessions.drain(), newest: self.current.subscribe() };
        let serve = move |caller, pass| {
            let mut notices = notices.clone();
            async move { notices.take().serve(caller, pass, notices).await }
        };
        let accepting = accept::serve(listener, self.admission.clone(), self.sessions.clone(), "pipe", serve);
        tasks.spawn("callers", accepting);
        tasks.spawn("health checks", self.look_after_targets());
        tracing::info!("using target address {}", self.proxy().targets());
        tracing::info!("listening for connections on {}", self.listen_address());
    }

    /// Looks after the targets of the proxy of each time, until the gate closes.
    fn look_after_targets(&self) -> impl Future<Output = ()> + Send + use<> {
        let (mut newest, drain) = (self.current.subscribe(), self.sessions.drain());
        async move {
            loop {
                let proxy = Arc::clone(&newest.borrow_and_update());
                tokio::select! {
                    () = drain.requested() => return,
                    changed = newest.changed() => if changed.is_err() { return },
                    () = proxy.look_after_targets() => return,
                }
            }
        }
    }

    /// Holds for connections that come from now on. Those that are open are told, and end unless it would let them in.
    pub(crate) fn replace(&self, mut proxy: Proxy) {
        proxy.inherit(&self.proxy());
        tracing::info!("using target address {} for {}", proxy.targets(), self.listen_address());
        self.admission.change(proxy.limits().connections, proxy.is_guarded());
        self.current.send_replace(Arc::new(proxy));
    }

    /// The proxy of connections that come now.
    pub(crate) fn proxy(&self) -> Arc<Proxy> {
        Arc::clone(&self.current.borrow())
    }

    /// The port that was bound; `None` for a Unix socket.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.bound
    }

    /// Where callers connect, for people: as it was given, unless the operating system has chosen the port.
    pub(crate) fn listen_address(&self) -> String {
        match (self.proxy().listen(), self.bound) {
            (Address::Tcp { port: 0, .. }, Some(bound)) => bound.to_string(),
            (given, _) => given.to_string(),
        }
    }

    pub(crate) fn accept_no_more(&self) {
        self.sessions.drain().request();
    }

    /// Accepts no more, waits for open connections, and cuts what is left after the limit.
    ///
    /// # Errors
    /// [`ProxyError::Forced`] when something was cut.
    pub(crate) async fn close(&self) -> Result<(), ProxyError> {
        let limit = self.proxy().limits().shutdown_timeout;
        if self.sessions.stop(limit).await { Ok(()) } else { Err(ProxyError::Forced { limit }) }
    }
}

impl Notices {
    #[cfg(test)]
    pub(crate) fn none(proxy: &Arc<Proxy>, drain: Drain) -> Self {
        Self { drain, newest: watch::Sender::new(Arc::clone(proxy)).subscribe() }
    }

    /// Resolves when no handshake may go on.
    pub(crate) async fn stopping(&self) {
        self.drain.requested().await;
    }

    /// Resolves when the proxy was replaced, with the next one.
    pub(crate) async fn replaced(&mut self) -> Arc<Proxy> {
        if self.newest.changed().await.is_err() {
            // The gate is gone, and with it whoever could replace the proxy.
            std::future::pending::<()>().await;
        }
        self.take()
    }

    /// The proxy as it is now; from then on only a later one is a replacement.
    fn take(&mut self) -> Arc<Proxy> {
        Arc::clone(&self.newest.borrow_and_update())
    }
}

//! What all commands are told together: the signals that are passed on to them, and to end.

#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

/// Signals that wait for a command.
const WAITING: usize = 64;
/// What the helper passes on to its commands.
pub(crate) const PASSED: &[Signal] = &[Signal::HUP, Signal::USR1, Signal::USR2];
/// What it passes on to the program that it stands for. Left out are those that stop a process, with which a shell
/// controls the whole job; those by which the kernel reports a fault; and those that have no name.
pub(crate) const PASSED_TO_PROGRAM: &[Signal] = &[
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
    Signal::QUIT,
    Signal::ALARM,
    Signal::CONT,
    Signal::URG,
    Signal::XCPU,
    Signal::XFSZ,
    Signal::VTALARM,
    Signal::PROF,
    Signal::WINCH,
    Signal::IO,
    Signal::POWER,
];
/// What asks the helper to end. It comes once by [`Commander::stop`]; again it is passed on like the others.
pub(crate) const ENDING: &[Signal] = &[Signal::TERM, Signal::INT];

/// Gives orders to every command. Clones speak to the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Commander {
    signals: broadcast::Sender<Signal>,
    stop: Arc<watch::Sender<Option<Signal>>>,
}

/// What one command hears.
#[derive(Debug)]
pub(crate) struct Orders {
    signals: broadcast::Receiver<Signal>,
    stop: watch::Receiver<Option<Signal>>,
}

/// One order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// A signal to pass on.
    Pass(Signal),
    /// To end, by this signal.
    Stop(Signal),
}

/// Signals to this process.
#[derive(Debug)]
pub(crate) struct Incoming(Vec<(Signal, unix::Signal)>);

impl Commander {
    pub(crate) fn new() -> Self {
        Self { signals: broadcast::Sender::new(WAITING), stop: Arc::default() }
    }

    pub(crate) fn orders(&self) -> Orders {
        Orders { signals: self.signals.subscribe(), stop: self.stop.subscribe() }
    }

    /// Passes on what comes in. Never resolves.
    pub(crate) async fn pass_on(&self, mut incoming: Incoming) {
        loop {
            self.pass(incoming.next().await);
        }
    }

    /// Passes one signal on.
    pub(crate) fn pass(&self, signal: Signal) {
        // Nobody hears it where no command runs.
        let _ = self.signals.send(signal);
    }

    /// Asks all to end, by this signal.
    pub(crate) fn stop(&self, by: Signal) {
        self.stop.send_replace(Some(by));
    }
}

impl Orders {
    /// Forgets the signals that came before now.
    pub(super) fn forget_signals(&mut self) {
        self.signals = self.signals.resubscribe();
    }

    /// The next one; to end comes first, and again each time that it is asked for. May be dropped while waiting.
    pub(super) async fn next(&mut self) -> Order {
        tokio::select! {
            biased;
            by = asked(&mut self.stop) => Order::Stop(by),
            signal = passed(&mut self.signals) => Order::Pass(signal),
        }
    }

    /// To end alone. May be dropped while waiting.
    pub(super) async fn stop(&mut self) -> Signal {
        asked(&mut self.stop).await
    }

    /// Signals alone. May be dropped while waiting.
    pub(super) async fn passed(&mut self) -> Signal {
        passed(&mut self.signals).await
    }
}

async fn asked(stop: &mut watch::Receiver<Option<Signal>>) -> Signal {
    match stop.wait_for(Option::is_some).await.map(|signal| *signal) {
        Ok(Some(signal)) => signal,
        // Nobody is left who could ask.
        _ => std::future::pending().await,
    }
}

async fn passed(signals: &mut broadcast::Receiver<Signal>) -> Signal {
    loop {
        match signals.recv().await {
            Ok(signal) => return signal,
            Err(RecvError::Lagged(lost)) => {
                tracing::warn!(lost, "signals came faster than they could be passed on");
            }
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

impl Incoming {
    /// Listens from now on; what such a signal would do by itself no longer happens.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub(crate) fn listen(signals: &[Signal]) -> io::Result<Self> {
        let listen = |signal: &Signal| Ok((*signal, unix::signal(SignalKind::from_raw(signal.as_raw()))?));
        signals.iter().map(listen).collect::<io::Result<_>>().map(Self)
    }

    async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            let came = self.0.iter_mut().find_map(|(signal, stream)| {
                matches!(stream.poll_recv(context), Poll::Ready(Some(()))).then_some(*signal)
            });
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

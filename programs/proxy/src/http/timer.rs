//! Our clock, as hyper asks for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use finial_daemon::Clock;
use hyper::rt::{Sleep, Timer};

/// Counts from an origin of its own, since hyper wants instants; only the spans between them matter.
#[derive(Clone, Debug)]
pub(super) struct ClockTimer {
    clock: Clock,
    origin: Instant,
}

impl ClockTimer {
    #[expect(clippy::disallowed_methods, reason = "the origin of a scale on which our clock moves")]
    pub(super) fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), origin: Instant::now() }
    }
}

impl Timer for ClockTimer {
    fn sleep(&self, span: Duration) -> Pin<Box<dyn Sleep>> {
        let clock = self.clock.clone();
        Box::pin(ClockSleep(Mutex::new(Box::pin(async move { clock.sleep(span).await }))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> Instant {
        self.origin + self.clock.monotonic()
    }
}

/// Never locked: hyper wants a sleep that can be shared, and shares it with nobody.
struct ClockSleep(Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Future for ClockSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll(context)
    }
}

impl Sleep for ClockSleep {}

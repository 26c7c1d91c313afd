//! The form of a line of Go's `log` package: `[PID] 2006/01/02 15:04:05.000000 message`, which ghostunnel writes.

use std::fmt::{self, Debug, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::text::{OneLine, causes};
use crate::Clock;

/// Formats a line in local time. Values are left out, since they repeat what the message says; reasons are not.
pub(super) struct Plain {
    clock: Clock,
    zone: TimeZone,
    process: u32,
}

impl Plain {
    /// Reads the zone now, so that nothing of the file system is needed later.
    pub(super) fn new(clock: Clock) -> Self {
        Self::with(clock, TimeZone::system(), std::process::id())
    }

    pub(super) fn with(clock: Clock, zone: TimeZone, process: u32) -> Self {
        Self { clock, zone, process }
    }
}

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = Timestamp::try_from(self.clock.now()).unwrap_or(Timestamp::UNIX_EPOCH);
        let time = now.to_zoned(self.zone.clone()).strftime("%Y/%m/%d %H:%M:%S%.6f").to_string();
        let mut said = Said::default();
        event.record(&mut said);
        writeln!(writer, "[{}] {time} {}{}", self.process, OneLine(&said.message), OneLine(&said.reasons))
    }
}

/// Fields that say why, which no message repeats.
const REASONS: [&str; 4] = ["error", "cause", "reason", "refusal"];

/// The message, and the reasons for it, each after a colon.
#[derive(Default)]
struct Said {
    message: String,
    reasons: String,
}

impl Visit for Said {
    fn record_error(&mut self, _field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.reasons.push_str(": ");
        self.reasons.push_str(&causes(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name if REASONS.contains(&name) => write!(self.reasons, ": {value:?}"),
            _ => Ok(()),
        };
    }
}

//! The form of a line for a person at a terminal: `time level message key=value`, safe to print whatever the values hold.

use std::fmt::{self, Debug, Write};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::entry::source;
use crate::Clock;

/// Formats a line.
pub(super) struct Text {
    clock: Clock,
    source_location: bool,
}

/// Formats the fields of events and of spans: ` key=value` each, the message without its key.
pub(super) struct Fields;

impl Text {
    pub(super) fn new(clock: Clock, source_location: bool) -> Self {
        Self { clock, source_location }
    }
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = Timestamp::try_from(self.clock.now()).unwrap_or(Timestamp::UNIX_EPOCH);
        let (name, colour) = level(*event.metadata().level());
        let time = now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        if writer.has_ansi_escapes() {
            write!(writer, "\x1b[2m{time}\x1b[0m {colour}{name:5}\x1b[0m")?;
        } else {
            write!(writer, "{time} {name:5}")?;
        }
        context.format_fields(writer.by_ref(), event)?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                writer.write_str(fields)?;
            }
        }
        if self.source_location {
            let (_, file) = source(event.metadata());
            write!(writer, " file={file}")?;
        }
        writeln!(writer)
    }
}

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut message = Message(None);
        fields.record(&mut message);
        let mut pairs = Pairs { writer, result: Ok(()) };
        if let Some(message) = message.0 {
            write!(pairs.writer, " {}", OneLine(&message))?;
        }
        fields.record(&mut pairs);
        pairs.result
    }
}

fn level(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::ERROR => ("error", "\x1b[31m"),
        Level::WARN => ("warn", "\x1b[33m"),
        Level::INFO => ("info", "\x1b[32m"),
        Level::DEBUG => ("debug", "\x1b[34m"),
        Level::TRACE => ("trace", "\x1b[35m"),
    }
}

/// Finds the message, which comes first on the line wherever it stands among the fields.
struct Message(Option<String>);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = Some(format!("{value:?}"));
        }
    }
}

struct Pairs<'writer> {
    writer: Writer<'writer>,
    result: fmt::Result,
}

impl Pairs<'_> {
    fn write(&mut self, field: &Field, value: &str) {
        if self.result.is_err() || field.name() == "message" || field.name().starts_with("log.") {
            return;
        }
        let plain = !value.is_empty() && value.chars().all(is_plain);
        self.result = if plain {
            write!(self.writer, " {}={value}", field.name())
        } else {
            write!(self.writer, " {}={value:?}", field.name())
        };
    }
}

impl Visit for Pairs<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.write(field, &causes(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, &format!("{value:?}"));
    }
}

/// An error with its causes.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn is_plain(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && c != '"' && c != '='
}

/// A message on one line: a line break or terminal escape in it cannot pass for a line of its own.
pub(super) struct OneLine<'a>(pub(super) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

//! The form of logrus, which SPIRE and spiffe-helper log with: `time="…" level=info msg="…" key=value`.

use std::fmt::{self, Write};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::text::causes;
use crate::Clock;

/// Formats a line.
pub(super) struct Entry {
    clock: Clock,
    source_location: bool,
}

/// Formats the fields of spans: ` key=value` each.
pub(super) struct Pairs;

impl Entry {
    pub(super) fn new(clock: Clock, source_location: bool) -> Self {
        Self { clock, source_location }
    }
}

impl<S> FormatEvent<S, Pairs> for Entry
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Pairs>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let (time, level) = (time(&self.clock), level(*event.metadata().level()));
        write!(writer, "time={} level={level}", Quoted(&time))?;
        if let Some((function, file)) = self.source_location.then(|| source(event.metadata())) {
            write!(writer, " func={} file={}", Quoted(&function), Quoted(&file))?;
        }
        write!(writer, " msg={}{}", Quoted(&said.message), said.pairs)?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<Pairs>>() {
                writer.write_str(fields)?;
            }
        }
        writeln!(writer)
    }
}

impl<'writer> FormatFields<'writer> for Pairs {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut said = Said::default();
        fields.record(&mut said);
        writer.write_str(&said.pairs)
    }
}

/// When it is, in RFC 3339.
pub(super) fn time(clock: &Clock) -> String {
    let now = Timestamp::try_from(clock.now()).unwrap_or(Timestamp::UNIX_EPOCH);
    now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

pub(super) fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Where a line comes from: the module, and the line of its file.
pub(super) fn source(metadata: &Metadata<'_>) -> (String, String) {
    let file = metadata.file().unwrap_or_default();
    let line = metadata.line().map(|line| format!(":{line}")).unwrap_or_default();
    (metadata.module_path().unwrap_or_default().to_owned(), format!("{file}{line}"))
}

/// The message, and the other values.
#[derive(Default)]
struct Said {
    message: String,
    pairs: String,
}

impl Said {
    fn keep(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name if name.starts_with("log.") => {}
            // Writing to a string does not fail.
            name => drop(write!(self.pairs, " {name}={}", Quoted(value))),
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.keep(field, &causes(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, &format!("{value:?}"));
    }
}

/// A value as logrus writes it: in quotes, with Go's escapes, unless it is of letters, digits and a few signs.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        let is_plain =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/' | '@' | '^' | '+');
        if text.chars().all(is_plain) {
            return f.write_str(text);
        }
        f.write_char('"')?;
        for c in text.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

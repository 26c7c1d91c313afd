//! The JSON form of logrus: one object a line, with `time`, `level`, `msg` and the values beside them.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::entry::{level, source, time};
use super::text::causes;
use crate::Clock;

/// Formats a line.
pub(super) struct Json {
    clock: Clock,
    source_location: bool,
}

/// The keys that are the line's own: a value of such a name becomes `fields.NAME`, as with logrus.
const OWN: [&str; 5] = ["time", "level", "msg", "func", "file"];

impl Json {
    pub(super) fn new(clock: Clock, source_location: bool) -> Self {
        Self { clock, source_location }
    }
}

impl<S> FormatEvent<S, JsonFields> for Json
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut values = Values(Map::new());
        event.record(&mut values);
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            let fields = fields.and_then(|fields| serde_json::from_str::<Map<_, _>>(fields).ok());
            for (name, value) in fields.into_iter().flatten() {
                values.keep(&name, value);
            }
        }
        let Values(mut object) = values;
        object.insert("level".to_owned(), level(*event.metadata().level()).into());
        object.insert("time".to_owned(), time(&self.clock).into());
        if self.source_location {
            let (function, file) = source(event.metadata());
            object.extend([("func".to_owned(), function.into()), ("file".to_owned(), file.into())]);
        }
        writeln!(writer, "{}", Value::Object(object))
    }
}

/// What an event says; what is nearest counts.
struct Values(Map<String, Value>);

impl Values {
    fn keep(&mut self, name: &str, value: Value) {
        let name = match name {
            "message" => "msg".to_owned(),
            name if OWN.contains(&name) => format!("fields.{name}"),
            name if name.starts_with("log.") => return,
            name => name.to_owned(),
        };
        self.0.entry(name).or_insert(value);
    }
}

impl Visit for Values {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field.name(), value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.keep(field.name(), causes(value).into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field.name(), format!("{value:?}").into());
    }
}

//! Logging: one line for each event, for people first, with the values repeated as fields.

mod entry;
mod file;
mod json;
mod plain;
mod text;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use crate::Clock;
use entry::{Entry, Pairs};
use file::LogFile;
use json::Json;
use plain::Plain;
use text::{Fields, Text};

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Someone must act.
    Error,
    /// We carried on, degraded.
    Warn,
    /// Something happened once.
    #[default]
    Info,
    /// For the developers of this program.
    Debug,
    /// Everything, libraries included.
    Trace,
}

/// The shape of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `time="…" level=info msg="…" key=value`, as SPIRE writes; on a terminal `time level message key=value`.
    #[default]
    Text,
    /// One JSON object with `time`, `level` and `msg`, as SPIRE writes.
    Json,
    /// `[PID] 2006/01/02 15:04:05.000000 message`, as programs write that use Go's `log` package. For programs that take
    /// the place of one: not by name.
    Plain,
}

/// Where lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Standard output, as SPIRE does.
    #[default]
    Stdout,
    /// Standard error, for commands whose standard output is an answer.
    Stderr,
    /// The end of a file, created with permissions 0640.
    File(PathBuf),
}

/// What is logged, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How much; info.
    pub level: Level,
    /// In which form; text.
    pub format: Format,
    /// Where to; standard output.
    pub output: Output,
    /// Whether each line says where in the source it comes from; no.
    pub source_location: bool,
}

/// A level or format that is not known, or logging that cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Not a level.
    #[error("unknown log level `{0}`: use error, warn, info, debug or trace")]
    UnknownLevel(String),
    /// Not a format.
    #[error("unknown log format `{0}`: use text or json")]
    UnknownFormat(String),
    /// The log file cannot be opened.
    #[error("cannot open the log file {}: create its folder, and let this user write there", path.display())]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This process already logs.
    #[error("logging has already begun in this process")]
    AlreadyBegun,
}

/// Changes the level of a running program. Clones change the same level.
#[derive(Clone, Debug)]
pub struct LevelHandle {
    filter: reload::Handle<Targets, Registry>,
    launch: Level,
    current: Arc<Mutex<Level>>,
}

/// The handle of this process: its log is the process's, and not of one program in it.
static HANDLE: OnceLock<LevelHandle> = OnceLock::new();
/// The file that this process logs to, if it does.
static FILE: OnceLock<LogFile> = OnceLock::new();

/// Begins logging for the whole process. Colours appear only on a terminal, and not when `NO_COLOR` is set.
///
/// # Errors
/// [`LogError::CannotOpen`], [`LogError::AlreadyBegun`].
pub fn init(level: Level, format: Format, output: &Output) -> Result<LevelHandle, LogError> {
    begin(&Settings { level, format, output: output.clone(), source_location: false })
}

/// The same with all settings.
///
/// # Errors
/// As [`init`].
pub fn begin(settings: &Settings) -> Result<LevelHandle, LogError> {
    let (level, output) = (settings.level, &settings.output);
    let (filter, handle) = reload::Layer::new(targets(level));
    let (writer, file) = writer(output)?;
    let lines = lines(settings.format, settings.source_location, writer, reader(output));
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
    subscriber.try_init().map_err(|_| LogError::AlreadyBegun)?;
    if let Some(file) = file {
        // There is one log, and so one file: this is the first.
        let _ = FILE.set(file);
    }
    Ok(HANDLE.get_or_init(|| LevelHandle::new(handle, level)).clone())
}

/// The handle of this process's log; `None` when it has not begun.
pub fn level_handle() -> Option<LevelHandle> {
    HANDLE.get().cloned()
}

/// Goes on in the file that has the name of the log file now, which is made if it is missing: for programs that rename it
/// and then ask for this. False when this process does not log to a file.
///
/// # Errors
/// [`LogError::CannotOpen`]: the file that was open stays in use.
pub fn reopen() -> Result<bool, LogError> {
    match FILE.get() {
        Some(file) => file.reopen().map(|()| true),
        None => Ok(false),
    }
}

impl LevelHandle {
    fn new(filter: reload::Handle<Targets, Registry>, level: Level) -> Self {
        Self { filter, launch: level, current: Arc::new(Mutex::new(level)) }
    }

    /// Logs at `level` from now on.
    pub fn set(&self, level: Level) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // Fails only when the subscriber is gone: then nothing is logged at any level.
        let _ = self.filter.reload(targets(level));
        *current = level;
    }

    /// The level now.
    pub fn current(&self) -> Level {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The level at which logging began.
    pub fn launch(&self) -> Level {
        self.launch
    }
}

impl FromStr for Level {
    type Err = LogError;

    /// Reads a level in any case, and `warning` for warn, as SPIRE does.
    fn from_str(text: &str) -> Result<Self, LogError> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "error" => Self::Error,
            "warn" | "warning" => Self::Warn,
            "info" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return Err(LogError::UnknownLevel(text.to_owned())),
        })
    }
}

impl FromStr for Format {
    type Err = LogError;

    /// Reads `text` or `json` in any case.
    fn from_str(text: &str) -> Result<Self, LogError> {
        match text.to_ascii_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(LogError::UnknownFormat(text.to_owned())),
        }
    }
}

/// Our own rooms at `level`; libraries only when they warn, and in full at trace.
fn targets(level: Level) -> Targets {
    let (ours, others) = match level {
        Level::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
        Level::Warn => (LevelFilter::WARN, LevelFilter::WARN),
        Level::Info => (LevelFilter::INFO, LevelFilter::WARN),
        Level::Debug => (LevelFilter::DEBUG, LevelFilter::INFO),
        Level::Trace => (LevelFilter::TRACE, LevelFilter::TRACE),
    };
    Targets::new().with_default(others).with_target("finial", ours)
}

/// Who reads the lines.
#[derive(Clone, Copy)]
enum Reader {
    /// A person at a terminal.
    Person { colours: bool },
    /// A program.
    Program,
}

fn lines<S, W>(format: Format, source: bool, writer: W, reader: Reader) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let clock = Clock::system();
    match (format, reader) {
        (Format::Text, Reader::Person { colours }) => {
            layer.with_ansi(colours).fmt_fields(Fields).event_format(Text::new(clock, source)).boxed()
        }
        (Format::Text, Reader::Program) => {
            layer.fmt_fields(Pairs).event_format(Entry::new(clock, source)).boxed()
        }
        (Format::Plain, _) => layer.event_format(Plain::new(clock)).boxed(),
        (Format::Json, _) => {
            layer.fmt_fields(JsonFields::new()).event_format(Json::new(clock, source)).boxed()
        }
    }
}

fn writer(output: &Output) -> Result<(BoxMakeWriter, Option<LogFile>), LogError> {
    Ok(match output {
        Output::Stdout => (BoxMakeWriter::new(io::stdout), None),
        Output::Stderr => (BoxMakeWriter::new(io::stderr), None),
        Output::File(path) => {
            let file = LogFile::open(path)?;
            (BoxMakeWriter::new(file.clone()), Some(file))
        }
    })
}

fn reader(output: &Output) -> Reader {
    let is_terminal = match output {
        Output::Stdout => io::stdout().is_terminal(),
        Output::Stderr => io::stderr().is_terminal(),
        Output::File(_) => false,
    };
    match is_terminal {
        true => Reader::Person { colours: wants_colours(|name| std::env::var(name).ok()) },
        false => Reader::Program,
    }
}

/// <https://no-color.org>: any value but the empty one means no.
fn wants_colours(variable: impl Fn(&str) -> Option<String>) -> bool {
    let refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && variable("TERM").as_deref() != Some("dumb")
}

//! What lines look like, and which are written.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, reload};

use super::file::LogFile;
use super::plain::Plain;
use super::{Format, Level, LevelHandle, LogError, Output, Reader, lines, targets, wants_colours, writer};
use crate::Clock;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PERSON: Reader = Reader::Person { colours: false };

/// What `work` logs, and a handle to the level meanwhile.
fn written(level: Level, format: Format, reader: Reader, work: impl FnOnce(LevelHandle)) -> String {
    located(level, format, reader, false, work)
}

/// The same, with the place in the source or without.
fn located(
    level: Level,
    format: Format,
    reader: Reader,
    source: bool,
    work: impl FnOnce(LevelHandle),
) -> String {
    let page = Page::default();
    let (filter, handle) = reload::Layer::new(targets(level));
    let writer = page.clone();
    let layer = lines(format, source, move || writer.clone(), reader).with_filter(filter);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        work(LevelHandle::new(handle, level));
    });
    String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
}

fn text(work: impl FnOnce()) -> String {
    let line = written(Level::Info, Format::Text, PERSON, |_| work());
    let (time, rest) = line.split_once(' ').unwrap();
    assert_eq!(time.len(), "2006-01-02T15:04:05.000Z".len(), "{time}");
    time.parse::<jiff::Timestamp>().unwrap();
    rest.to_owned()
}

#[test]
fn text_line_is_time_level_message_and_values() {
    let id = "spiffe://example.org/web";
    let line = text(|| tracing::info!(spiffe_id = %id, ttl_s = 3600, ok = true, "an identity was issued"));
    assert_eq!(line, "info  an identity was issued spiffe_id=spiffe://example.org/web ttl_s=3600 ok=true\n");
}

#[test]
fn fields_of_the_spans_around_follow() {
    let line = text(|| {
        let _outer = tracing::info_span!("task", task = "rotation").entered();
        let _inner = tracing::info_span!("slot", slot = "A").entered();
        tracing::warn!("slow");
    });
    assert_eq!(line, "warn  slow slot=A task=rotation\n");
}

#[test]
fn values_that_would_mislead_are_quoted_and_messages_stay_on_one_line() {
    let line = text(|| tracing::error!(reason = "a b=\"c\"\n", empty = "", "first\nsecond \x1b[31m"));
    assert_eq!(line, "error first\\nsecond \\u{1b}[31m reason=\"a b=\\\"c\\\"\\n\" empty=\"\"\n");
}

#[test]
fn errors_are_written_with_their_causes() {
    let path = std::path::PathBuf::from("/x");
    let error = LogError::CannotOpen { path, source: io::Error::other("no such thing") };
    let line = text(|| tracing::error!(error = &error as &dyn std::error::Error, "cannot log"));
    assert!(line.ends_with(": no such thing\"\n") && line.contains("log file /x"), "{line}");
}

#[test]
fn colours_only_when_asked_for() {
    let log =
        |colours| written(Level::Info, Format::Text, Reader::Person { colours }, |_| tracing::warn!("x"));
    assert!(log(true).contains("\x1b[33mwarn \x1b[0m x\n"));
    assert!(!log(false).contains('\x1b'));
}

#[test]
fn no_color_and_dumb_terminals_are_respected() {
    let with = |name: &'static str, value: &'static str| {
        wants_colours(move |asked| (asked == name).then(|| value.to_owned()))
    };
    assert!(wants_colours(|_| None));
    assert!(with("NO_COLOR", "") && with("TERM", "xterm"));
    assert!(!with("NO_COLOR", "1") && !with("TERM", "dumb"));
}

#[test]
fn json_line_is_one_object_with_the_values_at_the_top() {
    let log = located(Level::Info, Format::Json, PERSON, true, |_| {
        let _span = tracing::info_span!("task", task = "rotation", ttl_s = 1).entered();
        tracing::info!(ttl_s = 3600, ok = true, level = "mine", id = %"é\"", "a \"quoted\"\nline");
    });
    assert_eq!(log.lines().count(), 1);
    let mut object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&log).unwrap();
    let time = object.remove("time").unwrap();
    time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let file = object.remove("file").unwrap();
    assert!(file.as_str().unwrap().contains("log/tests.rs:"), "{file}");
    let expected = serde_json::json!({
        "level": "info",
        "msg": "a \"quoted\"\nline",
        "ttl_s": 3600,
        "ok": true,
        "fields.level": "mine",
        "id": "é\"",
        "task": "rotation",
        "func": "finial_daemon::log::tests",
    });
    assert_eq!(serde_json::Value::Object(object), expected);
}

#[test]
fn level_can_be_changed_while_running_and_libraries_are_quieter() {
    let log = written(Level::Info, Format::Text, PERSON, |handle| {
        tracing::debug!("one");
        tracing::info!(target: "h2", "two");
        tracing::warn!(target: "h2", "three");
        handle.set(Level::Debug);
        tracing::debug!("four");
        tracing::debug!(target: "h2", "five");
        handle.set(Level::Error);
        assert_eq!((handle.current(), handle.launch()), (Level::Error, Level::Info));
        tracing::warn!("six");
    });
    let messages: Vec<_> = log.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(messages, ["three", "four"]);
}

#[test]
fn levels_and_formats_are_read_in_any_case() {
    for (text, level) in [("ERROR", Level::Error), ("Warning", Level::Warn), ("warn", Level::Warn)] {
        assert_eq!(text.parse::<Level>().unwrap(), level);
    }
    assert_eq!("JSON".parse::<Format>().unwrap(), Format::Json);
    let error = "loud".parse::<Level>().unwrap_err().to_string();
    assert_eq!(error, "unknown log level `loud`: use error, warn, info, debug or trace");
    assert_eq!(
        "xml".parse::<Format>().unwrap_err().to_string(),
        "unknown log format `xml`: use text or json"
    );
}

#[test]
fn log_file_is_appended_to_and_a_bad_path_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    std::fs::write(&path, "earlier\n").unwrap();
    let to_file = lines(Format::Text, false, LogFile::open(&path).unwrap(), PERSON);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(to_file), || {
        tracing::warn!("later");
    });
    let content = std::fs::read_to_string(&path).unwrap();
    assert!(content.starts_with("earlier\n") && content.ends_with(" later\n"), "{content}");
    let error = writer(&Output::File(folder.path().join("absent/server.log"))).err().unwrap();
    assert!(error.to_string().contains("absent/server.log"), "{error}");
}

#[test]
fn renamed_log_file_is_left_when_it_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("server.log"), folder.path().join("server.log.1"));
    let file = LogFile::open(&path).unwrap();
    let to_file = lines(Format::Text, false, file.clone(), PERSON);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(to_file), || {
        tracing::warn!("one");
        std::fs::rename(&path, &old).unwrap();
        tracing::warn!("two");
        file.reopen().unwrap();
        tracing::warn!("three");
    });
    let words = |path| {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((words(&old), words(&path)), (vec!["one".into(), "two".into()], vec!["three".into()]));
}

#[test]
fn log_file_that_cannot_be_opened_anew_goes_on_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let mut file = LogFile::open(&inner.join("log")).unwrap();
    std::fs::rename(&inner, folder.path().join("moved")).unwrap();
    assert!(file.reopen().unwrap_err().to_string().contains("inner/log"));
    file.write_all(b"still here").unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("moved/log")).unwrap(), "still here");
}

/// A line in the form of logrus, after its time.
fn entry(source: bool, work: impl FnOnce()) -> String {
    let line = located(Level::Info, Format::Text, Reader::Program, source, |_| work());
    let (time, rest) = line.strip_prefix("time=\"").unwrap().split_once("\" ").unwrap();
    time.parse::<jiff::Timestamp>().unwrap();
    rest.to_owned()
}

#[test]
fn text_for_programs_is_that_of_logrus() {
    let id = "spiffe://example.org/web";
    let line = entry(false, || {
        let _span = tracing::info_span!("task", task = "rotation of x").entered();
        tracing::warn!(spiffe_id = %id, ttl_s = 3600, ok = true, empty = "", "Agent\ncrashed \"é\" \x1b\u{85}");
    });
    assert_eq!(
        line,
        "level=warning msg=\"Agent\\ncrashed \\\"é\\\" \\x1b\\u0085\" spiffe_id=\"spiffe://example.org/web\" \
         ttl_s=3600 ok=true empty= task=\"rotation of x\"\n"
    );
    assert_eq!(entry(false, || tracing::error!("Stopped")), "level=error msg=Stopped\n");
    let error = LogError::CannotOpen { path: "/x".into(), source: io::Error::other("no such thing") };
    let line = entry(false, || tracing::error!(error = &error as &dyn std::error::Error, "no"));
    assert!(line.ends_with(": no such thing\"\n"), "{line}");
}

#[test]
fn source_location_is_told_when_it_is_asked_for() {
    let line = entry(true, || tracing::info!("x"));
    let file = line.strip_prefix("level=info func=\"finial_daemon::log::tests\" file=\"").unwrap();
    assert!(file.contains("src/log/tests.rs:") && file.ends_with("\" msg=x\n"), "{line}");
    let line = located(Level::Info, Format::Text, PERSON, true, |_| tracing::info!("x"));
    assert!(line.contains(" x file=") && line.contains("src/log/tests.rs:"), "{line}");
}

/// What a line of the form of Go's `log` says after process and time, which are at `2027-01-15T08:00:00.000012Z`.
fn plain(work: impl FnOnce()) -> String {
    let start = "2027-01-15T08:00:00.000012Z".parse::<jiff::Timestamp>().unwrap();
    let (clock, _hand) = Clock::manual(start.into());
    let page = Page::default();
    let (writer, form) =
        (page.clone(), Plain::with(clock, jiff::tz::TimeZone::fixed(jiff::tz::offset(1)), 42));
    let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).event_format(form);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    let line = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    line.strip_prefix("[42] 2027/01/15 09:00:00.000012 ").unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[test]
fn line_of_gos_log_is_process_local_time_and_message_without_values() {
    let line = plain(|| {
        let _span = tracing::info_span!("task", task = "pipe").entered();
        tracing::info!(forwarded = 17, "closed pipe: a <-> b [forwarded 17 bytes]");
    });
    assert_eq!(line, "closed pipe: a <-> b [forwarded 17 bytes]\n");
}

#[test]
fn line_of_gos_log_tells_reasons_with_their_causes_and_stays_one_line() {
    let line =
        plain(|| tracing::warn!(rpc = "FetchX509SVID", reason = "no agent", wait_ms = 100, "trying again"));
    assert_eq!(line, "trying again: no agent\n");
    let path = std::path::PathBuf::from("/x");
    let error = LogError::CannotOpen { path, source: io::Error::other("no such\nthing") };
    let line = plain(|| tracing::warn!(cause = &error as &dyn std::error::Error, "cannot log"));
    assert!(line.starts_with("cannot log: cannot open the log file /x"), "{line}");
    assert!(line.ends_with(": no such\\nthing\n"), "{line}");
    assert_eq!(
        plain(|| tracing::warn!(error = %LogError::AlreadyBegun, "no")),
        "no: logging has already begun in this process\n"
    );
}

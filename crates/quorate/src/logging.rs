//! The log: lines as etcd writes them, so that what reads etcd's log reads ours.
//!
//! ```text
//!   json     {"level":"info","ts":"2026-11-21T21:13:06.875058Z","caller":"server/etcd.rs:12","msg":"…","name":"m1"}
//!   console  2026-11-21T21:13:06.875058Z   info   server/etcd.rs:12   …   {"name":"m1"}
//! ```

use serde_json::{Map, Value};
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// What etcd's flags say about the log.
pub(crate) struct Settings {
    /// --log-level.
    pub(crate) level: String,
    /// --log-format=console.
    pub(crate) console: bool,
    /// --log-outputs.
    pub(crate) outputs: Vec<String>,
}

/// Begins to log, for the rest of the process.
pub(crate) fn start(settings: &Settings) -> Result<(), String> {
    let level = match settings.level.as_str() {
        "debug" => LevelFilter::DEBUG,
        "info" => LevelFilter::INFO,
        "warn" => LevelFilter::WARN,
        _ => LevelFilter::ERROR,
    };
    let outputs = settings.outputs.iter().map(|output| Output::open(output)).collect::<Result<Vec<_>, _>>()?;
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(Outputs(Mutex::new(outputs)))
        .event_format(Lines { console: settings.console })
        .finish();
    tracing::subscriber::set_global_default(subscriber).map_err(|error| error.to_string())
}

enum Output {
    Stdout,
    Stderr,
    File(std::fs::File),
}

impl Output {
    fn open(name: &str) -> Result<Output, String> {
        match name {
            "stdout" => Ok(Output::Stdout),
            // Under systemd, etcd's default is the journal, which is where standard error goes.
            "default" | "stderr" | "systemd/journal" => Ok(Output::Stderr),
            path => OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map(Output::File)
                .map_err(|error| format!("--log-outputs {path:?} cannot be opened: {error}")),
        }
    }
}

/// Writes each line to every output.
struct Outputs(Mutex<Vec<Output>>);

impl<'a> MakeWriter<'a> for Outputs {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

struct Line<'a>(&'a Outputs);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let mut outputs = self.0.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for output in outputs.iter_mut() {
            // A log that cannot be written must not stop a member.
            let _ = match output {
                Output::Stdout => std::io::stdout().write_all(line),
                Output::Stderr => std::io::stderr().write_all(line),
                Output::File(file) => file.write_all(line),
            };
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Lines {
    console: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (level, caller) = (level(metadata), caller(metadata));
        if self.console {
            write!(writer, "{time}\t{level}\t{caller}\t{}", fields.message)?;
            if !fields.others.is_empty() {
                write!(writer, "\t{}", Value::Object(fields.others))?;
            }
            return writeln!(writer);
        }
        let text = |text: String| Value::String(text);
        write!(writer, r#"{{"level":"{level}","ts":{},"caller":{},"msg":{}"#, text(time), text(caller), text(fields.message))?;
        for (name, value) in fields.others {
            write!(writer, ",{}:{value}", text(name))?;
        }
        writeln!(writer, "}}")
    }
}

fn level(metadata: &Metadata<'_>) -> &'static str {
    match *metadata.level() {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        _ => "debug",
    }
}

/// The last folder, the file and the line, as zap's short caller.
fn caller(metadata: &Metadata<'_>) -> String {
    let file = metadata.file().unwrap_or("");
    let start = file.rmatch_indices('/').nth(1).map_or(0, |(slash, _)| slash + 1);
    format!("{}:{}", &file[start..], metadata.line().unwrap_or(0))
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        // etcd writes member-id where Rust's fields can only be called member_id.
        self.others.insert(field.name().replace('_', "-"), value);
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            _ => self.put(field, value.into()),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            _ => self.put(field, format!("{value:?}").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line looks like that goes to a file.
    fn line(console: bool) -> String {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let path = folder.path().join("log");
        let output = Output::open(path.to_str().expect("plain letters")).expect("the temporary folder can be written");
        let subscriber =
            tracing_subscriber::fmt().with_writer(Outputs(Mutex::new(vec![output]))).event_format(Lines { console }).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(member_id = "8e9e05c52164694d", term = 2, "ready to serve \"client\" requests");
        });
        std::fs::read_to_string(&path).expect("the line was written")
    }

    #[test]
    fn a_line_has_etcds_keys_in_etcds_order() {
        let line = line(false);
        let parsed: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(parsed["msg"], "ready to serve \"client\" requests");
        assert_eq!(
            (&parsed["level"], &parsed["member-id"], &parsed["term"]),
            (&"info".into(), &"8e9e05c52164694d".into(), &2.into())
        );
        assert!(line.starts_with(r#"{"level":"info","ts":""#), "{line}");
        assert!(parsed["caller"].as_str().is_some_and(|caller| caller.starts_with("src/logging.rs:")), "{line}");
        assert!(parsed["ts"].as_str().is_some_and(|time| time.len() == 27 && time.ends_with('Z')), "{line}");
    }

    #[test]
    fn a_line_for_people_has_its_parts_apart_by_tabs() {
        let line = line(true);
        let parts: Vec<&str> = line.trim_end().split('\t').collect();
        assert_eq!(
            (parts[1], parts[3], parts[4]),
            ("info", "ready to serve \"client\" requests", r#"{"member-id":"8e9e05c52164694d","term":2}"#)
        );
    }
}

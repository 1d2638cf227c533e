//! Where log lines go: to stderr, or to a file while a live view has the terminal.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use tickertape_broker::loggers;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// What is logged unless `RUST_LOG` says otherwise. The AWS SDK warns of each place where it finds no credentials or region; s3s reports every refused condition and every missing key as an error; the S3
/// server logs what really failed by itself.
const DEFAULT_FILTER: &str = "warn,tickertape=info,tickertape_broker=info,tickertape_producer=info,tickertape_consumer=info,\
                              tickertape_lake=info,s3s=off,aws_config=error";

static FILE: Mutex<Option<File>> = Mutex::new(None);

/// Starts logging to stderr; `RUST_LOG` says how much.
pub(crate) fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let base = filter.to_string();
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Target)
        .with_ansi(io::stderr().is_terminal())
        .compact()
        .with_filter_reloading();
    let handle = logging.reload_handle();
    loggers::changed_by(base, move |filter| handle.reload(EnvFilter::new(filter)).is_ok());
    logging.init();
}

/// While it lives, log lines go to a file.
pub(crate) struct ToFile;

impl ToFile {
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn open(path: &Path) -> anyhow::Result<ToFile> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot open the log {}", path.display()))?;
        *FILE.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(ToFile)
    }
}

impl Drop for ToFile {
    fn drop(&mut self) {
        *FILE.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Looks at each line where lines go now.
struct Target;

impl<'a> MakeWriter<'a> for Target {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line
    }
}

struct Line;

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match FILE.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(file) => file.write(bytes),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match FILE.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(file) => file.flush(),
            None => io::stderr().flush(),
        }
    }
}

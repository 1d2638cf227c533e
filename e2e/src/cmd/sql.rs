//! `tickertape sql`: one query, the statements of standard input, or a prompt with history.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use tickertape_lake::sql::{Cost, EngineKind, Interrupted, OutputFormat, QueryEngine, SqlOptions};
use tokio_util::sync::CancellationToken;

use crate::lake_access;
use crate::signals::INTERRUPTED;

const EXAMPLES: &str = "Examples:
  tickertape sql \"SELECT symbol, max(price) FROM ticks WHERE dt = '2012-06-01' GROUP BY symbol\"
  tickertape sql --format csv \"SELECT * FROM bars ORDER BY date LIMIT 10\" > bars.csv
  tickertape sql --data-dir ./demo \"SHOW TABLES\"       a stopped demo's directory
  tickertape sql                                       a prompt; statements end with ;
  tickertape sql --engine athena --workgroup market --database market \\
    \"SELECT symbol, count(*) FROM ticks WHERE dt = '2012-06-01' GROUP BY symbol\"
                                                       Amazon Athena; Ctrl-C stops it there too";

/// Query the lake by SQL.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    sql: SqlOptions,
    /// The directory of a stopped demo or S3 server, instead of a running one.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["s3_endpoint", "engine"])]
    data_dir: Option<PathBuf>,
}

/// Runs the query, or what is typed.
pub(crate) async fn run(mut options: Options, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let (engine, server): (Box<dyn QueryEngine>, _) = match &options.data_dir {
        Some(dir) => {
            let server = lake_access::serve_directory(dir).await?;
            let engine = lake_access::engine_of(&server).in_database(&options.sql.catalog.database());
            (Box::new(engine), Some(server))
        }
        None => {
            if options.sql.engine == EngineKind::Local {
                lake_access::prefer_local(&mut options.sql.s3);
            }
            (options.sql.engine().await?, None)
        }
    };
    let done = ask(engine.as_ref(), &options.sql, &shutdown).await;
    if let Some(server) = server {
        server.shutdown().await?;
    }
    match done {
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("{error:#}");
            Ok(ExitCode::from(INTERRUPTED))
        }
        done => done,
    }
}

async fn ask(engine: &dyn QueryEngine, options: &SqlOptions, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    if let Some(query) = &options.query {
        answer(engine, query, options.format, stop).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if std::io::stdin().is_terminal() {
        return prompt(engine, options.format, stop).await;
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("cannot read standard input")?;
    for statement in statements(&text) {
        answer(engine, &statement, options.format, stop).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn answer(
    engine: &dyn QueryEngine,
    query: &str,
    format: OutputFormat,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let answer = engine.answer(query, stop).await?;
    match answer.write(format, &mut std::io::stdout().lock()) {
        // Nobody reads any more, as after `| head`.
        Err(error) if is_broken_pipe(&error) => {}
        written => written?,
    }
    // What costs money is always said.
    if format == OutputFormat::Table || matches!(answer.cost, Cost::Athena(_)) {
        let seconds = answer.elapsed.as_secs_f64();
        eprintln!("{} rows in {seconds:.3} s ({})", answer.rows(), answer.cost);
    }
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(broken))
}

async fn prompt(engine: &dyn QueryEngine, format: OutputFormat, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    let mut editor = DefaultEditor::new()?;
    let history = history_path();
    if let Some(path) = history.as_deref().filter(|path| path.exists()) {
        editor
            .load_history(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    eprintln!("tickertape sql: statements end with `;`, SHOW TABLES lists what there is, Ctrl-D leaves");
    let mut pending = String::new();
    loop {
        let mark = if pending.is_empty() { "sql> " } else { "...> " };
        let line = match tokio::task::block_in_place(|| editor.readline(mark)) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                pending.clear();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("cannot read the prompt"),
        };
        if pending.is_empty() && matches!(line.trim(), "exit" | "quit" | "\\q") {
            break;
        }
        pending.push_str(&line);
        pending.push('\n');
        if !line.trim_end().ends_with(';') {
            continue;
        }
        editor.add_history_entry(pending.trim())?;
        for statement in statements(&std::mem::take(&mut pending)) {
            match answer(engine, &statement, format, stop).await {
                Err(error) if error.is::<Interrupted>() => return Err(error),
                Err(error) => eprintln!("error: {error:#}"),
                Ok(()) => {}
            }
        }
    }
    if let Some(path) = history {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        editor
            .save_history(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `$XDG_STATE_HOME/tickertape/sql_history`, by the XDG base directory specification.
fn history_path() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("tickertape/sql_history"))
}

/// Cuts a text into statements at each `;` outside quotes and comments.
fn statements(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut quote: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (None, '\'' | '"') => quote = Some(char),
            (Some(open), close) if open == close => quote = None,
            (None, '-') if chars.peek() == Some(&'-') => {
                while chars.peek().is_some_and(|next| *next != '\n') {
                    chars.next();
                }
                continue;
            }
            (None, ';') => {
                statements.push(std::mem::take(&mut current));
                continue;
            }
            _ => {}
        }
        current.push(char);
    }
    statements.push(current);
    statements.retain(|statement| !statement.trim().is_empty());
    statements
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn statements_end_at_semicolons_outside_quotes_and_comments() {
        let cut = statements("SELECT ';' AS a; -- one; two\nSELECT \"b;\" FROM t ;\n");
        assert_eq!(cut.len(), 2);
        assert_eq!(cut[0], "SELECT ';' AS a");
        assert!(cut[1].contains("\"b;\""));
        assert!(statements(" ;; \n").is_empty());
    }
}

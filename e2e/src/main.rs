//! The `tickertape` binary: a Kafka-compatible broker, a market feed, a sink to S3, a lake and SQL, each as a subcommand
//! and all of them in one process (`tickertape demo`).
//!
//! This crate only puts the rooms together. What a part does, and which options it takes, stands in the part's own crate;
//! what a subcommand does beyond that stands in one file of [`cmd`].
//!
//! Exit codes: 0 done; 1 something failed (a store stayed away, rows are missing); 2 the user asked for something that
//! cannot be (an unknown option, file, column, topic or bucket), with the nearest name that exists.

mod chaos;
mod cmd;
mod demo;
mod lake_access;
mod logs;
mod quiet;
mod registrar;
mod signals;
mod verify;

use std::process::ExitCode;

use clap::Parser;

/// Real-time market data on Kafka, self-contained.
#[derive(Parser)]
#[command(
    name = "tickertape",
    version,
    about = "Real-time market data on Kafka, self-contained: broker, feed, sink, S3, catalog and SQL",
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: cmd::Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.command.before_threads();
    logs::init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&anyhow::Error::new(error).context("cannot start the runtime")),
    };
    let result = runtime.block_on(async {
        let shutdown = signals::shutdown_on_signal()?;
        cli.command.run(shutdown).await
    });
    // A blocked reader of standard input must not hold the exit.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(tickertape_client::exit_code(error))
}

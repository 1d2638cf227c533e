//! Maintenance of this repository: `cargo xtask <command>`, from anywhere within it.
//!
//! Each command is a module of its own. Nothing here is part of what users run.

mod bench;
mod configs;
mod deploy;
mod hostile;
mod kafka_libs;
mod shapes;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Maintenance of this repository")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write broker/src/wire/shapes anew from the message definitions in Apache Kafka's client library
    Shapes(shapes::Options),
    /// Write broker/src/config/apache anew from Apache Kafka's definitions of its properties
    Configs(configs::Options),
    /// Write the generated pages of docs/ anew
    Docs,
    /// Measure ours beside Apache Kafka, and write docs/benchmarks.md
    Bench(bench::Options),
    /// Put the files of deploy/ into CloudFormation's template anew
    Deploy {
        /// Write nothing: fail if the template has other files
        #[arg(long)]
        check: bool,
    },
    /// Send the broker a million hostile frames, or more, or those of a seed again
    Hostile(hostile::HostileOptions),
    /// Perform histories under faults, and judge them
    Histories(hostile::HistoriesOptions),
    /// Fetch Apache Kafka's jars by Maven into the cache, and print their directory
    KafkaLibs,
    /// Start Apache Kafka as the tests do, until Ctrl-C
    Kafka {
        /// Passed on: `--port`, `--set NAME=VALUE`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Args::parse().task {
        Task::Shapes(options) => shapes::run(&options),
        Task::Configs(options) => configs::run(&options),
        Task::Docs => docs(),
        Task::Bench(options) => bench::run(&options),
        Task::Deploy { check } => deploy::run(check),
        Task::Hostile(options) => hostile::hostile(&options),
        Task::Histories(options) => hostile::histories(&options),
        Task::KafkaLibs => kafka_libs::run(),
        Task::Kafka { arguments } => judge("kafka", &arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The pages are compared by tests beside what they derive from; told to, those tests write them instead.
fn docs() -> anyhow::Result<()> {
    for (package, test) in [
        ("tickertape-broker", "generated_docs"),
        ("tickertape-judge", "answers_are_apache_kafkas"),
    ] {
        run(cargo()
            .args(["test", "--quiet", "--package", package, "--test", "it", test])
            .env("TICKERTAPE_WRITE_DOCS", "1")
            .current_dir(root()))?;
    }
    Ok(())
}

/// What the judge's own program does, which knows Apache Kafka.
fn judge(command: &str, arguments: &[String]) -> anyhow::Result<()> {
    run(cargo()
        .args(["run", "--quiet", "--package", "tickertape-judge", "--", command])
        .args(arguments)
        .current_dir(root()))
}

/// The top of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Cargo, as if it were called from the shell: what the outer one says of this package makes build scripts run again, and
/// half of the dependencies with them.
fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix));
        if of_package {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs a command whose output is the user's to see; an unsuccessful end is an error.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot run {name}"))?;
    anyhow::ensure!(status.success(), "{name}: {status}");
    Ok(())
}

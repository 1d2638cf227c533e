//! `cargo xtask bench --beside kafka`: builds what is measured, then has the judge measure, which knows Apache Kafka.

use std::path::PathBuf;
use std::process::Command;

use clap::ValueEnum;

/// Options of the command.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What ours is measured beside
    #[arg(long, value_enum, default_value_t)]
    beside: Beside,
    /// Print the page instead of writing docs/benchmarks.md
    #[arg(long)]
    print: bool,
    /// Passed on: `--rounds`, `--megabytes`, `--seconds-max`
    #[arg(last = true)]
    arguments: Vec<String>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Beside {
    /// Apache Kafka, which needs Java 17 and the jars (`cargo xtask kafka-libs`)
    #[default]
    Kafka,
}

/// Builds and measures.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let Beside::Kafka = options.beside;
    let packages = ["tickertape", "tickertape-broker", "tickertape-judge"];
    let mut build = crate::cargo();
    build.args(["build", "--release", "--bins"]).current_dir(crate::root());
    for package in packages {
        build.args(["--package", package]);
    }
    crate::run(&mut build)?;
    let binaries = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => crate::root().join(PathBuf::from(target)),
        None => crate::root().join("target"),
    }
    .join("release");
    let mut bench = Command::new(binaries.join("tickertape-judge"));
    bench.arg("bench").arg("--binaries").arg(&binaries);
    if !options.print {
        bench.arg("--page").arg(crate::root().join("docs/benchmarks.md"));
    }
    crate::run(bench.args(&options.arguments))
}

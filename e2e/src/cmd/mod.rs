//! One subcommand, one file.

pub(crate) mod bench;
pub(crate) mod cat;
pub(crate) mod produce;
pub(crate) mod s3;
pub(crate) mod topic;

use std::process::ExitCode;

use clap::Subcommand;
use tokio_util::sync::CancellationToken;

/// What `tickertape` can be asked to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    Bench(bench::BenchOptions),
    #[command(subcommand)]
    Topic(topic::TopicCommand),
    Produce(produce::Options),
    Cat(cat::CatOptions),
    S3(s3::Options),
}

impl Command {
    /// Runs the subcommand until it is done or `shutdown` is cancelled.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        match self {
            Command::Bench(options) => bench::run(options, shutdown).await,
            Command::Topic(command) => topic::run(command, shutdown).await,
            Command::Produce(options) => produce::run(options, shutdown).await,
            Command::S3(options) => s3::run(options, shutdown).await,
            Command::Cat(options) => cat::run(options, shutdown).await,
        }
    }
}

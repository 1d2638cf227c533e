//! One subcommand, one file.

pub(crate) mod bench;
pub(crate) mod broker;
pub(crate) mod cat;
pub(crate) mod chaos;
pub(crate) mod consume;
pub(crate) mod crawl;
pub(crate) mod demo;
pub(crate) mod log;
pub(crate) mod produce;
pub(crate) mod s3;
pub(crate) mod sql;
pub(crate) mod topic;
pub(crate) mod verify;

use std::process::ExitCode;

use clap::Subcommand;
use tokio_util::sync::CancellationToken;

/// What `tickertape` can be asked to do, in the order of the README and of `--help`.
#[derive(Subcommand)]
pub(crate) enum Command {
    Demo(demo::DemoOptions),
    Broker(broker::Options),
    #[command(subcommand)]
    Topic(topic::TopicCommand),
    Produce(produce::Options),
    Consume(consume::Options),
    Cat(cat::CatOptions),
    S3(s3::Options),
    Crawl(crawl::Options),
    Sql(sql::Options),
    Verify(verify::Options),
    Chaos(chaos::Options),
    #[command(subcommand)]
    Log(log::LogCommand),
    Bench(bench::BenchOptions),
}

impl Command {
    /// What has to happen while the process has one thread.
    pub(crate) fn before_threads(&self) {
        if let Command::Consume(_) = self {
            consume::keep_memory_together();
        }
    }

    /// Runs the subcommand until it is done or `shutdown` is cancelled.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        match self {
            Command::Chaos(options) => chaos::run(options, shutdown).await,
            Command::Bench(options) => bench::run(options, shutdown).await,
            Command::Topic(command) => topic::run(command, shutdown).await,
            Command::Log(command) => log::run(command, shutdown).await,
            Command::Broker(options) => broker::run(options, shutdown).await,
            Command::Consume(options) => consume::run(options, shutdown).await,
            Command::Demo(options) => demo::run(options, shutdown).await,
            Command::Crawl(options) => crawl::run(options, shutdown).await,
            Command::Produce(options) => produce::run(options, shutdown).await,
            Command::Sql(options) => sql::run(options, shutdown).await,
            Command::Verify(options) => verify::run(options, shutdown).await,
            Command::S3(options) => s3::run(options, shutdown).await,
            Command::Cat(options) => cat::run(options, shutdown).await,
        }
    }
}

//! `tickertape chaos`: everything goes wrong, and nothing is lost or doubled.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum as _};
use tickertape_consumer::Break;
use tokio_util::sync::CancellationToken;

use crate::chaos::{self, Settings};

const EXAMPLES: &str = "Examples:
  tickertape chaos
  tickertape chaos --rounds 1000
  tickertape chaos --seed 42 --dir /tmp/chaos     the same faults again, everything kept

Exit code 0: no row was missing or doubled at any moment, nor at the end.
1: one was; the directory is kept.";

/// Kill, freeze and cut off broker, store and sinks, and prove that nothing is lost or doubled
///
/// Starts a broker, an S3 server, a feed and two sinks as processes of their own, on free ports of this machine. Each round
/// kills, freezes or stops one of them, cuts connections, or makes S3 fail, be slow, or succeed without answering. Meanwhile a
/// reader lists and reads the lake and compares it with what is committed; at the end each record is compared with its row.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// How many rounds are played
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,

    /// The same seed makes the same faults [default: another each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Where everything is kept [default: a temporary directory, which is removed when all is well]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Events per second
    #[arg(long, value_name = "N", default_value_t = 1_500, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    /// Break the sinks on purpose: chaos has to notice.
    #[arg(long, hide = true, value_name = "HOW", value_enum)]
    break_sinks: Option<Break>,
}

/// Plays the rounds and says how it went.
pub(crate) async fn run(options: Options, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let seed = options.seed.unwrap_or_else(|| rand::random_range(0..1_000_000));
    let temporary = tempfile::Builder::new().prefix("tickertape-chaos-").tempdir()?;
    let dir = options.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    println!("seed {seed}, in {}", dir.display());
    let broken = options.break_sinks.and_then(|how| how.to_possible_value());
    let broken = broken.map(|how| vec!["--break".to_owned(), how.get_name().to_owned()]);
    let settings = Settings {
        seed,
        rate: options.rate,
        sink_arguments: broken.unwrap_or_default(),
    };
    let played = chaos::run(&dir, options.rounds, settings, shutdown).await;
    let whole = matches!(&played, Ok(verdict) if verdict.violations.is_empty());
    if !whole && options.dir.is_none() {
        let kept = temporary.keep();
        eprintln!("everything is kept in {}", kept.display());
    }
    for violation in &played?.violations {
        println!("wrong: {violation}");
    }
    match whole {
        true => {
            println!("passed: no row was doubled or missing");
            Ok(ExitCode::SUCCESS)
        }
        false => {
            println!(
                "failed: again with `tickertape chaos --rounds {} --seed {seed}`",
                options.rounds
            );
            Ok(ExitCode::FAILURE)
        }
    }
}

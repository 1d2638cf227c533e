//! The judge as a program, for a person.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use tickertape_judge::apache::ApacheKafka;
use tickertape_judge::bench;
use tickertape_judge::both::Both;
use tickertape_judge::run::Runner;
use tickertape_judge::scenario::tally::Tally;
use tickertape_judge::scenario::{SMALLER_FOR, Stage, kept, of_seed};
use tickertape_judge::{cases, report};

/// Apache Kafka beside ours.
#[derive(Parser)]
#[command(name = "tickertape-judge", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Ask both the same, in every version, and print where the answers differ
    Requests {
        /// Only APIs whose name contains this; several with commas between them
        #[arg(long, default_value = "")]
        api: String,
        /// Only cases whose name contains this
        #[arg(long, default_value = "")]
        case: String,
        /// A broker that runs (host:port) in place of ours: another Apache Kafka shows what is for no broker to say
        #[arg(long, value_name = "ADDRESS")]
        ours: Option<String>,
    },
    /// Measure both in turn, and write docs/benchmarks.md
    Bench(bench::Options),
    /// Perform scenarios on both, and print where the answers, or what can be seen after, differ
    Scenarios {
        /// How many
        #[arg(long, default_value_t = 200)]
        count: u64,
        /// The first one's seed; each next one's is one more
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only those with an action of this name
        #[arg(long, value_name = "ACTION")]
        with: Option<String>,
        /// Make the first that fails as small as it gets, and stop there
        #[arg(long)]
        smallest: bool,
    },
    /// Start Apache Kafka as the tests do, and print where it listens; Ctrl-C ends it
    Kafka {
        /// Port to listen on; 0 takes a free one
        #[arg(long, default_value_t = 9092)]
        port: u16,
        /// Broker property; may be repeated
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = property)]
        properties: Vec<(String, String)>,
    },
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Requests { api, case, ours } => requests(&api, &case, ours.as_deref()),
        Command::Bench(options) => bench::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Scenarios {
            count,
            seed,
            with,
            smallest,
        } => scenarios(count, seed, with.as_deref(), smallest),
        Command::Kafka { port, properties } => kafka(port, &properties),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tickertape-judge: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn requests(api: &str, case: &str, ours: Option<&str>) -> anyhow::Result<ExitCode> {
    let both = match ours {
        Some(ours) => Both::connect(
            ours,
            ApacheKafka::shared().map_err(anyhow::Error::msg)?.bootstrap_servers(),
        ),
        None => Both::shared(),
    };
    let mut runner = Runner::new(both?);
    let judged = cases::run(&mut runner, api, case);
    print!("{}", report::text(&judged));
    let whole = api.is_empty() && case.is_empty();
    let unused = if whole { runner.lists.unused() } else { Vec::new() };
    for entry in &unused {
        println!("\nNOT NEEDED {entry}");
    }
    let good = report::defects(&judged).is_empty() && unused.is_empty();
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn scenarios(count: u64, seed: u64, with: Option<&str>, smallest: bool) -> anyhow::Result<ExitCode> {
    let mut stage = Stage::open(&mut Both::shared()?)?;
    let mut tally = Tally::default();
    let mut failures: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let began = Instant::now();
    for kept in kept::all()? {
        if let Err(failure) = stage.perform(None, &kept.actions, &mut tally) {
            println!("KEPT ({})\n{failure}", kept.showed);
            failures.entry(format!("kept: {}", kept.showed)).or_default();
        }
    }
    let wanted = |seed: &u64| with.is_none_or(|word| of_seed(*seed).iter().any(|action| action.name() == word));
    for seed in (seed..).filter(wanted).take(count as usize) {
        let Err(failure) = stage.perform_seed(seed, &mut tally) else {
            continue;
        };
        let kind = match &failure.found {
            Ok(found) => found.kind(),
            Err(error) => format!("{error:#}"),
        };
        if smallest || !failures.contains_key(&kind) {
            println!("{failure}");
        }
        if smallest {
            println!(
                "looking for a smaller one that fails so, for at most {} s",
                SMALLER_FOR.as_secs()
            );
            println!("{}", stage.smallest(seed, failure));
        }
        failures.entry(kind).or_default().push(seed);
        if smallest {
            break;
        }
    }
    println!("{tally}\n{:.1} s", began.elapsed().as_secs_f64());
    for (kind, seeds) in &failures {
        println!("{:>4} × {kind}: seeds {:?}", seeds.len(), &seeds[..seeds.len().min(5)]);
    }
    Ok(if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn kafka(port: u16, properties: &[(String, String)]) -> anyhow::Result<ExitCode> {
    let builder = properties
        .iter()
        .fold(ApacheKafka::builder().port(port), |builder, (name, value)| {
            builder.property(name, value)
        });
    let mut kafka = builder.start()?;
    eprintln!("its files are at {}; Ctrl-C ends it", kafka.dir().display());
    // Last: who waits for it may go on at once.
    println!("bootstrap.servers={}", kafka.bootstrap_servers());
    let status = kafka.wait()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

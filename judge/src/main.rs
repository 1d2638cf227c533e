//! The judge as a program, for a person.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tickertape_judge::apache::ApacheKafka;
use tickertape_judge::bench;
use tickertape_judge::both::Both;
use tickertape_judge::run::Runner;
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
        /// Only APIs whose name contains this
        #[arg(long, default_value = "")]
        api: String,
        /// Only cases whose name contains this
        #[arg(long, default_value = "")]
        case: String,
    },
    /// Measure both in turn, and write docs/benchmarks.md
    Bench(bench::Options),
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
        Command::Requests { api, case } => requests(&api, &case),
        Command::Bench(options) => bench::run(&options).map(|()| ExitCode::SUCCESS),
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

fn requests(api: &str, case: &str) -> anyhow::Result<ExitCode> {
    let mut runner = Runner::new(Both::shared()?);
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

fn kafka(port: u16, properties: &[(String, String)]) -> anyhow::Result<ExitCode> {
    let builder = properties
        .iter()
        .fold(ApacheKafka::builder().port(port), |builder, (name, value)| {
            builder.property(name, value)
        });
    let mut kafka = builder.start()?;
    println!("bootstrap.servers={}", kafka.bootstrap_servers());
    eprintln!("its files are at {}; Ctrl-C ends it", kafka.dir().display());
    let status = kafka.wait()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

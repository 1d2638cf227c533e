//! `cargo xtask hostile` and `cargo xtask histories`: the broker's longest tests by hand, longer, or again from a seed.

/// Options of `hostile`.
#[derive(clap::Args)]
pub(crate) struct HostileOptions {
    /// Frames to send
    #[arg(long, default_value_t = 1_000_000)]
    frames: u64,
    /// Of a run that is to be repeated
    #[arg(long)]
    seed: Option<u64>,
    /// Where in that run to begin; a round is one frame for each API and version
    #[arg(long)]
    from_round: Option<u64>,
    /// Only these APIs, by name
    #[arg(long, value_delimiter = ',')]
    api: Vec<String>,
    /// An optimised broker: four times as fast, and without checks for overflow
    #[arg(long)]
    release: bool,
}

/// Options of `histories`.
#[derive(clap::Args)]
pub(crate) struct HistoriesOptions {
    /// Histories to perform
    #[arg(long, default_value_t = 20)]
    count: u64,
    /// Of the first of them; each next one has the next number
    #[arg(long)]
    seed: Option<u64>,
    /// An optimised broker
    #[arg(long)]
    release: bool,
}

/// Sends hostile frames.
pub(crate) fn hostile(options: &HostileOptions) -> anyhow::Result<()> {
    let given = [
        ("TICKERTAPE_FRAMES", Some(options.frames.to_string())),
        ("TICKERTAPE_SEED", options.seed.map(|seed| seed.to_string())),
        (
            "TICKERTAPE_FROM_ROUND",
            options.from_round.map(|round| round.to_string()),
        ),
        ("TICKERTAPE_APIS", Some(options.api.join(","))),
    ];
    test("hostile::", options.release, &given)
}

/// Performs histories.
pub(crate) fn histories(options: &HistoriesOptions) -> anyhow::Result<()> {
    let given = [
        ("TICKERTAPE_HISTORIES", Some(options.count.to_string())),
        ("TICKERTAPE_SEED", options.seed.map(|seed| seed.to_string())),
    ];
    test("histories::", options.release, &given)
}

/// Runs some of the broker's socket tests, and shows what they print.
fn test(name: &str, release: bool, environment: &[(&str, Option<String>)]) -> anyhow::Result<()> {
    let mut cargo = crate::cargo();
    cargo
        .args(["test", "--quiet", "--package", "tickertape-broker", "--test", "it"])
        .current_dir(crate::root());
    if release {
        cargo.arg("--release");
    }
    for (name, value) in environment {
        if let Some(value) = value {
            cargo.env(name, value);
        }
    }
    crate::run(cargo.args(["--", "--nocapture", name]))
}

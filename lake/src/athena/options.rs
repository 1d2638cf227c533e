//! What the command line says about Athena.

use tickertape_client::s3::S3Url;

use super::cost::PRICE_PER_TB_DEFAULT;

/// How to ask Athena.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Athena options (with --engine athena)")]
pub struct AthenaOptions {
    /// The workgroup, which may bring an output location and limits of its own.
    #[arg(long, value_name = "NAME", default_value = "primary")]
    pub workgroup: String,

    /// Where Athena leaves its results [default: the workgroup's].
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    pub output: Option<S3Url>,

    /// What your region charges per TB scanned, in US dollars; for the cost that is printed.
    #[arg(long, value_name = "USD", default_value_t = PRICE_PER_TB_DEFAULT, value_parser = price)]
    pub price_per_tb: f64,
}

fn price(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(price) if price.is_finite() && price >= 0.0 => Ok(price),
        _ => Err("expected a price such as 5.00".to_owned()),
    }
}

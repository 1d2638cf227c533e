//! What a query costs: <https://aws.amazon.com/athena/pricing/>.
//!
//! Athena charges for the bytes that a query scans, rounded up to the next megabyte, 10 MB at least. DDL, failed queries
//! and results that were reused from an earlier query are free; a cancelled query is charged for what it had scanned.
//! Megabytes and terabytes are counted in powers of two. With reserved capacity a query has no price of its own.

use std::fmt;

use aws_sdk_athena::types::{QueryExecution, QueryExecutionState, StatementType};

/// US dollars per TB scanned, in most regions.
pub const PRICE_PER_TB_DEFAULT: f64 = 5.0;
/// What every query is charged for at least.
const BILLED_MB_MIN: u64 = 10;
const MB: u64 = 1 << 20;
const MB_PER_TB: f64 = (1_u64 << 20) as f64;

/// What a query scanned, and what Athena charges for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// The query's id, by which Athena's history knows it.
    pub query_id: String,
    /// Bytes that were read from S3.
    pub bytes: u64,
    /// Megabytes that are charged.
    pub billed_mb: u64,
    /// US dollars per TB that `cost` is reckoned with.
    pub price_per_tb: f64,
    /// Why nothing is charged, if so.
    pub free_because: Option<&'static str>,
    /// Rows that the statement wrote, where it wrote any.
    pub rows_written: i64,
}

impl Scan {
    /// Reckons with what Athena says about a query that has ended.
    pub(super) fn of(query_id: &str, execution: &QueryExecution, price_per_tb: f64) -> Scan {
        let statistics = execution.statistics();
        let bytes = statistics.and_then(|s| s.data_scanned_in_bytes()).unwrap_or(0).max(0) as u64;
        let reused = statistics.and_then(|s| s.result_reuse_information());
        let state = execution.status().and_then(|status| status.state());
        let free_because = if execution.statement_type() == Some(&StatementType::Ddl) {
            Some("DDL is free")
        } else if state == Some(&QueryExecutionState::Failed) {
            Some("failed queries are free")
        } else if reused.is_some_and(|reused| reused.reused_previous_result()) {
            Some("an earlier result was reused")
        } else if statistics.and_then(|s| s.dpu_count()).is_some() {
            Some("it ran on reserved capacity")
        } else {
            None
        };
        let billed_mb = match free_because {
            Some(_) => 0,
            None => bytes.div_ceil(MB).max(BILLED_MB_MIN),
        };
        Scan {
            query_id: query_id.to_owned(),
            bytes,
            billed_mb,
            price_per_tb,
            free_because,
            rows_written: 0,
        }
    }

    /// US dollars.
    pub fn cost(&self) -> f64 {
        self.billed_mb as f64 / MB_PER_TB * self.price_per_tb
    }
}

impl fmt::Display for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows_written > 0 {
            write!(f, "{} rows written; ", self.rows_written)?;
        }
        write!(f, "{} bytes scanned, ", self.bytes)?;
        match self.free_because {
            Some(why) => write!(f, "nothing charged: {why}")?,
            None => write!(
                f,
                "{} MB charged: about ${:.6} at ${:.2} per TB",
                self.billed_mb,
                self.cost(),
                self.price_per_tb
            )?,
        }
        write!(f, "; query {}", self.query_id)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_athena::types::{QueryExecutionStatistics, QueryExecutionStatus, ResultReuseInformation};

    use super::*;

    fn scanned(bytes: i64) -> QueryExecution {
        let statistics = QueryExecutionStatistics::builder().data_scanned_in_bytes(bytes).build();
        QueryExecution::builder()
            .statement_type(StatementType::Dml)
            .statistics(statistics)
            .build()
    }

    #[test]
    fn megabytes_are_rounded_up_and_ten_are_the_least() {
        let mb = MB as i64;
        for (bytes, billed_mb) in [
            (0, 10),
            (1, 10),
            (10 * mb, 10),
            (10 * mb + 1, 11),
            (1024 * 1024 * mb, 1024 * 1024),
        ] {
            assert_eq!(Scan::of("q", &scanned(bytes), 5.0).billed_mb, billed_mb, "{bytes}");
        }
        let terabyte = Scan::of("q", &scanned(1024 * 1024 * mb), 5.0);
        assert!((terabyte.cost() - 5.0).abs() < 1e-9);
        let least = Scan::of("q", &scanned(1), 5.0);
        assert_eq!(
            least.to_string(),
            "1 bytes scanned, 10 MB charged: about $0.000048 at $5.00 per TB; query q"
        );
    }

    #[test]
    fn what_athena_does_not_charge_costs_nothing() {
        let ddl = QueryExecution::builder().statement_type(StatementType::Ddl).build();
        let failed = QueryExecutionStatus::builder()
            .state(QueryExecutionState::Failed)
            .build();
        let failed = QueryExecution::builder().status(failed).build();
        let again = ResultReuseInformation::builder().reused_previous_result(true).build();
        let again = QueryExecutionStatistics::builder()
            .result_reuse_information(again)
            .build();
        let again = QueryExecution::builder().statistics(again).build();
        for (execution, why) in [(ddl, "DDL"), (failed, "failed"), (again, "reused")] {
            let scan = Scan::of("q", &execution, 5.0);
            assert_eq!((scan.billed_mb, scan.cost()), (0, 0.0), "{why}");
            assert!(scan.to_string().contains(why), "{scan}");
        }
    }

    #[test]
    fn a_cancelled_query_is_charged_for_what_it_scanned() {
        let status = QueryExecutionStatus::builder()
            .state(QueryExecutionState::Cancelled)
            .build();
        let mut cancelled = scanned(64 << 20);
        cancelled.status = Some(status);
        assert_eq!(Scan::of("q", &cancelled, 5.0).billed_mb, 64);
    }
}

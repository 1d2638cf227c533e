//! SQL by Amazon Athena: starts a query, waits for it, and turns its pages into the rows that our own engine gives.
//!
//! | call | when |
//! |---|---|
//! | `StartQueryExecution` | once per statement; the SDK's idempotency token lets a repeated request start nothing twice |
//! | `GetQueryExecution` | until the state is final, with a pause that doubles from 0.1 s to 2 s |
//! | `StopQueryExecution` | when the user interrupts: an abandoned query would go on and be charged |
//! | `GetQueryResults` | page by page, 1,000 rows each |
//!
//! Promises:
//! - A value is typed by Athena's column metadata where Arrow has the type and every value of the column can be read as
//!   it; else the column stays Athena's own text ([`values`]). No value is lost or rounded.
//! - What a query cost is said in bytes and in money ([`Scan`]).
//! - A query that Athena refuses because of what was asked is a [`tickertape_client::UsageError`].
//!
//! It never reads the result objects from S3 itself, and never changes a workgroup.

mod cost;
mod error;
mod options;
mod query;
mod results;
mod values;

pub use cost::{PRICE_PER_TB_DEFAULT, Scan};
pub use options::AthenaOptions;
pub use query::Athena;

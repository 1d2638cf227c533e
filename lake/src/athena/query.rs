//! One statement from its text to its rows.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_athena::Client;
use aws_sdk_athena::types::{
    QueryExecution, QueryExecutionContext, QueryExecutionState, ResultConfiguration, StatementType,
};
use tickertape_client::s3::S3Url;
use tokio_util::sync::CancellationToken;

use super::cost::Scan;
use super::options::AthenaOptions;
use super::{error, results};
use crate::sql::{Answer, Cost, Interrupted, QueryEngine};

/// The first pause between two questions about a query's state; each is twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long a query that was stopped may take to say what it had scanned.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Answers SQL by Amazon Athena.
#[derive(Debug, Clone)]
pub struct Athena {
    client: Client,
    workgroup: String,
    database: Option<String>,
    output: Option<S3Url>,
    price_per_tb: f64,
}

impl Athena {
    /// Athena with the credentials, region and endpoint of `config`. `database` is that of tables that are named
    /// without one; Athena's own default is `default`.
    pub fn new(config: &SdkConfig, options: &AthenaOptions, database: Option<String>) -> Athena {
        Athena {
            client: Client::new(config),
            workgroup: options.workgroup.clone(),
            database,
            output: options.output.clone(),
            price_per_tb: options.price_per_tb,
        }
    }

    /// Starts a query and gives its id.
    async fn start(&self, sql: &str) -> anyhow::Result<String> {
        let database = self.database.as_ref();
        let context = database.map(|name| QueryExecutionContext::builder().database(name).build());
        let output = self.output.as_ref().map(|place| {
            let place = format!("{}/", place.to_string().trim_end_matches('/'));
            ResultConfiguration::builder().output_location(place).build()
        });
        let started = self
            .client
            .start_query_execution()
            .query_string(sql)
            .work_group(&self.workgroup)
            .set_query_execution_context(context)
            .set_result_configuration(output)
            .send()
            .await
            .map_err(|error| error::of_request(&error, "starting the query", &self.workgroup))?;
        let id = started.query_execution_id().unwrap_or_default();
        anyhow::ensure!(!id.is_empty(), "Athena started a query and gave it no id");
        tracing::debug!(query = id, "started");
        Ok(id.to_owned())
    }

    async fn execution(&self, id: &str) -> anyhow::Result<QueryExecution> {
        let answer = self.client.get_query_execution().query_execution_id(id).send().await;
        let answer = answer
            .map_err(|error| error::of_request(&error, &format!("asking how query {id} goes"), &self.workgroup))?;
        let execution = answer.query_execution;
        execution.ok_or_else(|| anyhow::anyhow!("Athena says nothing about query {id}"))
    }

    /// Waits until the query has ended, however.
    async fn ended(&self, id: &str) -> anyhow::Result<QueryExecution> {
        let mut pause = PAUSE_MIN;
        loop {
            let execution = self.execution(id).await?;
            if let Some(QueryExecutionState::Succeeded | QueryExecutionState::Failed | QueryExecutionState::Cancelled) =
                state(&execution)
            {
                return Ok(execution);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Stops a query that nobody wants any more, and says what became of it.
    async fn stop(&self, id: &str) -> anyhow::Error {
        if let Err(error) = self.client.stop_query_execution().query_execution_id(id).send().await {
            let error = error::of_request(&error, "stopping the query", &self.workgroup);
            return error.context(format!(
                "query {id} may go on: aws athena stop-query-execution --query-execution-id {id}"
            ));
        }
        let text = match tokio::time::timeout(STOP_MAX, self.ended(id)).await {
            Ok(Ok(execution)) => format!("the query was stopped: {}", Scan::of(id, &execution, self.price_per_tb)),
            _ => format!("Athena was told to stop query {id}"),
        };
        Interrupted::new(text).into()
    }

    async fn rows(&self, id: &str, execution: &QueryExecution, started: Instant) -> anyhow::Result<Answer> {
        let pages = results::fetch(
            &self.client,
            id,
            execution.statement_type() == Some(&StatementType::Ddl),
        )
        .await;
        let results = pages
            .map_err(|error| error::of_request(&error, &format!("reading the rows of query {id}"), &self.workgroup))?;
        let (schema, batches) = results.typed()?;
        let mut scan = Scan::of(id, execution, self.price_per_tb);
        scan.rows_written = results.rows_written;
        Ok(Answer {
            schema,
            batches,
            elapsed: started.elapsed(),
            cost: Cost::Athena(scan),
        })
    }
}

fn state(execution: &QueryExecution) -> Option<&QueryExecutionState> {
    execution.status().and_then(|status| status.state())
}

#[async_trait]
impl QueryEngine for Athena {
    async fn answer(&self, sql: &str, stop: &CancellationToken) -> anyhow::Result<Answer> {
        let started = Instant::now();
        let sql = sql.trim().trim_end_matches(';').trim_end();
        // Never interrupted half-way: a query whose id is not known could not be stopped.
        let id = self.start(sql).await?;
        let execution = tokio::select! {
            execution = self.ended(&id) => execution?,
            () = stop.cancelled() => return Err(self.stop(&id).await),
        };
        let status = execution.status().cloned();
        match state(&execution) {
            Some(QueryExecutionState::Succeeded) => tokio::select! {
                answer = self.rows(&id, &execution, started) => answer,
                () = stop.cancelled() => {
                    let scan = Scan::of(&id, &execution, self.price_per_tb);
                    Err(Interrupted::new(format!("stopped reading rows of a query that is done: {scan}")).into())
                }
            },
            Some(QueryExecutionState::Cancelled) => {
                let reason = status.as_ref().and_then(|status| status.state_change_reason());
                let reason = reason.unwrap_or("no reason was given");
                let scan = Scan::of(&id, &execution, self.price_per_tb);
                Err(anyhow::anyhow!(
                    "somebody else cancelled the query, or its workgroup's limit did: {reason} ({scan})"
                ))
            }
            _ => Err(error::of_failure(
                &id,
                &status.unwrap_or_else(|| aws_sdk_athena::types::QueryExecutionStatus::builder().build()),
            )),
        }
    }
}

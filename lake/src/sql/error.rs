//! What went wrong, said to whoever typed the query: names that don't exist get the nearest one that
//! does.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use tickertape_client::UsageError;

/// An error as the user should see it: a [`UsageError`] where the query is at fault.
pub(super) fn explain(error: DataFusionError) -> anyhow::Error {
    let usage = match root(&error) {
        DataFusionError::SQL(parse, _) => Some(UsageError::new(format!("SQL: {parse}"))),
        DataFusionError::SchemaError(schema, _) => Some(of_schema(schema)),
        DataFusionError::Plan(message) => Some(UsageError::new(message.clone())),
        DataFusionError::NotImplemented(message) => Some(UsageError::new(format!("not supported: {message}"))),
        _ => None,
    };
    match (usage, root(&error)) {
        (Some(usage), _) => usage.into(),
        // DataFusion would say the same twice: as its own text and as its source's.
        (None, DataFusionError::External(inner)) => anyhow::Error::msg(inner.to_string()),
        _ => anyhow::Error::new(error),
    }
}

fn root(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(inner),
        DataFusionError::Shared(inner) => root(inner),
        DataFusionError::Collection(all) => all.first().map_or(error, root),
        _ => error,
    }
}

fn of_schema(error: &SchemaError) -> UsageError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let known = valid_fields.iter().map(|column| column.name.as_str());
            UsageError::unknown("column", &field.name, known)
        }
        other => UsageError::new(other.to_string()),
    }
}

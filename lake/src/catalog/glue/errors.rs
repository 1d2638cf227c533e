//! What Glue answers instead of what was asked, as errors of the catalog: who doesn't serve it, who refuses, and what passes.

use aws_sdk_glue::config::http::HttpResponse;
use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_glue::types::PartitionError;

use crate::catalog::CatalogError;

/// What Glue and the embedded server answer to who is not known, or may not do this; some with another status than 403.
const REFUSALS: [&str; 11] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "UnrecognizedClientException",
];

/// Glue's exception as ours; `what` and `name` say what was asked about.
pub(super) fn mapped<E>(error: SdkError<E, HttpResponse>, what: &'static str, name: &str) -> CatalogError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = error.code().unwrap_or_default().to_owned();
    let message = error.message().unwrap_or_default().to_owned();
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (code.as_str(), status) {
        (known, _) if REFUSALS.contains(&known) => CatalogError::Refused(told(&error, &code, &message)),
        // Whoever stands in between asks for patience. Glue's throttling has a code.
        ("", Some(408 | 425 | 429)) => CatalogError::Unavailable(told(&error, &code, &message)),
        // No exception of Glue's, such as S3 servers without a catalog answer, some of them with 403.
        ("", Some(400..=499 | 501)) | ("UnknownOperationException", _) => {
            CatalogError::NotServed(told(&error, &code, &message))
        }
        ("", _) => CatalogError::Unavailable(told(&error, &code, &message)),
        (_, Some(401 | 403)) => CatalogError::Refused(told(&error, &code, &message)),
        _ => by_code(&code, &message, what, name),
    }
}

/// The exception, or each cause in turn: that somebody refused the connection stands last.
fn told(error: &(dyn std::error::Error + 'static), code: &str, message: &str) -> String {
    if code.is_empty() {
        tickertape_client::chain_of(error)
    } else {
        format!("{code}: {message}")
    }
}

fn by_code(code: &str, message: &str, what: &'static str, name: &str) -> CatalogError {
    let name = name.to_owned();
    match code {
        "EntityNotFoundException" if what == "table" && message.starts_with("Database") => {
            CatalogError::no_database(name.split('.').next().unwrap_or_default())
        }
        "EntityNotFoundException" => CatalogError::NotFound { what, name },
        "AlreadyExistsException" => CatalogError::AlreadyExists { what, name },
        "ConcurrentModificationException" => CatalogError::Concurrent {
            name,
            expected: "as read".to_owned(),
            found: "another".to_owned(),
        },
        "InvalidInputException" | "ValidationException" => CatalogError::Invalid(message.to_owned()),
        _ => CatalogError::Unavailable(format!("{what} {name}: {code}: {message}")),
    }
}

pub(super) fn table_error<E>(error: SdkError<E, HttpResponse>, database: &str, table: &str) -> CatalogError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    mapped(error, "table", &format!("{database}.{table}"))
}

/// Splits the errors of a batch into the values whose error is `expected`, and the first other one.
pub(super) fn batch_errors(errors: Vec<PartitionError>, expected: &str) -> Result<Vec<Vec<String>>, CatalogError> {
    let mut values = Vec::with_capacity(errors.len());
    for error in errors {
        let of = error.partition_values.unwrap_or_default();
        let detail = error.error_detail.unwrap_or_else(|| {
            aws_sdk_glue::types::ErrorDetail::builder()
                .error_code("Unknown")
                .build()
        });
        let code = detail.error_code().unwrap_or_default();
        if code != expected {
            let message = detail.error_message().unwrap_or_default();
            return Err(by_code(code, message, "partition", &of.join("/")));
        }
        values.push(of);
    }
    Ok(values)
}

/// `None` where the catalog says that there is no such thing.
pub(super) fn optional<T>(outcome: Result<T, CatalogError>) -> Result<Option<T>, CatalogError> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(CatalogError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

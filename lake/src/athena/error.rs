//! What Athena refuses, said to whoever typed the query.

use aws_sdk_athena::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_athena::types::QueryExecutionStatus;
use aws_smithy_types::error::display::DisplayErrorContext;
use tickertape_client::UsageError;

/// `AthenaError.ErrorCategory` of what the user can mend.
const CATEGORY_USER: i32 = 2;
/// What a principal needs to be allowed; `docs/aws.md` has the policy.
const PERMISSIONS: &str = "athena:StartQueryExecution, GetQueryExecution, GetQueryResults and StopQueryExecution on the \
                           workgroup, glue:Get* on the tables, and S3 access to the data and the output location";

/// A request that failed.
pub(super) fn of_request<E, R>(error: &SdkError<E, R>, doing: &str, workgroup: &str) -> anyhow::Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let message = error.message().unwrap_or_default().to_owned();
    match error.code() {
        Some("InvalidRequestException") => UsageError::new(invalid(&message, workgroup)).into(),
        Some(
            code @ ("AccessDeniedException"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "UnrecognizedClientException"),
        ) => anyhow::anyhow!("no permission for {doing} ({code}): {message}; needed are {PERMISSIONS}"),
        Some(code) => anyhow::anyhow!("{doing}: {code}: {message}"),
        None => {
            let text = DisplayErrorContext(error).to_string();
            match text.contains("credentials") {
                true => anyhow::anyhow!(
                    "{doing}: no AWS credentials were found, neither in the environment nor in a profile nor of an \
                     instance ({text})"
                ),
                false => anyhow::anyhow!("{doing}: Athena does not answer: {text}"),
            }
        }
    }
}

fn invalid(message: &str, workgroup: &str) -> String {
    let lower = message.to_lowercase();
    if lower.contains("output location") {
        format!(
            "the workgroup \"{workgroup}\" has no output location: give --output s3://bucket/prefix, or set one for the \
             workgroup ({message})"
        )
    } else if lower.contains("workgroup") && (lower.contains("not found") || lower.contains("not exist")) {
        format!(
            "no such workgroup \"{workgroup}\" in this account and region: give --workgroup and --region ({message})"
        )
    } else {
        format!("Athena: {message}")
    }
}

/// A query that ended as `FAILED`.
pub(super) fn of_failure(query_id: &str, status: &QueryExecutionStatus) -> anyhow::Error {
    let error = status.athena_error();
    let reason = status
        .state_change_reason()
        .or_else(|| error.and_then(|error| error.error_message()))
        .unwrap_or("no reason was given");
    let lower = reason.to_lowercase();
    let refused = ["access denied", "permission", "not authorized"];
    if refused.iter().any(|word| lower.contains(word)) {
        return anyhow::anyhow!("Athena may not do this: {reason}; needed are {PERMISSIONS} (query {query_id})");
    }
    let by_user = error.and_then(|error| error.error_category()) == Some(CATEGORY_USER);
    if by_user {
        return UsageError::new(format!("Athena: {reason} (query {query_id})")).into();
    }
    let again = match error.is_some_and(|error| error.retryable()) {
        true => "; Athena says that trying again may help",
        false => "",
    };
    anyhow::anyhow!("the query failed: {reason}{again} (query {query_id})")
}

#[cfg(test)]
mod tests {
    use aws_sdk_athena::types::AthenaError;
    use tickertape_client::exit_code;

    use super::*;

    fn failed(reason: &str, category: i32) -> anyhow::Error {
        let error = AthenaError::builder()
            .error_category(category)
            .retryable(category == 1)
            .build();
        let status = QueryExecutionStatus::builder()
            .state_change_reason(reason)
            .athena_error(error)
            .build();
        of_failure("q-1", &status)
    }

    #[test]
    fn only_the_users_faults_are_the_users() {
        let mistake = failed(
            "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.default.tick' does not exist",
            2,
        );
        assert_eq!(exit_code(&mistake), 2);
        let amazon = failed("GENERIC_INTERNAL_ERROR: sorry", 1);
        assert_eq!(exit_code(&amazon), 1);
        assert!(
            amazon.to_string().contains("trying again may help (query q-1)"),
            "{amazon}"
        );
        let refused = failed("Permission denied on S3 path: s3://market/lake/ticks", 2);
        assert_eq!(exit_code(&refused), 1);
        assert!(refused.to_string().contains("needed are athena:"), "{refused}");
    }
}

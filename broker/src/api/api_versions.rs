//! ApiVersions (key 18), versions 0–4: which APIs and which features this broker has.
//!
//! A version above 4 is answered in version 0's form with UNSUPPORTED_VERSION and the range of ApiVersions alone, so that
//! the client can ask again (KIP-511); from version 3 on the client names its software, and a name that does not fit the
//! pattern is INVALID_REQUEST. Only features that work are announced.

use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::messages::api_versions_response::ApiVersion;

use super::{Disconnect, RequestContext, TABLE};
use crate::error::ResponseError;

/// Answers a version that is served.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    version: i16,
    request: ApiVersionsRequest,
) -> Result<ApiVersionsResponse, Disconnect> {
    if version >= 3
        && !(is_software_name(&request.client_software_name) && is_software_name(&request.client_software_version))
    {
        return Ok(ApiVersionsResponse::default().with_error_code(ResponseError::InvalidRequest.code()));
    }
    let api_keys = TABLE
        .iter()
        .map(|api| {
            ApiVersion::default()
                .with_api_key(api.key as i16)
                .with_min_version(api.min)
                .with_max_version(api.max)
        })
        .collect();
    Ok(ApiVersionsResponse::default().with_api_keys(api_keys))
}

/// The answer, in version 0's form, to a version of ApiVersions that is not served.
pub(crate) fn unsupported_version() -> ApiVersionsResponse {
    let own = TABLE.iter().filter(|api| api.key as i16 == 18).map(|api| {
        ApiVersion::default()
            .with_api_key(18)
            .with_min_version(api.min)
            .with_max_version(api.max)
    });
    ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(own.collect())
}

/// Kafka's pattern for software names and versions: `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`.
fn is_software_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::is_software_name;

    #[test]
    fn software_names_follow_kafkas_pattern() {
        for good in ["a", "apache-kafka-java", "4.1.1", "x9"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", ".1", "ä"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}

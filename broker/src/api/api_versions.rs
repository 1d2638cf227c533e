//! ApiVersions (key 18), versions 0–4: which APIs and which features this broker has.
//!
//! A version above 4 is answered in version 0's form with UNSUPPORTED_VERSION and the range of ApiVersions alone, so that
//! the client can ask again (KIP-511); from version 3 on the client names its software, and a name that does not fit the
//! pattern is INVALID_REQUEST. Only features that work are announced. Two clients' misunderstandings are met here:
//! [`announced_min`] and [`patience_for`].

use std::time::Duration;

use kafka_protocol::messages::ApiKey;
use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use kafka_protocol::protocol::StrBytes;

use super::{Api, Disconnect, RequestContext, TABLE};
use crate::error::ResponseError;

/// Answers a version that is served.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    version: i16,
    request: ApiVersionsRequest,
) -> Result<ApiVersionsResponse, Disconnect> {
    if let Some(patience) = patience_for(&request) {
        tokio::time::sleep(patience).await;
    }
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
                .with_min_version(announced_min(api))
                .with_max_version(api.max)
        })
        .collect();
    // Before version 4 a client cannot read a range that starts at zero, and is told nothing of it.
    let readable = FEATURES.iter().filter(|feature| version >= 4 || feature.min > 0);
    let supported = readable.map(|feature| {
        SupportedFeatureKey::default()
            .with_name(StrBytes::from_static_str(feature.name))
            .with_min_version(feature.min)
            .with_max_version(feature.max)
    });
    let finalized = FEATURES.iter().map(|feature| {
        FinalizedFeatureKey::default()
            .with_name(StrBytes::from_static_str(feature.name))
            .with_min_version_level(feature.max)
            .with_max_version_level(feature.max)
    });
    Ok(ApiVersionsResponse::default()
        .with_api_keys(api_keys)
        .with_supported_features(supported.collect())
        .with_finalized_features_epoch(0)
        .with_finalized_features(finalized.collect()))
}

/// A feature that works, at its highest level.
pub(super) struct Feature {
    pub(super) name: &'static str,
    pub(super) min: i16,
    pub(super) max: i16,
}

/// `group.version` 1 is the consumer group protocol of KIP-848, `metadata.version` 27 is Kafka 4.1, `transaction.version` 2
/// raises the epoch with each transaction (KIP-890).
pub(super) const FEATURES: [Feature; 3] = [
    Feature {
        name: "group.version",
        min: 0,
        max: 1,
    },
    Feature {
        name: "metadata.version",
        min: 7,
        max: 27,
    },
    Feature {
        name: "transaction.version",
        min: 0,
        max: 2,
    },
];

/// Kafka says that it serves Produce from version 0 on, though it does not, because librdkafka takes the absence of the
/// old versions for the absence of codecs (KAFKA-18659); so does this broker.
fn announced_min(api: &Api) -> i16 {
    if api.key == ApiKey::Produce { 0 } else { api.min }
}

/// How long a client is kept waiting that cannot bear to be answered at once.
///
/// A consumer of kafka-python 3 asks for the brokers in one thread while another subscribes. Where the answer overtakes the
/// subscription, the client forgets it and reads nothing for the five minutes until it asks again (`ClusterMetadata` there:
/// `update_metadata` takes back what `set_topics` has just wished). Apache Kafka takes longer than that for the first answer
/// on a connection; here it was one consumer in five.
fn patience_for(request: &ApiVersionsRequest) -> Option<Duration> {
    let is_hasty = request.client_software_name.as_str() == "kafka-python"
        && request.client_software_version.as_str().starts_with("3.");
    is_hasty.then_some(Duration::from_millis(3))
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
    use super::*;

    #[test]
    fn only_the_client_that_needs_it_is_kept_waiting() {
        let of = |name, version| {
            let request = ApiVersionsRequest::default()
                .with_client_software_name(StrBytes::from_static_str(name))
                .with_client_software_version(StrBytes::from_static_str(version));
            patience_for(&request).is_some()
        };
        assert!(of("kafka-python", "3.0.12"));
        assert!(!of("kafka-python", "2.2.15") && !of("apache-kafka-java", "3.9.1") && !of("", ""));
    }

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

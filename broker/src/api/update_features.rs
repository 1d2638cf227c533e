//! UpdateFeatures (key 57), versions 0–2: a feature's level can be asked to be what it is.
//!
//! What this broker does is what its build does, so no level ever changes. What Kafka refuses is refused in its words; a
//! change that Kafka would make is refused in ours. One update that fails fails all: which of several is the first is a matter
//! of Java's hash table. Versions 0 and 1 answer for each
//! feature when all is well, version 2 does not; version 1 added kinds of downgrades and trying without doing.

use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::update_features_response::UpdatableFeatureResult;
use kafka_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use kafka_protocol::protocol::StrBytes;

use super::api_versions::{FEATURES, Feature};
use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};
use crate::hash_order::place;

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

/// The feature whose downgrades Kafka speaks of in words of their own.
const METADATA: &str = "metadata.version";

/// Checks each update.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: UpdateFeaturesRequest,
) -> Result<UpdateFeaturesResponse, Disconnect> {
    let mut updates: Vec<&FeatureUpdateKey> = request.feature_updates.iter().collect();
    let count = updates.len();
    updates.sort_by_key(|update| place(&update.feature, count));
    let refused = updates
        .into_iter()
        .find_map(|update| check(update, version, ctx.broker.node_id).err());
    let response = UpdateFeaturesResponse::default();
    if let Some(reason) = refused {
        let reason = format!("The update failed for all features since the following feature had an error: {reason}");
        let error = ApiError::new(ResponseError::InvalidUpdateVersion, reason);
        return Ok(response.with_error_code(error.code()).with_error_message(error.message));
    }
    let results = request.feature_updates.into_iter().map(|update| {
        UpdatableFeatureResult::default()
            .with_feature(update.feature)
            .with_error_message(Some(StrBytes::from_static_str("NONE")))
    });
    let results = if version <= 1 { results.collect() } else { Vec::new() };
    Ok(response.with_error_message(None).with_results(results))
}

/// Why an update cannot be.
fn check(update: &FeatureUpdateKey, version: i16, node_id: i32) -> Result<(), String> {
    let (name, level) = (&*update.feature, update.max_version_level);
    let invalid = |reason: String| Err(format!("Invalid update version {level} for feature {name}. {reason}"));
    let kind = match (version, update.allow_downgrade) {
        (0, true) => SAFE_DOWNGRADE,
        (0, false) => UPGRADE,
        _ => update.upgrade_type,
    };
    if !(UPGRADE..=UNSAFE_DOWNGRADE).contains(&kind) {
        return invalid("The controller does not support the given upgrade type.".to_owned());
    }
    if level < 0 {
        return invalid("A feature version cannot be less than 0.".to_owned());
    }
    let Some(feature) = FEATURES.iter().find(|feature| feature.name == name) else {
        return invalid(match level {
            0 => format!("Feature {name} not found."),
            _ => format!("Local controller {node_id} does not support this feature."),
        });
    };
    let Feature { min, max, .. } = feature;
    if level < *min || level > *max {
        return invalid(format!("Local controller {node_id} only supports versions {min}-{max}"));
    }
    // The level in force is the highest.
    if level == *max {
        return Ok(());
    }
    match kind {
        UPGRADE => invalid(
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
             downgrade."
                .to_owned(),
        ),
        UNSAFE_DOWNGRADE if name == METADATA => Err(format!(
            "Invalid metadata.version {level}. Unsafe metadata downgrade is not supported in this version."
        )),
        _ if name == METADATA => Err(format!(
            "Invalid metadata.version {level}. Refusing to perform the requested downgrade because it might delete \
             metadata information."
        )),
        _ => invalid("This broker's features are those of its build and do not change.".to_owned()),
    }
}

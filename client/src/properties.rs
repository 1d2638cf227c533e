//! librdkafka's property names: which exist, and which are two names of one property.

use std::collections::BTreeSet;
use std::ffi::CStr;

use rdkafka::bindings;

/// Names that librdkafka accepts but does not report: its dump skips aliases and whatever has no default.
const UNREPORTED: &[&str] = &[
    "acks",
    "bootstrap.servers",
    "client.rack",
    "compression.type",
    "debug",
    "delivery.timeout.ms",
    "group.id",
    "group.instance.id",
    "group.remote.assignor",
    "linger.ms",
    "max.in.flight",
    "max.partition.fetch.bytes",
    "metadata.broker.list",
    "retries",
    "sasl.mechanism",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.password",
    "sasl.username",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "transactional.id",
];

/// The second names of librdkafka's properties, with the first.
const ALIASES: &[(&str, &str)] = &[
    ("acks", "request.required.acks"),
    ("bootstrap.servers", "metadata.broker.list"),
    ("compression.type", "compression.codec"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("linger.ms", "queue.buffering.max.ms"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("retries", "message.send.max.retries"),
    ("sasl.mechanism", "sasl.mechanisms"),
];

/// The name under which librdkafka keeps a property, so that two names of one property compare equal.
pub(crate) fn canonical(name: &str) -> &str {
    ALIASES
        .iter()
        .find(|(alias, _)| *alias == name)
        .map_or(name, |(_, canonical)| canonical)
}

/// Properties of the Java client that have no counterpart of the same name, and what to give instead.
const OF_THE_JAVA_CLIENT: &[(&str, &str)] = &[
    (
        "sasl.jaas.config",
        "give sasl.username and sasl.password (nothing of the kind with sasl.mechanism=AWS_MSK_IAM)",
    ),
    (
        "sasl.client.callback.handler.class",
        "sasl.mechanism=AWS_MSK_IAM needs none; for OAUTHBEARER give sasl.oauthbearer.method=oidc",
    ),
    ("ssl.truststore.location", "give ssl.ca.location, a PEM file"),
    ("ssl.truststore.certificates", "give ssl.ca.pem"),
    (
        "ssl.truststore.password",
        "give ssl.ca.location, a PEM file, which needs none",
    ),
    ("ssl.truststore.type", "give ssl.ca.location, a PEM file"),
    (
        "ssl.keystore.type",
        "give ssl.keystore.location (PKCS#12), or ssl.certificate.location and ssl.key.location (PEM)",
    ),
    ("ssl.keystore.key", "give ssl.key.pem"),
    ("ssl.keystore.certificate.chain", "give ssl.certificate.pem"),
];

/// What to give instead of a property that only the Java client has.
pub(crate) fn instead_of(name: &str) -> Option<&'static str> {
    let found = OF_THE_JAVA_CLIENT.iter().find(|(of_java, _)| *of_java == name);
    found.map(|(_, instead)| *instead)
}

/// Every property name that can be suggested, in alphabetical order.
pub(crate) fn known() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = UNREPORTED.iter().map(|name| (*name).to_owned()).collect();
    let mut count = 0;
    // SAFETY: the configuration objects are made here, outlive their dump, and are destroyed once; a dump is
    // `count` C strings, names at the even places, and is freed by librdkafka's own function.
    unsafe {
        let conf = bindings::rd_kafka_conf_new();
        let dump = bindings::rd_kafka_conf_dump(conf, &mut count);
        take_names(dump, count, &mut names);
        bindings::rd_kafka_conf_destroy(conf);

        let conf = bindings::rd_kafka_topic_conf_new();
        let dump = bindings::rd_kafka_topic_conf_dump(conf, &mut count);
        take_names(dump, count, &mut names);
        bindings::rd_kafka_topic_conf_destroy(conf);
    }
    names
}

/// Copies the names of a dump and frees it.
///
/// # Safety
/// `dump` must be what librdkafka returned with this `count`, and must not be used afterwards.
unsafe fn take_names(dump: *mut *const std::ffi::c_char, count: usize, names: &mut BTreeSet<String>) {
    for place in (0..count).step_by(2) {
        // SAFETY: `place` is below `count`, and each name is a C string of librdkafka's.
        let name = unsafe { CStr::from_ptr(*dump.add(place)) };
        names.insert(name.to_string_lossy().into_owned());
    }
    // SAFETY: the dump is freed once, here.
    unsafe { bindings::rd_kafka_conf_dump_free(dump, count) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::ClientConfig;
    use rdkafka::error::KafkaError;
    use rdkafka::types::RDKafkaConfRes;

    #[test]
    fn every_listed_name_exists() {
        let listed = UNREPORTED.iter().copied();
        for name in listed.chain(ALIASES.iter().flat_map(|(alias, name)| [*alias, *name])) {
            let mut config = ClientConfig::new();
            config.set(name, "");
            if let Err(KafkaError::ClientConfig(result, text, ..)) = config.create_native_config() {
                assert_ne!(result, RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, "{name}: {text}");
            }
        }
    }

    #[test]
    fn the_dump_is_read() {
        let known = known();
        assert!(known.len() > 100, "{}", known.len());
        for name in ["queue.buffering.max.messages", "partitioner", "linger.ms"] {
            assert!(known.contains(name), "{name}");
        }
    }
}

//! A Kafka-compatible broker: the wire protocol over sled-backed log segments.

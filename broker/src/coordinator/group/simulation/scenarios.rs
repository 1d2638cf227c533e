//! What Apache Kafka does, case by case.

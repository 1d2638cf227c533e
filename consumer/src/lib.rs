//! Batches messages of Kafka topics and writes them to S3 in folders partitioned by date.

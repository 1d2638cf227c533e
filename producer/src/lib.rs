//! Reads historical stock prices and plays them to Kafka as a live market feed.

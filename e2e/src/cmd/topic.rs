//! `tickertape topic`: create, list, describe and delete topics of any Kafka, by the admin protocol.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::types::RDKafkaErrorCode;
use tickertape_client::{Cluster, KafkaOptions, Plain, UsageError, check_topic_name, connect};
use tokio_util::sync::CancellationToken;

/// How long one admin request may take once the broker has been reached.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Create, list, describe and delete topics.
#[derive(Subcommand)]
pub(crate) enum TopicCommand {
    /// Create a topic.
    #[command(after_help = "Example:\n  tickertape topic create ticks --partitions 6 --config retention.ms=86400000")]
    Create(Create),
    /// List the topics, one a line.
    #[command(after_help = "Example:\n  tickertape topic list --bootstrap-server 127.0.0.1:9092")]
    List(List),
    /// Show partitions, offsets and changed configs of one topic or of all.
    #[command(after_help = "Example:\n  tickertape topic describe ticks")]
    Describe(Describe),
    /// Delete topics and all their records.
    #[command(after_help = "Example:\n  tickertape topic delete ticks bars")]
    Delete(Delete),
}

#[derive(Args)]
pub(crate) struct Create {
    /// The topic's name.
    #[arg(required_unless_present = "topic")]
    name: Option<String>,
    /// The topic's name, as `kafka-topics` takes it.
    #[arg(long, conflicts_with = "name")]
    topic: Option<String>,
    /// How many partitions it gets; without it the broker's `num.partitions`.
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many brokers hold each partition; without it the broker's default.
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    replication_factor: Option<i32>,
    /// A topic property, `name=value`; repeatable.
    #[arg(long = "config", value_name = "name=value", value_parser = name_value)]
    configs: Vec<(String, String)>,
    /// Do nothing if the topic exists already.
    #[arg(long)]
    if_not_exists: bool,
    #[command(flatten)]
    kafka: KafkaOptions,
}

impl Create {
    fn name(&self) -> &str {
        self.name.as_deref().or(self.topic.as_deref()).unwrap_or_default()
    }
}

#[derive(Args)]
pub(crate) struct List {
    /// Leave out topics that the broker keeps for itself (`__…`).
    #[arg(long)]
    exclude_internal: bool,
    #[command(flatten)]
    kafka: KafkaOptions,
}

#[derive(Args)]
pub(crate) struct Describe {
    /// The topic; without it, all.
    name: Option<String>,
    /// The topic, as `kafka-topics` takes it.
    #[arg(long, conflicts_with = "name")]
    topic: Option<String>,
    #[command(flatten)]
    kafka: KafkaOptions,
}

#[derive(Args)]
pub(crate) struct Delete {
    /// The topics.
    #[arg(required_unless_present = "topic")]
    names: Vec<String>,
    /// The topic, as `kafka-topics` takes it.
    #[arg(long, conflicts_with = "names")]
    topic: Option<String>,
    /// Do nothing about a topic that does not exist.
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    kafka: KafkaOptions,
}

fn name_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("expected name=value, got `{text}`")),
    }
}

/// Runs one `tickertape topic` subcommand.
pub(crate) async fn run(command: TopicCommand, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let kafka = match &command {
        TopicCommand::Create(options) => {
            check_topic_name(options.name())?;
            &options.kafka
        }
        TopicCommand::List(options) => &options.kafka,
        TopicCommand::Describe(options) => &options.kafka,
        TopicCommand::Delete(options) => &options.kafka,
    };
    let Some(cluster) = tickertape_client::wait_for_broker(kafka, &shutdown).await? else {
        return Ok(ExitCode::FAILURE);
    };
    let admin = connect(&kafka.client_config(&[])?, Plain)?;
    match command {
        TopicCommand::Create(options) => create(&admin, options).await?,
        TopicCommand::List(options) => list(&cluster, &options),
        TopicCommand::Describe(options) => describe(&admin, &cluster, options).await?,
        TopicCommand::Delete(options) => delete(&admin, &cluster, options).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A client of Kafka's admin protocol.
type Admin = AdminClient<Plain>;

fn admin_options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(REQUEST_TIMEOUT))
        .operation_timeout(Some(REQUEST_TIMEOUT))
}

async fn create(admin: &Admin, options: Create) -> anyhow::Result<()> {
    let name = options.name();
    // -1 leaves the choice to the broker (KIP-464).
    let mut topic = NewTopic::new(
        name,
        options.partitions.unwrap_or(-1),
        TopicReplication::Fixed(options.replication_factor.unwrap_or(-1)),
    );
    for (property, value) in &options.configs {
        topic = topic.set(property, value);
    }
    let results = admin
        .create_topics([&topic], &admin_options())
        .await
        .context("CreateTopics failed")?;
    for result in results {
        match result {
            Ok(name) => println!("Created topic {name}."),
            Err((name, RDKafkaErrorCode::TopicAlreadyExists)) if options.if_not_exists => {
                println!("Topic {name} exists already.");
            }
            Err((
                name,
                code @ (RDKafkaErrorCode::TopicAlreadyExists
                | RDKafkaErrorCode::InvalidTopic
                | RDKafkaErrorCode::InvalidPartitions
                | RDKafkaErrorCode::InvalidReplicationFactor
                | RDKafkaErrorCode::InvalidConfig),
            )) => {
                let hint = hint(code, &options.configs);
                return Err(UsageError::new(format!("cannot create topic `{name}`: {code}{hint}")).into());
            }
            Err((name, code)) => bail!("cannot create topic `{name}`: {code}"),
        }
    }
    Ok(())
}

/// What may be wrong. The client library keeps the broker's own words to itself.
fn hint(code: RDKafkaErrorCode, configs: &[(String, String)]) -> String {
    match code {
        RDKafkaErrorCode::InvalidTopic => {
            "; there may be one already whose name differs only in dots and underscores".to_owned()
        }
        RDKafkaErrorCode::InvalidReplicationFactor => "; there are fewer brokers than --replication-factor".to_owned(),
        RDKafkaErrorCode::InvalidConfig => {
            let given: Vec<String> = configs
                .iter()
                .map(|(name, value)| format!("--config {name}={value}"))
                .collect();
            format!("; look at the names and values of {}", given.join(" "))
        }
        _ => String::new(),
    }
}

fn list(cluster: &Cluster, options: &List) {
    for name in cluster.topics.keys() {
        if !(options.exclude_internal && name.starts_with("__")) {
            println!("{name}");
        }
    }
}

async fn describe(admin: &Admin, cluster: &Cluster, options: Describe) -> anyhow::Result<()> {
    let wanted = options.name.or(options.topic);
    if let Some(name) = &wanted {
        cluster.require_topic(name)?;
    }
    let metadata = tokio::task::block_in_place(|| admin.inner().fetch_metadata(wanted.as_deref(), REQUEST_TIMEOUT))
        .context("cannot read the metadata")?;
    let mut topics: Vec<_> = metadata.topics().iter().collect();
    topics.sort_unstable_by_key(|topic| topic.name());
    for topic in topics {
        let replicas = topic
            .partitions()
            .first()
            .map_or(0, |partition| partition.replicas().len());
        println!(
            "Topic: {}\tPartitionCount: {}\tReplicationFactor: {replicas}\tConfigs: {}",
            topic.name(),
            topic.partitions().len(),
            changed_configs(admin, topic.name()).await?
        );
        for partition in topic.partitions() {
            let (start, end) = tokio::task::block_in_place(|| {
                admin
                    .inner()
                    .fetch_watermarks(topic.name(), partition.id(), REQUEST_TIMEOUT)
            })
            .with_context(|| format!("cannot read the offsets of {}-{}", topic.name(), partition.id()))?;
            println!(
                "\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}\tStart: {start}\tEnd: {end}",
                topic.name(),
                partition.id(),
                partition.leader(),
                joined(partition.replicas()),
                joined(partition.isr()),
            );
        }
    }
    Ok(())
}

/// The properties that differ from the broker's, as `kafka-topics --describe` prints them.
async fn changed_configs(admin: &Admin, topic: &str) -> anyhow::Result<String> {
    let results = admin
        .describe_configs([&ResourceSpecifier::Topic(topic)], &admin_options())
        .await
        .context("DescribeConfigs failed")?;
    let mut changed = Vec::new();
    for resource in results {
        let resource = resource.map_err(|code| anyhow::anyhow!("cannot read the configs of `{topic}`: {code}"))?;
        for entry in resource.entries {
            if entry.source == rdkafka::admin::ConfigSource::DynamicTopic {
                changed.push(format!("{}={}", entry.name, entry.value.unwrap_or_default()));
            }
        }
    }
    changed.sort_unstable();
    Ok(changed.join(","))
}

async fn delete(admin: &Admin, cluster: &Cluster, options: Delete) -> anyhow::Result<()> {
    let mut names = options.names;
    names.extend(options.topic);
    if !options.if_exists {
        for name in &names {
            cluster.require_topic(name)?;
        }
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for result in admin
        .delete_topics(&names, &admin_options())
        .await
        .context("DeleteTopics failed")?
    {
        match result {
            Ok(name) => println!("Deleted topic {name}."),
            Err((name, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic))
                if options.if_exists =>
            {
                println!("Topic {name} does not exist.");
            }
            Err((name, code)) => bail!("cannot delete topic `{name}`: {code}"),
        }
    }
    Ok(())
}

fn joined(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

//! The demo's parts, started in the order in which they need each other and stopped in the reverse.
//!
//! They speak to each other as they would across machines: the feed and the sink by the Kafka protocol, the sink and SQL by S3's.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::types::RDKafkaErrorCode;
use tickertape_broker::{Broker, BrokerHandle};
use tickertape_client::s3::{S3Options, S3Url};
use tickertape_client::{KafkaOptions, Plain, connect};
use tickertape_lake::s3::{Handle as S3Handle, Server, ServerConfig};
use tickertape_lake::sql::{Engine, S3Connection};

use super::places::Places;
use crate::cmd::demo::DemoOptions;

/// The bucket, and the prefix in it, that the demo's sink writes to.
const BUCKET: &str = "market";
const PREFIX: &str = "lake";
/// Partitions of each topic: enough that a second sink can share the work, few enough that files stay large.
const PARTITIONS: i32 = 3;

/// The servers of one demo, and what reaches them.
pub(super) struct House {
    broker: BrokerHandle,
    s3: S3Handle,
    pub(super) engine: Arc<Engine>,
    pub(super) kafka: KafkaOptions,
    pub(super) s3_options: S3Options,
    pub(super) lake: S3Url,
    pub(super) places: Places,
}

impl House {
    /// Starts broker, S3 server, catalog and SQL in `data_dir`.
    ///
    /// # Errors
    /// A directory in use, an address that is taken.
    pub(super) async fn open(options: &DemoOptions, data_dir: &Path) -> anyhow::Result<House> {
        let broker = Broker::builder()
            .listen(address(options.broker_listen.as_deref(), "127.0.0.1:9092"))
            .data_dir(broker_dir(data_dir))
            .property("num.partitions", PARTITIONS.to_string())
            .start()
            .await
            .context("cannot start the broker")?;
        let mut config = ServerConfig::new(data_dir.join("s3"));
        config.listen = address(options.s3_listen.as_deref(), "127.0.0.1:9000");
        let s3 = Server::start(config).await.context("cannot start the S3 server")?;
        s3.ensure_bucket(BUCKET).await?;
        let connection = S3Connection::new(&s3.endpoint_url(), s3.access_key_id(), s3.secret_access_key());
        let engine = Arc::new(Engine::new(s3.catalog(), connection));
        let places = Places {
            data_dir: data_dir.to_owned(),
            bootstrap_servers: broker.bootstrap_servers().to_owned(),
            s3_endpoint: s3.endpoint_url(),
            access_key_id: s3.access_key_id().to_owned(),
            secret_access_key: s3.secret_access_key().to_owned(),
            lake: format!("s3://{BUCKET}/{PREFIX}"),
        };
        Ok(House {
            kafka: KafkaOptions::at(broker.bootstrap_servers()),
            s3_options: S3Options::at(s3.endpoint_url()),
            lake: places.lake.parse()?,
            broker,
            s3,
            engine,
            places,
        })
    }

    /// Makes the topics that are not there yet.
    pub(super) async fn ensure_topics(&self, topics: &[&str]) -> anyhow::Result<()> {
        let admin: AdminClient<Plain> = connect(&self.kafka.client_config(&[])?, Plain)?;
        let new: Vec<_> = topics
            .iter()
            .map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1)))
            .collect();
        for made in admin
            .create_topics(&new, &AdminOptions::new())
            .await
            .context("cannot make the topics")?
        {
            match made {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => bail!("cannot make the topic {name}: {code}"),
            }
        }
        Ok(())
    }

    /// The catalog that the S3 server keeps.
    pub(super) fn catalog(&self) -> Arc<dyn tickertape_lake::catalog::Catalog> {
        self.s3.catalog()
    }

    /// Stops everything; what was acknowledged is on disk.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.s3.shutdown().await.context("the S3 server did not stop cleanly")?;
        self.broker.shutdown().await.context("the broker did not stop cleanly")
    }
}

/// What was asked for; else the well-known address if it is free, else a free port.
fn address(asked: Option<&str>, well_known: &str) -> String {
    match asked {
        Some(asked) => asked.to_owned(),
        None if TcpListener::bind(well_known).is_ok() => well_known.to_owned(),
        None => "127.0.0.1:0".to_owned(),
    }
}

/// The directory that was asked for, or a new one.
pub(super) fn data_dir(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    let dir = match asked {
        Some(dir) => dir.to_owned(),
        None => {
            let name = format!("tickertape-demo-{}", chrono::Local::now().format("%Y%m%d-%H%M%S"));
            std::env::temp_dir().join(format!("{name}-{}", std::process::id()))
        }
    };
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
    std::path::absolute(&dir).with_context(|| format!("cannot find the directory {}", dir.display()))
}

fn broker_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("broker")
}

/// True if an earlier demo has left its topics there.
pub(super) fn has_run_in(data_dir: &Path) -> bool {
    broker_dir(data_dir).is_dir()
}

//! How a program is told where Kafka is, and with which of librdkafka's properties to speak to it.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use crate::login;
use crate::properties;
use crate::usage::{UsageError, nearest};

/// The options of every command that speaks to Kafka.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaOptions {
    /// Where to find Kafka: one or more host:port, separated by commas
    #[arg(
        long,
        short = 'b',
        alias = "bootstrap-servers",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092"
    )]
    pub bootstrap_server: String,

    /// Any property of librdkafka, over the program's own choice; may be repeated. TLS and SASL are asked for here:
    /// security.protocol, sasl.mechanism (also AWS_MSK_IAM), ssl.ca.location …
    #[arg(short = 'X', long = "property", value_name = "NAME=VALUE", value_parser = parse_property)]
    pub properties: Vec<(String, String)>,

    /// How long to wait for a broker or a store that is away before giving up
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,

    /// The AWS profile whose credentials Amazon MSK gets to see (`sasl.mechanism=AWS_MSK_IAM`), where a command has an option
    /// for it; `None` for the standard chain's.
    #[arg(skip)]
    pub aws_profile: Option<String>,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        KafkaOptions::at("127.0.0.1:9092")
    }
}

impl KafkaOptions {
    /// The defaults, with Kafka at `bootstrap_server`.
    pub fn at(bootstrap_server: impl Into<String>) -> KafkaOptions {
        KafkaOptions {
            bootstrap_server: bootstrap_server.into(),
            properties: Vec::new(),
            timeout: Duration::from_secs(60),
            aws_profile: None,
        }
    }

    /// The value that the user gave to a property by `-X`, under whichever of its names; the last one wins.
    pub fn property(&self, name: &str) -> Option<&str> {
        let wanted = properties::canonical(name);
        self.properties
            .iter()
            .rev()
            .find(|(name, _)| properties::canonical(name) == wanted)
            .map(|(_, value)| value.as_str())
    }

    /// librdkafka's configuration: the program's `defaults`, then the bootstrap server, then what the user
    /// gave by `-X`, which wins under each name that a property has. A client of it is made by [`crate::connect`].
    ///
    /// # Errors
    /// An unknown property, with the nearest that exists, or a value that its property does not take, or a way of logging in
    /// that cannot be.
    pub fn client_config(&self, defaults: &[(&str, &str)]) -> Result<ClientConfig, UsageError> {
        let servers = self.bootstrap_server.split(',').map(str::trim);
        for server in servers.filter(|server| !server.is_empty()) {
            check_server(server)?;
        }
        let mut config = ClientConfig::new();
        let own = [("bootstrap.servers", self.bootstrap_server.as_str())];
        for (name, value) in defaults.iter().copied().chain(own) {
            if self.property(name).is_none() {
                config.set(name, value);
            }
        }
        for (place, (name, value)) in self.properties.iter().enumerate() {
            if login::is_ours(self, name, value) {
                continue;
            }
            check_property(name, value)?;
            let canonical = properties::canonical(name);
            let again = self.properties[place + 1..]
                .iter()
                .any(|(later, _)| properties::canonical(later) == canonical);
            if !again {
                config.set(name, value);
            }
        }
        login::complete(self, &mut config)?;
        Ok(config)
    }
}

/// librdkafka takes `localhost:99999` for port 34463 and an `http://` for a host's name.
fn check_server(server: &str) -> Result<(), UsageError> {
    let bad = |reason: &str| UsageError(format!("--bootstrap-server {server}: {reason}"));
    let address = match server.split_once("://") {
        Some((protocol, rest)) if PROTOCOLS.contains(&protocol.to_ascii_lowercase().as_str()) => rest,
        Some((protocol, _)) => return Err(bad(&format!("{protocol}:// is not Kafka's; expected HOST:PORT"))),
        None => server,
    };
    // An IPv6 address without brackets has no port.
    let port = match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => Some((host, port)),
        _ => None,
    };
    match port {
        Some((host, port)) if host.is_empty() || !port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Err(bad("expected HOST:PORT, with a port from 1 to 65535"))
        }
        _ => Ok(()),
    }
}

/// What may stand before an address, as in Kafka's listeners.
const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

/// The properties that name a file. OpenSSL's own error names none.
const FILES: [&str; 4] = [
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
];

fn check_property(name: &str, value: &str) -> Result<(), UsageError> {
    if FILES.contains(&name)
        && value != "probe"
        && let Err(error) = std::fs::metadata(value)
    {
        return Err(UsageError(format!("-X {name}={value}: {error}")));
    }
    if let Some(instead) = properties::instead_of(name) {
        return Err(UsageError(format!(
            "-X {name}: a property of Kafka's Java client only; {instead}"
        )));
    }
    let mut config = ClientConfig::new();
    config.set(name, value);
    match config.create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            let known = properties::known();
            let hint = match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("; did you mean \"{near}\"?"),
                None => String::new(),
            };
            Err(UsageError(format!(
                "-X {name}={value}: no such property \"{name}\"{hint}"
            )))
        }
        Err(KafkaError::ClientConfig(_, text, ..)) => Err(UsageError(format!("-X {name}={value}: {}", text.trim()))),
        Err(other) => Err(UsageError(format!("-X {name}={value}: {other}"))),
    }
}

fn parse_property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("a property is given as name=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        kafka: KafkaOptions,
    }

    fn parse(arguments: &[&str]) -> KafkaOptions {
        let arguments = ["test"].iter().chain(arguments);
        Command::try_parse_from(arguments).unwrap().kafka
    }

    #[test]
    fn options_parse() {
        assert_eq!(parse(&[]), KafkaOptions::default());
        let options = parse(&["--bootstrap-servers", "a:1,b:2", "-X", "acks=1", "--timeout", "5m"]);
        assert_eq!(options.bootstrap_server, "a:1,b:2");
        assert_eq!(options.properties, [("acks".to_owned(), "1".to_owned())]);
        assert_eq!(options.timeout, Duration::from_secs(300));
        assert_eq!(parse(&["-b", "c:3"]).bootstrap_server, "c:3");
        assert!(Command::try_parse_from(["test", "-X", "acks"]).is_err());
    }

    #[test]
    fn what_the_user_gives_wins_under_each_name_of_a_property() {
        let options = parse(&["-X", "queue.buffering.max.ms=7", "-X", "linger.ms=9"]);
        let config = options.client_config(&[("linger.ms", "5"), ("acks", "all")]).unwrap();
        let map = config.config_map();
        assert_eq!(map.get("linger.ms"), Some(&"9"));
        assert_eq!(map.get("queue.buffering.max.ms"), None);
        assert_eq!(map.get("acks"), Some(&"all"));
        assert_eq!(map.get("bootstrap.servers"), Some(&"127.0.0.1:9092"));
        assert_eq!(options.property("linger.ms"), Some("9"));
    }

    #[test]
    fn an_unknown_property_is_named_with_the_nearest() {
        let error = parse(&["-X", "liner.ms=5"]).client_config(&[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "-X liner.ms=5: no such property \"liner.ms\"; did you mean \"linger.ms\"?"
        );
    }

    #[test]
    fn a_server_that_cannot_be_is_named() {
        for good in ["a", "a:1,b:2", "ssl://a:9093", "[::1]:9092", "::1", "SASL_SSL://a"] {
            assert!(parse(&["-b", good]).client_config(&[]).is_ok(), "{good}");
        }
        for bad in ["a:99999", "http://a:9092", "a:1,b:", ":9092", "a:0", "a:b"] {
            let error = parse(&["-b", bad]).client_config(&[]).unwrap_err().to_string();
            assert!(error.starts_with("--bootstrap-server "), "{bad}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = parse(&["-X", "ssl.ca.location=/nowhere/ca.pem"]).client_config(&[]);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("-X ssl.ca.location=/nowhere/ca.pem: "), "{error}");
    }

    #[test]
    fn a_bad_value_is_named() {
        let error = parse(&["-X", "linger.ms=soon"]).client_config(&[]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("-X linger.ms=soon: ") && text.contains("queue.buffering.max.ms"),
            "{text}"
        );
    }
}

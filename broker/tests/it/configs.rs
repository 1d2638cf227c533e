//! Properties and loggers over the wire: what nobody served before is kept, shown and survives; levels are the process's.

use std::collections::BTreeMap;
use std::process::Stdio;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest};
use kafka_protocol::protocol::StrBytes;
use tickertape_broker::Broker;

use crate::support::client::Client;
use crate::support::process::Process;

const BROKER: i8 = 4;
const LOGGERS: i8 = 8;
const CLIENT_METRICS: i8 = 16;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// What a resource has: value and source by name.
fn described(client: &mut Client, kind: i8, name: &str) -> BTreeMap<String, (Option<String>, i8)> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let answer = client.call(4, &DescribeConfigsRequest::default().with_resources(vec![resource]));
    assert_eq!(answer.results[0].error_code, 0, "{answer:?}");
    let configs = answer.results[0].configs.iter();
    configs
        .map(|config| {
            let value = config.value.as_ref().map(ToString::to_string);
            (config.name.to_string(), (value, config.config_source))
        })
        .collect()
}

/// Sets a property, or with no value deletes it; the error's text where it is refused.
fn alter(client: &mut Client, kind: i8, resource: &str, name: &str, value: Option<&str>) -> Result<(), String> {
    let config = AlterableConfig::default()
        .with_name(text(name))
        .with_config_operation(i8::from(value.is_none()))
        .with_value(value.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configs(vec![config]);
    let answer = client.call(
        1,
        &IncrementalAlterConfigsRequest::default().with_resources(vec![resource]),
    );
    match &answer.responses[0] {
        response if response.error_code == 0 => Ok(()),
        response => Err(response.error_message.as_deref().unwrap_or_default().to_owned()),
    }
}

#[test]
fn what_has_no_effect_is_kept_shown_and_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        let builder = Broker::builder().data_dir(dir.path());
        builder
            .property("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT")
            .property("plugin.secret", "hidden")
            .start_blocking()
            .unwrap()
    };
    for round in 0..2 {
        let broker = start();
        let mut client = Client::connect(broker.bootstrap_servers());
        if round == 0 {
            alter(&mut client, BROKER, "1", "log.cleaner.threads", Some("2")).unwrap();
            alter(&mut client, CLIENT_METRICS, "m", "metrics", Some("org.a")).unwrap();
        }
        let found = described(&mut client, BROKER, "1");
        let of = |name: &str| (found[name].0.as_deref(), found[name].1);
        assert_eq!(of("log.cleaner.threads"), (Some("2"), 2));
        assert_eq!(of("listener.security.protocol.map"), (Some("PLAINTEXT:PLAINTEXT"), 4));
        assert_eq!(of("plugin.secret"), (None, 4), "it may be a password");
        assert_eq!(of("log.dirs"), (dir.path().to_str(), 4));
        assert_eq!(of("ssl.key.password"), (None, 5));
        let listeners = format!("PLAINTEXT://{}", broker.bootstrap_servers());
        assert_eq!(of("listeners"), (Some(listeners.as_str()), 4));
        let metrics = described(&mut client, CLIENT_METRICS, "m");
        assert_eq!(metrics["metrics"], (Some("org.a".to_owned()), 7));
        let listed = client.call(0, &ListConfigResourcesRequest::default());
        assert_eq!(&*listed.config_resources[0].resource_name, "m");
    }
}

#[test]
fn a_value_that_cannot_be_is_refused_also_where_it_has_no_effect() {
    let refused = Broker::builder()
        .property("log.cleaner.threads", "many")
        .start_blocking();
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains("log.cleaner.threads: Not a number of type INT"),
        "{error}"
    );
}

#[test]
fn levels_are_changed_while_the_broker_runs() {
    let dir = tempfile::tempdir().unwrap();
    let stderr = tempfile::NamedTempFile::new().unwrap();
    let process = Process::start_on("127.0.0.1:0", dir.path(), &[], Stdio::from(stderr.reopen().unwrap()));
    let mut client = process.connect();
    const LOG: &str = "tickertape_broker::log";
    let level = |client: &mut Client, name: &str| described(client, LOGGERS, "1")[name].0.clone().unwrap();
    let before = level(&mut client, "root");
    assert_eq!(level(&mut client, LOG), before);

    alter(&mut client, LOGGERS, "1", "root", Some("WARN")).unwrap();
    alter(&mut client, LOGGERS, "1", LOG, Some("TRACE")).unwrap();
    assert_eq!(level(&mut client, "root"), "WARN");
    assert_eq!(level(&mut client, LOG), "TRACE");
    // This is logged as a warning, and was not before.
    alter(&mut client, BROKER, "1", "log.cleaner.threads", Some("2")).unwrap();
    let logged = std::fs::read_to_string(stderr.path()).unwrap();
    assert!(
        logged.contains("log.cleaner.threads is kept, but has no effect"),
        "{logged}"
    );
    alter(&mut client, LOGGERS, "1", LOG, None).unwrap();
    assert_eq!(level(&mut client, LOG), "WARN");

    for (name, value, says) in [
        ("kafka", Some("INFO"), "Logger kafka does not exist!"),
        ("root", None, "Removing the log level of the root logger is not allowed"),
        (
            "root",
            Some("info"),
            "Cannot set the log level of root to info as it is not a supported log level. Valid log levels are DEBUG, ERROR, \
             FATAL, INFO, TRACE, WARN",
        ),
    ] {
        assert_eq!(alter(&mut client, LOGGERS, "1", name, value), Err(says.to_owned()));
    }
    let of_another = alter(&mut client, LOGGERS, "2", "root", Some("INFO"));
    assert_eq!(
        of_another,
        Err("Unexpected node id. Expected 1, but received 2".to_owned())
    );
}

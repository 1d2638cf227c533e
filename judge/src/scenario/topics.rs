//! Topics made, changed and deleted, and their configurations.

use serde_json::{Value, json};

use super::action::{Action, Change, Creation, Setting};
use super::run::{Outcome, Run};
use super::side::Request;
use crate::lists::Exception;

impl Run<'_> {
    pub(super) fn on_topics(&mut self, action: &Action) -> Outcome {
        match action {
            Action::CreateTopic {
                topic,
                partitions,
                configs,
                how,
                version,
            } => {
                let name = self.world.new_topic(*topic);
                let version = Self::version("CreateTopics", *version)?;
                self.create_topic(&name, *partitions, configs, *how, version)
            }
            Action::DeleteTopic { topic, by_id, version } => {
                let name = self.world.topic(*topic);
                self.delete_topic(&name, *by_id, Self::version("DeleteTopics", *version)?)
            }
            Action::AddPartitions {
                topic,
                more,
                validate_only,
                version,
            } => {
                let name = self.world.topic(*topic);
                let has = self.world.topics.get(&name).map_or(0, |topic| topic.partitions.len());
                let count = has as i32 + i32::from(*more);
                let topics = json!([{ "Name": name, "Count": count, "Assignments": null }]);
                let request = json!({ "Topics": topics, "TimeoutMs": 60_000, "ValidateOnly": validate_only });
                let version = Self::version("CreatePartitions", *version)?;
                let answer = self.ask(Request::new("CreatePartitions", version, request))?;
                if answer["Results"][0]["ErrorCode"] == 0 && !validate_only {
                    self.settle()?;
                    self.see_topic(&name)?;
                }
                Ok(())
            }
            Action::Metadata { topic, by_id, version } => self.metadata(*topic, *by_id, *version),
            Action::DescribeTopicPartitions { topic, limit } => {
                let name = self.world.topic(*topic);
                let request = json!({ "Topics": [{ "Name": name }], "ResponsePartitionLimit": limit });
                self.ask(Request::new("DescribeTopicPartitions", 0, request)).map(drop)
            }
            _ => self.on_configs(action),
        }
    }

    fn on_configs(&mut self, action: &Action) -> Outcome {
        match action {
            Action::AlterConfigs {
                topic,
                changes,
                validate_only,
                version,
            } => {
                let mut changes: Vec<_> = changes.iter().collect();
                let may_fail = |change: Change| !matches!(change, Change::Set | Change::Delete);
                if changes.iter().filter(|(change, _)| may_fail(*change)).count() > 1
                    && self.lists.except(Exception::FirstFault)
                {
                    let mut failed = false;
                    changes.retain(|(change, _)| !may_fail(*change) || !std::mem::replace(&mut failed, true));
                }
                let configs = changes.into_iter().map(|(change, setting)| {
                    let value = match change {
                        Change::Delete => Value::Null,
                        _ => setting.value.clone().into(),
                    };
                    json!({ "Name": setting.name, "ConfigOperation": operation(*change), "Value": value })
                });
                let configs = configs.collect();
                self.alter(*topic, "IncrementalAlterConfigs", configs, *validate_only, *version)
            }
            Action::ReplaceConfigs {
                topic,
                configs,
                version,
            } => self.alter(*topic, "AlterConfigs", settings(configs), false, *version),
            Action::DescribeConfigs {
                topic,
                synonyms,
                version,
            } => {
                let name = self.world.topic(*topic);
                let keys = [
                    "cleanup.policy",
                    "retention.ms",
                    "max.message.bytes",
                    "no.such.property",
                ];
                let resource = json!({ "ResourceType": 2, "ResourceName": name, "ConfigurationKeys": keys });
                let request = json!({ "Resources": [resource], "IncludeSynonyms": synonyms });
                let version = Self::version("DescribeConfigs", *version)?;
                self.ask(Request::new("DescribeConfigs", version, request)).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn create_topic(
        &mut self,
        name: &str,
        partitions: u8,
        configs: &[Setting],
        how: Creation,
        version: i16,
    ) -> Outcome {
        let mut topic = json!({
            "Name": name, "NumPartitions": partitions, "ReplicationFactor": 1, "Configs": settings(configs)
        });
        let assigned_to = |topic: &mut Value, broker: i32| {
            topic["NumPartitions"] = (-1).into();
            topic["ReplicationFactor"] = (-1).into();
            topic["Assignments"] = json!([{ "PartitionIndex": 0, "BrokerIds": [broker] }]);
        };
        match how {
            Creation::BadName => topic["Name"] = format!("{name}/bad").into(),
            Creation::Replicas => topic["ReplicationFactor"] = 3.into(),
            Creation::NoPartitions => topic["NumPartitions"] = 0.into(),
            Creation::Assigned => assigned_to(&mut topic, 1),
            Creation::AssignedElsewhere => assigned_to(&mut topic, 77),
            Creation::Plain | Creation::ValidateOnly | Creation::Twice => {}
        }
        let mut topics = vec![topic.clone()];
        if how == Creation::Twice {
            topics.push(topic);
        }
        let validate_only = how == Creation::ValidateOnly;
        let request = json!({ "Topics": topics, "timeoutMs": 60_000, "validateOnly": validate_only });
        let id = format!("$id:{name}");
        let answer = self.ask_learning(Request::new("CreateTopics", version, request), |side, answer| {
            let created = &answer["Topics"][0];
            if let (true, Some(text)) = (created["ErrorCode"] == 0, created["TopicId"].as_str())
                && !validate_only
            {
                side.learn(&id, text);
            } else if let Some(text) = created["TopicId"].as_str() {
                side.learn("$id:never made", text);
            }
        })?;
        if answer["Topics"][0]["ErrorCode"] == 0 && !validate_only {
            self.settle()?;
            self.see_topic(name)?;
        }
        Ok(())
    }

    pub(super) fn delete_topic(&mut self, name: &str, by_id: bool, version: i16) -> Outcome {
        let topic = if by_id {
            json!({ "Name": null, "TopicId": format!("$id:{name}") })
        } else {
            json!({ "Name": name })
        };
        let request = json!({ "Topics?": [topic], "TopicNames?": [name], "TimeoutMs": 60_000 });
        let answer = self.ask(Request::new("DeleteTopics", version, request))?;
        if answer["Responses"][0]["ErrorCode"] != 0 {
            return Ok(());
        }
        self.settle()?;
        self.world.topics.remove(name);
        self.world.sent.retain(|(_, topic, _), _| topic != name);
        let request = json!({ "Topics": [{ "Name": name }], "AllowAutoTopicCreation": false });
        self.ask(Request::new("Metadata", 12, request))?;
        // What groups committed for it is gone too.
        for group in 0..self.world.groups.len() {
            if self.world.groups[group].commits {
                self.see_committed(group)?;
            }
        }
        Ok(())
    }

    fn alter(&mut self, topic: u8, api: &'static str, configs: Value, validate_only: bool, version: u8) -> Outcome {
        let name = self.world.topic(topic);
        let resource = json!({ "ResourceType": 2, "ResourceName": name, "Configs": configs });
        let request = json!({ "Resources": [resource], "ValidateOnly": validate_only });
        let answer = self.ask(Request::new(api, Self::version(api, version)?, request))?;
        if answer["Responses"][0]["ErrorCode"] == 0 && !validate_only {
            self.settle()?;
            self.see_configs(&name)?;
        }
        Ok(())
    }

    fn metadata(&mut self, topic: u8, by_id: bool, version: u8) -> Outcome {
        let name = self.world.topic(topic);
        let mut version = Self::version("Metadata", version)?;
        // Before version 4 a topic that there is not would be made.
        if version < 4 && !self.world.topics.contains_key(&name) && self.lists.except(Exception::MadeByAsking) {
            version += 4;
        }
        let topic = if by_id && version >= 12 {
            json!({ "Name": null, "TopicId": format!("$id:{name}") })
        } else {
            json!({ "Name": name })
        };
        let request = json!({ "Topics": [topic], "AllowAutoTopicCreation?": false });
        self.ask(Request::new("Metadata", version, request)).map(drop)
    }
}

fn settings(configs: &[Setting]) -> Value {
    let configs = configs.iter();
    configs
        .map(|setting| json!({ "Name": setting.name, "Value": setting.value }))
        .collect()
}

fn operation(change: Change) -> i8 {
    match change {
        Change::Set => 0,
        Change::Delete => 1,
        Change::Append => 2,
        Change::Subtract => 3,
        Change::Unknown => 9,
    }
}

//! What can be seen after an action: topics with their configurations, logs with the bytes of every batch, groups with
//! their members, committed offsets.

use std::time::Instant;

use serde_json::{Value, json};

use super::run::{Outcome, PATIENCE, Run};
use super::side::Request;
use super::world::{Ends, Kind};

impl Run<'_> {
    /// A topic, its configuration, and its partitions, of which new ones are taken note of.
    pub(super) fn see_topic(&mut self, topic: &str) -> Outcome {
        let request = json!({ "Topics": [{ "Name": topic }], "AllowAutoTopicCreation": false });
        let request = Request::new("Metadata", 12, request);
        let name = format!("$id:{topic}");
        let metadata = self.ask_learning(request, |side, answer| {
            if let Some(id) = answer["Topics"][0]["TopicId"].as_str() {
                side.learn(&name, id);
            }
        })?;
        let count = metadata["Topics"][0]["Partitions"].as_array().map_or(0, Vec::len);
        let known = self.world.topics.entry(topic.to_owned()).or_default();
        let seen = known.partitions.len();
        known.partitions.resize(count, Ends::default());
        for partition in seen..count {
            self.see_partition(topic, partition as i32)?;
        }
        self.see_configs(topic)
    }

    /// Every property of a topic, with where its value comes from (the synonyms behind it are asked for by the cases).
    pub(super) fn see_configs(&mut self, topic: &str) -> Outcome {
        let resource = json!({ "ResourceType": 2, "ResourceName": topic, "ConfigurationKeys": null });
        let request = json!({ "Resources": [resource], "IncludeSynonyms": false });
        let configs = self.see(Request::new("DescribeConfigs", 4, request))?;
        let value = |name: &str| {
            let configs = configs["Results"][0]["Configs"].as_array().into_iter().flatten();
            let mut named = configs.filter(|config| config["Name"] == name);
            named.next().map_or(Value::Null, |config| config["Value"].clone())
        };
        let known = self.world.topics.entry(topic.to_owned()).or_default();
        known.append_time |= value("message.timestamp.type") == "LogAppendTime";
        let recompresses = value("compression.type") != "producer";
        for side in &mut self.sides {
            side.recompressed |= recompresses;
        }
        Ok(())
    }

    /// A partition's offsets and all of its bytes, for either kind of reader.
    pub(super) fn see_partition(&mut self, topic: &str, partition: i32) -> Outcome {
        let start = self.see_offset(topic, partition, -2, 0)?["Offset"]
            .as_i64()
            .unwrap_or(-1);
        let part = json!({ "Partition": partition, "FetchOffset": start.max(0), "PartitionMaxBytes": i32::MAX });
        let request = |isolation: i8| {
            json!({
                "MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": i32::MAX, "IsolationLevel": isolation,
                "Topics": [{ "TopicId": format!("$id:{topic}"), "Partitions": [part] }]
            })
        };
        if self.world.transactional.iter().any(|producer| producer.begun) {
            self.see(Request::new("Fetch", 17, request(1)))?;
        }
        let fetched = self.see(Request::new("Fetch", 17, request(0)))?;
        let fetched = &fetched["Responses"][0]["Partitions"][0];
        let end = fetched["HighWatermark"].as_i64().unwrap_or(-1);
        self.see_offset(topic, partition, -1, 1)?;
        self.see_offset(topic, partition, -3, 0)?;
        let ends = self.world.topics.get_mut(topic);
        if let Some(known) = ends.and_then(|topic| topic.partitions.get_mut(usize::try_from(partition).ok()?)) {
            *known = Ends { start, end };
        }
        Ok(())
    }

    fn see_offset(&mut self, topic: &str, partition: i32, timestamp: i64, isolation: i8) -> Outcome<Value> {
        let stamped = self.world.topics.get(topic).is_some_and(|topic| topic.append_time);
        let part = json!({ "PartitionIndex": partition, "Timestamp": timestamp });
        let topics = json!([{ "Name": topic, "Partitions": [part] }]);
        let request = json!({ "ReplicaId": -1, "IsolationLevel": isolation, "Topics": topics });
        let mut request = Request::new("ListOffsets", 9, request);
        request.stamped = stamped;
        let answer = self.see(request)?;
        Ok(answer["Topics"][0]["Partitions"][0].clone())
    }

    /// A group by both kinds of description, and what it has committed.
    pub(super) fn see_group(&mut self, group: usize) -> Outcome {
        self.rest(group)?;
        let name = self.world.groups[group].name.clone();
        let request = json!({ "Groups": [name] });
        self.see(Request::new("DescribeGroups", 6, request))?;
        if self.world.groups[group].kind != Kind::Classic {
            let request = json!({ "GroupIds": [name], "IncludeAuthorizedOperations": false });
            let described = self.see(Request::new("ConsumerGroupDescribe", 1, request))?;
            let described = &described["Groups"][0];
            let members = described["Members"].as_array().map_or(0, Vec::len);
            self.note_protocol(group, described["ErrorCode"] == 0 && members > 0);
        }
        if self.world.groups[group].commits {
            self.see_committed(group)?;
        }
        Ok(())
    }

    /// Waits until no broker rebalances a group that nobody is in: that ends by a timer of 0 ms, of which either may be first.
    fn rest(&mut self, group: usize) -> Outcome {
        let request = json!({ "Groups": [self.world.groups[group].name] });
        let began = Instant::now();
        for side in &mut self.sides {
            loop {
                let answer = side.main.ask("DescribeGroups", 0, &request);
                let answer = answer.map_err(anyhow::Error::from)?.into_value();
                let seen = &answer["Groups"][0];
                let rests = seen["GroupState"] != "PreparingRebalance" || seen["Members"] != json!([]);
                if rests || began.elapsed() > PATIENCE {
                    break;
                }
            }
        }
        Ok(())
    }

    /// All that a group has committed.
    pub(super) fn see_committed(&mut self, group: usize) -> Outcome {
        let name = self.world.groups[group].name.clone();
        let request = json!({ "Groups": [{ "GroupId": name, "Topics": null }] });
        self.see(Request::new("OffsetFetch", 8, request)).map(drop)
    }

    /// Everything.
    pub(super) fn see_all(&mut self) -> Outcome {
        let topics: Vec<(String, usize)> = self
            .world
            .topics
            .iter()
            .map(|(name, topic)| (name.clone(), topic.partitions.len()))
            .collect();
        for (topic, partitions) in topics {
            self.see_topic(&topic)?;
            for partition in 0..partitions {
                self.see_partition(&topic, partition as i32)?;
            }
        }
        for group in 0..self.world.groups.len() {
            self.see_group(group)?;
        }
        Ok(())
    }
}

//! The bytes of keys and values. What is expected was written by Apache Kafka 4.1.1's own classes for the same fields.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::*;
use crate::coordinator::group::classic::{Member, Protocol};
use crate::coordinator::group::consumer::{ClassicMetadata, MemberState};
use crate::coordinator::group::{CommittedOffset, ConsumerGroup, ConsumerMember};
use kafka_protocol::protocol::StrBytes;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn keys_are_apache_kafkas() {
    let keys = [
        (keys::offset("g", "orders", 3), "000100016700066f726465727300000003"),
        (keys::classic_group("g"), "0002000167"),
        (keys::consumer_group("g"), "0003000167"),
        (keys::subscription_metadata("g"), "0004000167"),
        (keys::member("g", "m"), "000500016700016d"),
        (keys::target_epoch("g"), "0006000167"),
        (keys::target("g", "m"), "000700016700016d"),
        (keys::current("g", "m"), "000800016700016d"),
        (keys::expression("g", "o.*"), "001000016700036f2e2a"),
    ];
    for (key, expected) in keys {
        assert_eq!(hex(&key), expected);
    }
}

#[test]
fn offsets_are_apache_kafkas() {
    let mut offset = CommittedOffset {
        offset: 42,
        leader_epoch: 5,
        metadata: text("né"),
        commit_timestamp_ms: 1000,
        expire_timestamp_ms: None,
    };
    assert_eq!(
        hex(&values::offset(&offset)),
        "0004000000000000002a00000005046ec3a900000000000003e800"
    );
    offset.expire_timestamp_ms = Some(2000);
    assert_eq!(
        hex(&values::offset(&offset)),
        "0001000000000000002a00036ec3a900000000000003e800000000000007d0"
    );
}

#[test]
fn classic_groups_are_apache_kafkas() {
    let mut group = ClassicGroup {
        generation: 0,
        ..ClassicGroup::default()
    };
    assert_eq!(
        hex(&values::classic_group(&group)),
        "0003000000000000ffffffffffffffffffffffff00000000"
    );
    group.generation = 7;
    group.protocol_type = Some(text("consumer"));
    group.protocol_name = Some(text("range"));
    group.leader = Some(text("m"));
    group.state_since_ms = Some(1000);
    let protocol = |name: &str, metadata: &'static [u8]| Protocol {
        name: text(name),
        metadata: Bytes::from_static(metadata),
    };
    let member = Member {
        id: text("m"),
        instance_id: Some(text("i")),
        client_id: text("c"),
        client_host: text("/127.0.0.1"),
        rebalance_timeout_ms: 300_000,
        session_timeout_ms: 45_000,
        protocols: vec![protocol("other", &[7]), protocol("range", &[1, 2])],
        assignment: Bytes::from_static(&[3]),
        awaiting_join: false,
        awaiting_sync: false,
        is_new: false,
    };
    group.members.insert(text("m"), Arc::new(member));
    assert_eq!(
        hex(&values::classic_group(&group)),
        "00030008636f6e73756d657200000007000572616e676500016d00000000000003e80000000100016d000169000163000a2f3132372e302e\
         302e31000493e00000afc80000000201020000000103"
    );
}

#[test]
fn members_of_consumer_groups_are_apache_kafkas() {
    let mut member = ConsumerMember {
        instance_id: Some(text("i")),
        client_id: text("c"),
        client_host: text("/127.0.0.1"),
        topics: [text("a"), text("b")].into(),
        regex: Some(text("o.*")),
        rebalance_timeout_ms: 300_000,
        assignor: Some(text("range")),
        epoch: 3,
        previous_epoch: 2,
        state: MemberState::UnrevokedPartitions,
        ..ConsumerMember::default()
    };
    let id = Uuid::from_u64_pair(1, 2);
    member.assigned.insert(id, [0].into());
    member.revoking.insert(id, [2].into());
    member.target.insert(id, [0, 2].into());
    assert_eq!(
        hex(&values::member(&member)),
        "000002690002630b2f3132372e302e302e310302610262046f2e2a000493e00672616e676501000100"
    );
    assert_eq!(
        hex(&values::current(&member)),
        "00000000000300000002010200000000000000010000000000000002020000000000020000000000000001000000000000000202000000020000"
    );
    assert_eq!(
        hex(&values::target(&member)),
        "000002000000000000000100000000000000020300000000000000020000"
    );
    let classic = ConsumerMember {
        rack_id: Some(text("r")),
        client_id: text("c"),
        client_host: text("/127.0.0.1"),
        rebalance_timeout_ms: 1,
        classic: Some(ClassicMetadata {
            session_timeout_ms: 45_000,
            protocols: vec![Protocol {
                name: text("range"),
                metadata: Bytes::from_static(&[9, 8]),
            }],
        }),
        ..ConsumerMember::default()
    };
    assert_eq!(
        hex(&values::member(&classic)),
        "000000027202630b2f3132372e302e302e3101010000000100010011010000afc8020672616e67650309080000"
    );
}

#[test]
fn consumer_groups_are_apache_kafkas() {
    let group = ConsumerGroup {
        epoch: 3,
        assignment_epoch: 3,
        ..ConsumerGroup::default()
    };
    assert_eq!(hex(&values::consumer_group(&group)), "00000000000300");
    assert_eq!(hex(&values::target_epoch(&group)), "00000000000300");
    let matched = [text("orders")].into();
    let expression = values::expression(&matched, 4, 1000);
    assert_eq!(
        hex(&expression),
        "000002076f7264657273000000000000000400000000000003e800"
    );
    let key = keys::expression("g", "o.*");
    let later = values::expression(&matched, 5, 2000);
    assert!(
        same(&key, Some(&expression), Some(&later)),
        "when it was looked at does not count"
    );
    assert!(!same(&keys::classic_group("g"), Some(&expression), Some(&later)));
    let other = values::expression(&[text("order2")].into(), 4, 1000);
    assert!(!same(&key, Some(&expression), Some(&other)));
}

//! Generated from Apache Kafka 4.1.1 by `cargo xtask shapes`; not to be edited.

use super::build::*;

pub(super) static OTHERS: &[Message] = &[
    message("ConsumerProtocolAssignment", DATA, -1, from_to(0, 3), NONE, &[
        field("AssignedPartitions", structures!("TopicPartition", &[
            field("Topic", STRING, since(0)).entity("topicName").map_key(),
            field("Partitions", array(&INT32), since(0)),
        ]), since(0)),
        field("UserData", BYTES, since(0)).nullable(since(0)).default("null"),
    ]),
    message("ConsumerProtocolSubscription", DATA, -1, from_to(0, 3), NONE, &[
        field("Topics", array(&STRING), since(0)),
        field("UserData", BYTES, since(0)).nullable(since(0)).default("null"),
        field("OwnedPartitions", structures!("TopicPartition", &[
            field("Topic", STRING, since(1)).entity("topicName").map_key(),
            field("Partitions", array(&INT32), since(1)),
        ]), since(1)),
        field("GenerationId", INT32, since(2)).default("-1"),
        field("RackId", STRING, since(3)).nullable(since(3)).default("null"),
    ]),
    message("DefaultPrincipalData", DATA, -1, from_to(0, 0), since(0), &[
        field("Type", STRING, since(0)),
        field("Name", STRING, since(0)),
        field("TokenAuthenticated", BOOL, since(0)),
    ]),
    message("EndTxnMarker", DATA, -1, from_to(0, 0), NONE, &[
        field("CoordinatorEpoch", INT32, since(0)),
    ]),
    message("KRaftVersionRecord", DATA, -1, from_to(0, 0), since(0), &[
        field("Version", INT16, since(0)),
        field("KRaftVersion", INT16, since(0)),
    ]),
    message("LeaderChangeMessage", DATA, -1, from_to(0, 1), since(0), &[
        field("Version", INT16, since(0)),
        field("LeaderId", INT32, since(0)).entity("brokerId"),
        field("Voters", structures!("Voter", &[
            field("VoterId", INT32, since(0)),
            field("VoterDirectoryId", UUID, since(1)),
        ]), since(0)),
        field("GrantingVoters", structures!("Voter", &[
            field("VoterId", INT32, since(0)),
            field("VoterDirectoryId", UUID, since(1)),
        ]), since(0)),
    ]),
    message("RequestHeader", HEADER, -1, from_to(1, 2), since(2), &[
        field("RequestApiKey", INT16, since(0)),
        field("RequestApiVersion", INT16, since(0)),
        field("CorrelationId", INT32, since(0)),
        field("ClientId", STRING, since(1)).nullable(since(1)).inflexible(),
    ]),
    message("ResponseHeader", HEADER, -1, from_to(0, 1), since(1), &[
        field("CorrelationId", INT32, since(0)),
    ]),
    message("SnapshotFooterRecord", DATA, -1, from_to(0, 0), since(0), &[
        field("Version", INT16, since(0)),
    ]),
    message("SnapshotHeaderRecord", DATA, -1, from_to(0, 0), since(0), &[
        field("Version", INT16, since(0)),
        field("LastContainedLogTimestamp", INT64, since(0)),
    ]),
    message("VotersRecord", DATA, -1, from_to(0, 0), since(0), &[
        field("Version", INT16, since(0)),
        field("Voters", structures!("Voter", &[
            field("VoterId", INT32, since(0)).entity("brokerId"),
            field("VoterDirectoryId", UUID, since(0)),
            field("Endpoints", structures!("Endpoint", &[
                field("Name", STRING, since(0)).map_key(),
                field("Host", STRING, since(0)),
                field("Port", UINT16, since(0)),
            ]), since(0)),
            field("KRaftVersionFeature", structure!("KRaftVersionFeature", &[
                field("MinSupportedVersion", INT16, since(0)),
                field("MaxSupportedVersion", INT16, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
];

//! Why a group refuses a command, and the Kafka error code of each reason: the one place where they meet.

use kafka_protocol::error::ResponseError;

/// A refusal by the group coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The group id is empty where it must not be.
    #[error("the group id is empty")]
    InvalidGroupId,
    /// The session time-out lies outside `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
    #[error("the session time-out is outside the allowed range")]
    InvalidSessionTimeout,
    /// The group has no such member.
    #[error("the group has no such member")]
    UnknownMemberId,
    /// The generation is not the group's.
    #[error("the generation is not the group's current one")]
    IllegalGeneration,
    /// The `group.instance.id` belongs to another member id by now.
    #[error("the group instance id belongs to another member by now")]
    FencedInstanceId,
    /// The member's protocols do not go together with those of the others.
    #[error("the protocols do not go together with the group's")]
    InconsistentGroupProtocol,
    /// A member id was assigned; the member must join again with it.
    #[error("join again with the assigned member id")]
    MemberIdRequired,
    /// The group has `group.max.size` members.
    #[error("the group is full")]
    GroupMaxSizeReached,
    /// The group is rebalancing.
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    /// There is no such group.
    #[error("there is no such group")]
    GroupIdNotFound,
    /// The group has members.
    #[error("the group has members")]
    NonEmptyGroup,
    /// A member subscribes to the topic.
    #[error("the group is subscribed to the topic")]
    GroupSubscribedToTopic,
    /// The metadata of a commit is longer than `offset.metadata.max.bytes`.
    #[error("the offset's metadata is too large")]
    OffsetMetadataTooLarge,
    /// A transaction is about to replace the offset.
    #[error("a transaction has not yet committed the offset")]
    UnstableOffset,
    /// The store refused the change; the client looks the coordinator up again and retries.
    #[error("the change could not be stored")]
    StorageFailed,
    /// The coordinator is shutting down.
    #[error("the coordinator is not available")]
    CoordinatorNotAvailable,
    /// A member's epoch is not the one that the group knows.
    #[error("the member epoch is fenced")]
    FencedMemberEpoch,
    /// A commit or a fetch names an epoch that has passed.
    #[error("the member epoch is stale")]
    StaleMemberEpoch,
    /// The `group.instance.id` belongs to a member that has not left.
    #[error("the group instance id is still in use")]
    UnreleasedInstanceId,
    /// There is no such server-side assignor.
    #[error("the assignor is not supported")]
    UnsupportedAssignor,
    /// The expression by which a member subscribes cannot be understood.
    #[error("the regular expression is not valid")]
    InvalidRegularExpression,
    /// The request is of a version that this group cannot answer.
    #[error("the version is not supported for this group")]
    UnsupportedVersion,
    /// The request makes no sense.
    #[error("invalid request")]
    InvalidRequest,
    /// The request contradicts itself in a way that no client's does.
    #[error("unexpected request")]
    Unexpected,
}

impl GroupError {
    /// The Kafka error code.
    pub fn code(self) -> i16 {
        let error = match self {
            GroupError::InvalidGroupId => ResponseError::InvalidGroupId,
            GroupError::InvalidSessionTimeout => ResponseError::InvalidSessionTimeout,
            GroupError::UnknownMemberId => ResponseError::UnknownMemberId,
            GroupError::IllegalGeneration => ResponseError::IllegalGeneration,
            GroupError::FencedInstanceId => ResponseError::FencedInstanceId,
            GroupError::InconsistentGroupProtocol => ResponseError::InconsistentGroupProtocol,
            GroupError::MemberIdRequired => ResponseError::MemberIdRequired,
            GroupError::GroupMaxSizeReached => ResponseError::GroupMaxSizeReached,
            GroupError::RebalanceInProgress => ResponseError::RebalanceInProgress,
            GroupError::GroupIdNotFound => ResponseError::GroupIdNotFound,
            GroupError::NonEmptyGroup => ResponseError::NonEmptyGroup,
            GroupError::GroupSubscribedToTopic => ResponseError::GroupSubscribedToTopic,
            GroupError::OffsetMetadataTooLarge => ResponseError::OffsetMetadataTooLarge,
            GroupError::UnstableOffset => ResponseError::UnstableOffsetCommit,
            GroupError::StorageFailed => ResponseError::NotCoordinator,
            GroupError::CoordinatorNotAvailable => ResponseError::CoordinatorNotAvailable,
            GroupError::FencedMemberEpoch => ResponseError::FencedMemberEpoch,
            GroupError::StaleMemberEpoch => ResponseError::StaleMemberEpoch,
            GroupError::UnreleasedInstanceId => ResponseError::UnreleasedInstanceId,
            GroupError::UnsupportedAssignor => ResponseError::UnsupportedAssignor,
            GroupError::InvalidRegularExpression => ResponseError::InvalidRegularExpression,
            GroupError::UnsupportedVersion => ResponseError::UnsupportedVersion,
            GroupError::InvalidRequest => ResponseError::InvalidRequest,
            GroupError::Unexpected => ResponseError::UnknownServerError,
        };
        error.code()
    }
}

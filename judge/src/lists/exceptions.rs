//! What scenarios leave out, or do not look at: a random sequence cannot say in which of its steps a difference is meant.

/// One kind of exception, named where a scenario makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// Offsets that cannot be committed are only tried on a group that has some.
    RefusedFirstCommit,
    /// A topic that there is not is only asked for in versions that do not make it.
    MadeByAsking,
    /// A member that joins again closes the connection on which it joined before.
    OlderJoin,
    /// Who leads a group is not compared once its leader has left; its members sync together from then on.
    LeaderAfterLeader,
    /// Members of the classic protocol make up their own ids where they may.
    OwnNames,
    /// A member that stays changes its protocol only when the others have what they are meant to have.
    ChangeWhileUnsettled,
    /// Groups of the assignor `uniform` subscribe to one topic.
    UniformOverTopics,
    /// Timestamps that the broker gave are not compared, nor is it asked for times near them.
    AppendTime,
    /// Of batches that the broker compressed anew what is in them is compared.
    Recompressed,
    /// The bounds that a timestamp should be within, counted from now, are cut from the text.
    TimestampBounds,
    /// The id of a member that has not been told it is not compared.
    UntoldMember,
    /// Of several changes of one topic's properties that may be refused only the first is made.
    FirstFault,
    /// Lists are compared in an order of their own.
    Order,
}

/// An exception and why it is made.
#[derive(Debug)]
pub struct Excepted {
    /// Which.
    pub what: Exception,
    /// Why.
    pub reason: &'static str,
    /// Where brokers differ on purpose: the API and the case that shows it, an entry of [`super::DELIBERATE`]. None where
    /// what is left out is for neither broker to say (a time, an id, the output of a codec).
    pub shown_by: Option<(&'static str, &'static str)>,
}

/// All of them.
pub const EXCEPTIONS: &[Excepted] = &[
    Excepted {
        what: Exception::RefusedFirstCommit,
        reason: "Apache Kafka keeps an empty group in memory where nothing could be committed",
        shown_by: Some(("OffsetCommit", "a group of which nothing could be committed")),
    },
    Excepted {
        what: Exception::MadeByAsking,
        reason: "Apache Kafka makes it some time after it has answered that there is none",
        shown_by: None,
    },
    Excepted {
        what: Exception::OlderJoin,
        reason: "no client waits for two answers to one question; Apache Kafka forgets the first",
        shown_by: None,
    },
    Excepted {
        what: Exception::LeaderAfterLeader,
        reason: "the next leader depends on ids of members, which each broker makes up",
        shown_by: None,
    },
    Excepted {
        what: Exception::OwnNames,
        reason: "`range` takes members in the order of their ids, which each broker makes up",
        shown_by: None,
    },
    Excepted {
        what: Exception::ChangeWhileUnsettled,
        reason: "Apache Kafka leaves the others without the rest of what they are meant to have until something else happens",
        shown_by: None,
    },
    Excepted {
        what: Exception::UniformOverTopics,
        reason: "`uniform` takes topics in the order of their ids, which each broker makes up",
        shown_by: None,
    },
    Excepted {
        what: Exception::AppendTime,
        reason: "no two brokers append at one moment",
        shown_by: None,
    },
    Excepted {
        what: Exception::Recompressed,
        reason: "a codec may say the same in other bytes",
        shown_by: None,
    },
    Excepted {
        what: Exception::TimestampBounds,
        reason: "now is another moment on each",
        shown_by: None,
    },
    Excepted {
        what: Exception::UntoldMember,
        reason: "each broker makes up its own, and the answer that tells it has not come yet",
        shown_by: None,
    },
    Excepted {
        what: Exception::FirstFault,
        reason: "Apache Kafka tells of the one that comes first in a hash table of the properties' names",
        shown_by: None,
    },
    Excepted {
        what: Exception::Order,
        reason: "the order of hash tables over ids that each broker makes up; the cases compare orders, but for UNORDERED",
        shown_by: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lists::DELIBERATE;

    /// What is mended in a broker goes from both lists.
    #[test]
    fn what_is_left_out_for_a_difference_is_a_difference_of_some_case() {
        for entry in EXCEPTIONS {
            if let Some((api, case)) = entry.shown_by {
                let shown = DELIBERATE.iter().any(|known| known.api == api && known.case == case);
                assert!(shown, "{:?}: {api} ({case}) is no deliberate difference", entry.what);
            }
        }
    }

    #[test]
    fn each_stands_once() {
        for (at, entry) in EXCEPTIONS.iter().enumerate() {
            assert!(
                EXCEPTIONS[..at].iter().all(|before| before.what != entry.what),
                "{:?}",
                entry.what
            );
        }
    }
}

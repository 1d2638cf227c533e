//! From a cut batch to offsets that may be committed.

use crate::{ledger::Claim, options::Break};

/// What is to be done next for a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Put the claim; only if there is none under its key, if `conditional`.
    Claim {
        /// Always, unless the protocol is broken on purpose.
        conditional: bool,
    },
    /// Read the claim that is there under the same key.
    ReadClaim,
    /// Put the claim's objects, whether or not they are there.
    PutObjects,
    /// Make them known to the catalog.
    Register,
    /// The end of the batch may be committed.
    Commit,
    /// All of it is done.
    Written,
    /// The range is another's: the batch is dropped, and the partition taken up again.
    Fenced {
        /// Who has claimed it.
        by: String,
    },
    /// The store contradicts itself: what is there can't be read.
    Vanished,
}

/// How a step went.
#[derive(Debug)]
pub(crate) enum Answer<'a> {
    /// It is done.
    Done,
    /// There is a claim already.
    Exists,
    /// This is the claim, if there is one.
    Claim(Option<&'a Claim>),
}

/// A batch on its way. Its predecessor of the same partition must have been [`Next::Written`] before the first step.
#[derive(Debug)]
pub(crate) struct Writing {
    nonce: String,
    broken: Option<Break>,
}

impl Writing {
    /// Of a batch whose claim has this nonce, and the first step.
    pub(crate) fn new(claim: &Claim, broken: Option<Break>) -> (Self, Next) {
        let conditional = broken != Some(Break::ClaimWithoutCondition);
        let nonce = claim.nonce.clone();
        (Self { nonce, broken }, Next::Claim { conditional })
    }

    /// What follows a step.
    pub(crate) fn next(&self, done: &Next, answer: &Answer<'_>) -> Next {
        match (done, answer) {
            (Next::Claim { .. }, Answer::Exists) => Next::ReadClaim,
            (Next::Claim { .. }, _) => self.claimed(),
            // Ours, if an attempt went well and its answer was lost.
            (Next::ReadClaim, Answer::Claim(Some(there))) if there.nonce == self.nonce => self.claimed(),
            (Next::ReadClaim, Answer::Claim(Some(there))) => Next::Fenced {
                by: there.owner.clone(),
            },
            (Next::ReadClaim, _) => Next::Vanished,
            (Next::PutObjects, _) => Next::Register,
            (Next::Register, _) if self.commits_early() => Next::Written,
            (Next::Register, _) => Next::Commit,
            (Next::Commit, _) if self.commits_early() => Next::PutObjects,
            (Next::Commit, _) => Next::Written,
            (ended @ (Next::Written | Next::Fenced { .. } | Next::Vanished), _) => ended.clone(),
        }
    }

    fn claimed(&self) -> Next {
        if self.commits_early() {
            Next::Commit
        } else {
            Next::PutObjects
        }
    }

    fn commits_early(&self) -> bool {
        self.broken == Some(Break::CommitBeforeData)
    }
}

//! From an assigned partition to the place at which it goes on.

use crate::{
    batch::Witness,
    batcher::Start,
    ledger::{BatchFacts, Claim},
};

/// What Kafka knows of the group's progress in a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The committed offset.
    pub(crate) offset: Option<i64>,
    /// The start of the claim that was the last when a sink committed the offset.
    pub(crate) claim: Option<i64>,
}

/// The note that goes with a committed offset, so that the ledger needn't be listed from its beginning, and an
/// offset of a topic that was deleted isn't taken for one of the topic made anew.
pub(crate) fn note(epoch: u32, claim_start: i64) -> String {
    format!("epoch={epoch} claim={claim_start}")
}

/// Epoch and claim of a note.
fn noted(metadata: &str) -> Option<(u32, i64)> {
    let (epoch, claim) = metadata.strip_prefix("epoch=")?.split_once(" claim=")?;
    Some((epoch.parse().ok()?, claim.parse().ok()?))
}

/// What a committed offset and its note say to a sink of this epoch.
pub(crate) fn progress_of(epoch: u32, offset: Option<i64>, metadata: &str) -> Progress {
    match noted(metadata) {
        Some((of, claim)) if of == epoch => Progress {
            offset,
            claim: Some(claim),
        },
        // Another program's, or the user's who wants to begin somewhere.
        None if epoch == 0 => Progress { offset, claim: None },
        _ => Progress::default(),
    }
}

/// Where consumption begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// At the first message there is.
    Beginning,
    /// At this offset.
    Offset(i64),
}

/// A partition's place: in the chain of claims, and in Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start: Start,
    pub(crate) from: From,
    /// The start of the last claim, if it is whole and nobody has committed its end.
    pub(crate) uncommitted: Option<i64>,
}

/// What is to be done next for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TakeUp {
    /// Find the last claim. One that starts at `known` was there, which saves listing what comes before it.
    FindLast {
        /// The start of a claim.
        known: Option<i64>,
    },
    /// Ask Kafka for the partition's first offset and its end.
    AskOffsets,
    /// Look whether the claim's objects are all there.
    Look,
    /// Read the claim's messages again, from an offset on.
    Read {
        /// The first message of the claim, or the first that is left of it.
        from: i64,
    },
    /// Encode what was read as the claim says and put its objects; those that are there are left alone if `absent`.
    PutObjects {
        /// Not all messages are there any more, so that an object that is there may have more rows.
        absent: bool,
    },
    /// Make the claim's objects known to the catalog.
    Register,
    /// Say that the messages in `[from, to)` are gone and were never written; stop if the user wants that.
    Lost {
        /// The first.
        from: i64,
        /// The offset after the last.
        to: i64,
    },
    /// Say that so many of the claim's messages are gone from between the others; stop if the user wants that.
    Thinned {
        /// How many.
        messages: u64,
    },
    /// Go on here.
    Settled(Place),
    /// The partition isn't the one that was written from: stop, and say so.
    MadeAnew {
        /// Where its claims end.
        end: i64,
        /// What was found instead.
        found: String,
    },
}

/// How a step went.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    /// The last claim, if there is one.
    Last(Option<Box<Claim>>),
    /// The partition's offsets.
    Offsets {
        /// Of the first message.
        low: i64,
        /// The one after the last message.
        high: i64,
    },
    /// Whether objects of the claim are missing.
    Missing(bool),
    /// What was read; `None` if nothing was there.
    Read(Option<BatchFacts>),
    /// It is done.
    Done,
}

/// A partition that is being taken up.
#[derive(Debug)]
pub(crate) struct TakingUp {
    progress: Progress,
    claim: Option<Box<Claim>>,
    low: i64,
    /// The claim was dealt with; what follows is the place behind it.
    settled: bool,
}

impl TakingUp {
    /// Of a partition of which the group knows this, and the first step.
    pub(crate) fn new(progress: Progress) -> (Self, TakeUp) {
        let known = progress.claim;
        let this = Self {
            progress,
            claim: None,
            low: 0,
            settled: false,
        };
        (this, TakeUp::FindLast { known })
    }

    /// The last claim, once it was found.
    pub(crate) fn claim(&self) -> Option<&Claim> {
        self.claim.as_deref()
    }

    /// What follows a step.
    pub(crate) fn next(&mut self, done: TakeUp, heard: Heard) -> TakeUp {
        match (done, heard) {
            (TakeUp::FindLast { .. }, Heard::Last(claim)) => {
                self.claim = claim;
                if self.claim.is_none() && self.progress.offset.is_none() {
                    return settled(0, None, From::Beginning, None);
                }
                TakeUp::AskOffsets
            }
            (TakeUp::AskOffsets, Heard::Offsets { low, high }) => {
                self.low = low;
                match &self.claim {
                    Some(claim) if high < claim.end => {
                        made_anew(claim, format!("it has messages up to offset {high} only"))
                    }
                    Some(claim) if self.is_committed(claim) => self.behind(),
                    Some(_) => TakeUp::Look,
                    None => self.behind(),
                }
            }
            (TakeUp::Look, Heard::Missing(missing)) => self.looked(missing),
            (TakeUp::Lost { .. }, _) if self.settled => self.place(),
            (TakeUp::Lost { to, .. }, _) => self.after_loss(to),
            (TakeUp::Read { from }, Heard::Read(read)) => self.compare(from, read.as_ref()),
            (TakeUp::Thinned { .. }, _) => TakeUp::PutObjects { absent: true },
            (TakeUp::PutObjects { .. }, _) => TakeUp::Register,
            (TakeUp::Register, _) => self.behind(),
            // An answer to another question: asked again.
            (step, _) => step,
        }
    }

    /// Whether a sink has committed the claim's end, so that it is whole. An offset that someone else has set says
    /// nothing of the kind.
    fn is_committed(&self, claim: &Claim) -> bool {
        self.progress.offset == Some(claim.end) && self.progress.claim == Some(claim.start)
    }

    fn looked(&self, missing: bool) -> TakeUp {
        match &self.claim {
            Some(claim) if missing && self.low > claim.first => TakeUp::Lost {
                from: claim.first,
                to: self.low.min(claim.end),
            },
            Some(claim) if missing => TakeUp::Read { from: claim.first },
            _ => TakeUp::Register,
        }
    }

    /// Part of the claim's messages is gone; what is left of them is written.
    fn after_loss(&mut self, to: i64) -> TakeUp {
        match &self.claim {
            Some(claim) if to <= claim.last.offset => TakeUp::Read { from: to },
            _ => self.behind(),
        }
    }

    fn compare(&self, from: i64, read: Option<&BatchFacts>) -> TakeUp {
        let Some(claim) = &self.claim else {
            return self.place();
        };
        let whole = from <= claim.first;
        match read {
            Some(read) if whole && claim.is_of(read) => TakeUp::PutObjects { absent: false },
            // What is missing in between was there when it was claimed: Kafka has compacted it.
            Some(read) if whole && read.last == claim.last && read.records < claim.records => TakeUp::Thinned {
                messages: claim.records - read.records,
            },
            Some(read) if !whole && read.last == claim.last => TakeUp::PutObjects { absent: true },
            _ => made_anew(claim, "its messages are not those that were claimed".to_owned()),
        }
    }

    /// The claim is settled: what is gone behind it is said, then the place is known.
    fn behind(&mut self) -> TakeUp {
        self.settled = true;
        let expected = match &self.claim {
            Some(claim) => claim.end,
            None => self.progress.offset.unwrap_or(self.low),
        };
        if self.low > expected {
            return TakeUp::Lost {
                from: expected,
                to: self.low,
            };
        }
        self.place()
    }

    fn place(&self) -> TakeUp {
        let Some(claim) = &self.claim else {
            let from = self.progress.offset.unwrap_or(self.low).max(self.low);
            return settled(0, None, From::Offset(from), None);
        };
        // The last message written is read again, to see that it is the same.
        let from = if claim.last.offset >= self.low {
            claim.last.offset
        } else {
            claim.end.max(self.low)
        };
        let uncommitted = (!self.is_committed(claim)).then_some(claim.start);
        settled(claim.end, Some(claim.last), From::Offset(from), uncommitted)
    }
}

fn settled(next: i64, witness: Option<Witness>, from: From, uncommitted: Option<i64>) -> TakeUp {
    let due = match from {
        From::Beginning => None,
        From::Offset(from) => Some(from),
    };
    let start = Start { next, witness, due };
    TakeUp::Settled(Place {
        start,
        from,
        uncommitted,
    })
}

fn made_anew(claim: &Claim, found: String) -> TakeUp {
    TakeUp::MadeAnew { end: claim.end, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_and_nothing_else_is_one() {
        assert_eq!(noted(&note(3, 17)), Some((3, 17)));
        for other in ["", "epoch=", "claim=3", "epoch=1 claim=x", "hello"] {
            assert_eq!(noted(other), None, "{other}");
        }
        let user_set = progress_of(0, Some(7), "");
        assert_eq!((user_set.offset, user_set.claim), (Some(7), None));
        assert_eq!(progress_of(1, Some(7), &note(0, 3)), Progress::default());
    }
}

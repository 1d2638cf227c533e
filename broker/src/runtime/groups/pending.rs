//! Offsets within transactions: taken in while the transaction is open, committed or dropped at its end.

use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use kafka_protocol::protocol::StrBytes;

use super::Groups;
use super::journal::Within;
use crate::coordinator::group::{Group, GroupConfig, GroupError, offsets};
use crate::coordinator::partition_for;
use crate::internal_topics::Producer;

impl Groups {
    /// TxnOffsetCommit, whose topics exist. `while_open` calls what it is given while the transaction is certain to be open,
    /// or refuses. Returns when the offsets survive power loss.
    ///
    /// # Errors
    /// Why `while_open` refused.
    pub(crate) async fn commit_pending<E>(
        &self,
        request: &TxnOffsetCommitRequest,
        while_open: impl FnOnce(&mut dyn FnMut()) -> Result<(), E>,
    ) -> Result<TxnOffsetCommitResponse, E> {
        let decide =
            |group: &Group, config: &GroupConfig, now_ms: i64| offsets::commit_pending(group, config, now_ms, request);
        let refused = |error: GroupError| offsets::commit_pending_refused(request, error.code());
        if request.group_id.is_empty() {
            return Ok(refused(GroupError::InvalidGroupId));
        }
        let within = Within::Transaction(Producer {
            id: *request.producer_id,
            epoch: request.producer_epoch,
        });
        let mut decided = None;
        while_open(&mut || {
            let slot = self.inner.find_or_make(&request.group_id);
            decided = Some(self.inner.decide(&slot, within, decide, |_, outcome| outcome));
            // While the transaction cannot end: its end finds them.
            self.inner.pending.lock().add(*request.producer_id, &request.group_id);
        })?;
        let done = match decided {
            Some(Ok(done)) => self.inner.finish(done).await,
            Some(Err(error)) => Err(error),
            None => Err(GroupError::CoordinatorNotAvailable),
        };
        Ok(done.unwrap_or_else(refused))
    }

    /// The end of a producer's transaction for the groups of one offsets partition, whose log has the marker. Whether all of
    /// it could be stored; if not, it is to be tried again.
    pub(crate) fn end_transaction(&self, offsets_partition: i32, producer_id: i64, commit: bool) -> bool {
        let partitions = self.partitions();
        let belongs = |group_id: &StrBytes| partition_for(group_id, partitions) == offsets_partition;
        let group_ids = self.inner.pending.lock().groups(producer_id, belongs);
        let mut all = true;
        for group_id in group_ids {
            let ended = self.inner.find(&group_id).is_none_or(|slot| {
                self.inner.settle_within(&slot, Within::Marker, |group, _, _| {
                    offsets::end_transaction(group, producer_id, commit)
                })
            });
            if ended {
                self.inner.pending.lock().remove(producer_id, &group_id);
            }
            all &= ended;
        }
        all
    }
}

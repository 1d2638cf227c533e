//! Leader epochs and where they began (KIP-101): how a client finds out that the log it read was another.

/// Ascending in both epoch and start offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LeaderEpochs {
    entries: Vec<(i32, i64)>,
}

impl LeaderEpochs {
    pub(super) fn from_entries(entries: Vec<(i32, i64)>) -> Self {
        Self { entries }
    }

    pub(super) fn entries(&self) -> &[(i32, i64)] {
        &self.entries
    }

    /// The latest epoch, -1 where there is none.
    pub(super) fn latest(&self) -> i32 {
        self.entries.last().map_or(-1, |(epoch, _)| *epoch)
    }

    /// A batch of `epoch` was appended at `offset`.
    pub(super) fn assign(&mut self, epoch: i32, offset: i64) {
        if epoch >= 0 && epoch > self.latest() {
            self.entries.push((epoch, offset));
        }
    }

    /// The largest epoch not above `epoch` and the offset after its last record, as Apache Kafka answers
    /// OffsetForLeaderEpoch.
    pub(super) fn end_offset(&self, epoch: i32, log_end_offset: i64) -> (i32, i64) {
        if epoch == -1 {
            return (-1, -1);
        }
        if epoch == self.latest() {
            return (epoch, log_end_offset);
        }
        let higher = self.entries.partition_point(|(other, _)| *other <= epoch);
        match (higher.checked_sub(1), self.entries.get(higher)) {
            // Nothing was ever written: the first epoch begins where the log will.
            (None, None) if epoch < -1 => (epoch, log_end_offset),
            (_, None) => (-1, -1),
            (None, Some((_, start))) => (epoch, *start),
            (Some(floor), Some((_, start))) => (self.entries[floor].0, *start),
        }
    }

    /// Forgets what lies below the log start offset, but for the epoch in which it lies.
    pub(super) fn truncate_start(&mut self, log_start_offset: i64) {
        let keep_from = self
            .entries
            .partition_point(|(_, start)| *start <= log_start_offset)
            .saturating_sub(1);
        self.entries.drain(..keep_from);
        if let Some((_, start)) = self.entries.first_mut() {
            *start = (*start).max(log_start_offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_as_kafka_does() {
        let mut epochs = LeaderEpochs::default();
        assert_eq!(epochs.end_offset(0, 10), (-1, -1));
        epochs.assign(2, 0);
        epochs.assign(2, 5);
        epochs.assign(4, 7);
        assert_eq!(epochs.end_offset(-1, 10), (-1, -1));
        assert_eq!(epochs.end_offset(1, 10), (1, 0));
        assert_eq!(epochs.end_offset(2, 10), (2, 7));
        assert_eq!(epochs.end_offset(3, 10), (2, 7));
        assert_eq!(epochs.end_offset(4, 10), (4, 10));
        assert_eq!(epochs.end_offset(5, 10), (-1, -1));
    }

    #[test]
    fn the_epoch_of_the_start_is_kept() {
        let mut epochs = LeaderEpochs::from_entries(vec![(0, 0), (1, 5), (3, 9)]);
        epochs.truncate_start(7);
        assert_eq!(epochs.entries(), [(1, 7), (3, 9)]);
    }
}

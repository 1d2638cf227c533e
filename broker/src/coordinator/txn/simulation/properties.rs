//! Whatever producers and broker do, and whenever they die: a transaction ends as a whole, as its producer was told; what was
//! acknowledged is not lost; a fenced producer gets nothing done; what is stored is what is applied.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::{Caller, EndCommand, InitCommand, State, TxnError, Version, abort_timed_out, add, end, init};
use super::world::{PARTITIONS, Told, Trouble, World, partition};

const PRODUCERS: usize = 3;

/// What can happen.
#[derive(Clone, Debug)]
enum Action {
    /// A producer takes the id over, or comes back with what it has.
    Init { producer: usize, comes_back: bool },
    /// A producer writes to a partition; before that it adds the partition, if its version says so.
    Write { producer: usize, partition: i32 },
    /// A producer commits or aborts.
    End { producer: usize, commit: bool },
    /// Time passes.
    Advance(i64),
    /// The coordinator looks for time-outs.
    TimeOut,
    /// The markers that are owed are written.
    Finish,
    /// The broker dies.
    Crash,
    /// Something befalls the next change.
    Trouble(Trouble),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let producer = 0..PRODUCERS;
    let trouble = prop_oneof![
        (0..2_usize).prop_map(Trouble::Unflushed),
        (0..4_usize).prop_map(Trouble::Markers),
        Just(Trouble::Untold),
        Just(Trouble::Gone),
    ];
    let action = prop_oneof![
        3 => (producer.clone(), any::<bool>()).prop_map(|(producer, comes_back)| Action::Init { producer, comes_back }),
        8 => (producer.clone(), 0..PARTITIONS).prop_map(|(producer, partition)| Action::Write { producer, partition }),
        6 => (producer, prop_oneof![2 => Just(true), 1 => Just(false)])
            .prop_map(|(producer, commit)| Action::End { producer, commit }),
        1 => (1_i64..50_000).prop_map(Action::Advance),
        1 => Just(Action::TimeOut),
        2 => Just(Action::Finish),
        1 => Just(Action::Crash),
        3 => trouble.prop_map(Action::Trouble),
    ];
    proptest::collection::vec(action, 0..120)
}

/// A transaction as its producer sees it.
#[derive(Clone, Debug, Default)]
struct Open {
    number: u64,
    /// Added, and told so.
    added: BTreeSet<i32>,
    /// Its end was sent and not answered: it is sent again.
    ending: Option<bool>,
}

#[derive(Clone, Debug)]
struct Producer {
    version: Version,
    caller: Option<Caller>,
    /// Which of all successful InitProducerIds it goes by.
    session: u64,
    open: Option<Open>,
}

struct Cast {
    world: World,
    producers: Vec<Producer>,
    /// The session after which all others are fenced.
    last_session: u64,
    next_transaction: u64,
    /// How many records of a transaction are acknowledged, and how it ended as its producer was told.
    written: BTreeMap<u64, usize>,
    told: BTreeMap<u64, bool>,
}

impl Cast {
    fn new(world: World, versions: [Version; PRODUCERS]) -> Cast {
        let producers = versions.map(|version| Producer {
            version,
            caller: None,
            session: 0,
            open: None,
        });
        Cast {
            world,
            producers: producers.into(),
            last_session: 0,
            next_transaction: 0,
            written: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Init { producer, comes_back } => self.init(producer, comes_back),
            Action::Write { producer, partition } => self.write(producer, partition),
            Action::End { producer, commit } => self.end(producer, commit),
            Action::Advance(by_ms) => self.world.now_ms += by_ms,
            Action::TimeOut => {
                self.world
                    .run(|state, _, now_ms, new_producer_id| abort_timed_out(state, now_ms, new_producer_id));
            }
            Action::Finish => self.world.finish(),
            Action::Crash => self.world.crash(0),
            Action::Trouble(trouble) => self.world.trouble = Some(trouble),
        }
        self.world.check();
    }

    fn init(&mut self, index: usize, comes_back: bool) {
        let producer = &mut self.producers[index];
        let expected = producer
            .caller
            .filter(|_| comes_back)
            .map(|caller| (caller.producer_id, caller.producer_epoch));
        let told = self.world.run(|state, config, now_ms, new_producer_id| {
            let command = InitCommand {
                timeout_ms: 60_000,
                expected,
                new_producer_id,
            };
            init(state, config, now_ms, &command)
        });
        match told {
            Told::Reply(Ok((producer_id, producer_epoch))) => {
                assert!(
                    expected.is_none() || producer.session == self.last_session,
                    "a fenced producer came back"
                );
                assert!(producer_epoch < i16::MAX, "an epoch that cannot be fenced");
                self.last_session += 1;
                producer.session = self.last_session;
                producer.open = None;
                producer.caller = Some(Caller {
                    producer_id,
                    producer_epoch,
                });
            }
            Told::Reply(Err(TxnError::ProducerFenced)) => producer.caller = None,
            Told::Reply(Err(error)) => assert_eq!(error, TxnError::Concurrent),
            Told::Nothing => {}
        }
    }

    fn write(&mut self, index: usize, place: i32) {
        let producer = &mut self.producers[index];
        let Some(caller) = producer.caller else { return };
        if producer.open.is_none() {
            self.next_transaction += 1;
            producer.open = Some(Open {
                number: self.next_transaction,
                ..Open::default()
            });
        }
        let Some(open) = producer.open.as_mut().filter(|open| open.ending.is_none()) else {
            return;
        };
        let version = producer.version;
        let is_added = open.added.contains(&place);
        if !is_added {
            let told = self
                .world
                .run(|state, _, now_ms, _| Ok(add(state, now_ms, caller, version, &partition(place))));
            match told {
                Told::Reply(Ok(())) => drop(open.added.insert(place)),
                Told::Reply(Err(TxnError::Concurrent)) | Told::Nothing => return,
                Told::Reply(Err(error)) => return self.refused(index, error),
            }
        }
        match self.world.write(caller, place, open.number) {
            Ok(()) => {
                assert_eq!(producer.session, self.last_session, "a fenced producer wrote");
                *self.written.entry(open.number).or_default() += 1;
            }
            Err(TxnError::Concurrent) => {}
            Err(error) => self.refused(index, error),
        }
    }

    fn end(&mut self, index: usize, commit: bool) {
        let producer = &mut self.producers[index];
        let Some(caller) = producer.caller else { return };
        let Some(open) = &mut producer.open else { return };
        // An old client ends nothing that it did not begin; the first end that was sent is sent again.
        if open.added.is_empty() && (commit || producer.version == Version::V1) {
            return;
        }
        let commit = *open.ending.get_or_insert(commit);
        let told = self.world.run(|state, _, now_ms, new_producer_id| {
            let command = EndCommand {
                caller,
                commit,
                version: producer.version,
                new_producer_id,
            };
            end(state, now_ms, &command)
        });
        match told {
            Told::Reply(Ok(ended)) => {
                assert_eq!(
                    producer.session, self.last_session,
                    "a fenced producer ended a transaction"
                );
                assert!(ended.producer_epoch < i16::MAX, "an epoch that cannot be fenced");
                self.told.insert(open.number, commit);
                producer.open = None;
                if producer.version == Version::V2 {
                    producer.caller = Some(Caller {
                        producer_id: ended.producer_id,
                        producer_epoch: ended.producer_epoch,
                    });
                }
            }
            Told::Reply(Err(TxnError::Concurrent)) | Told::Nothing => {}
            Told::Reply(Err(error)) => self.refused(index, error),
        }
    }

    /// Nothing is refused for ever but what somebody else has fenced.
    fn refused(&mut self, index: usize, error: TxnError) {
        let mut fenced = vec![TxnError::ProducerFenced, TxnError::InvalidProducerIdMapping];
        let aborted = self
            .world
            .live
            .as_ref()
            .is_some_and(|live| live.state == State::CompleteAbort);
        if self.producers[index].version == Version::V2 && aborted {
            // The coordinator's own abort raised the epoch by one, as the producer's would have: a commit is taken for another
            // end than that one.
            fenced.push(TxnError::InvalidState);
        }
        assert!(fenced.contains(&error), "{error:?}: an acknowledged change was lost");
        self.producers[index].caller = None;
        self.producers[index].open = None;
    }

    /// Lets everything come to an end, and looks at how it did.
    fn settle(mut self) {
        self.world.trouble = None;
        self.world.finish();
        self.world.now_ms += 1_000_000;
        self.act(&Action::TimeOut);
        let mut ends: BTreeMap<u64, Vec<bool>> = BTreeMap::new();
        for index in 0..PARTITIONS as usize {
            for (transaction, end) in self.world.ends(index) {
                let end = end.unwrap_or_else(|| panic!("transaction {transaction} is open for ever"));
                ends.entry(transaction).or_default().push(end);
            }
        }
        for (transaction, ends) in &ends {
            assert!(
                ends.windows(2).all(|pair| pair[0] == pair[1]),
                "{transaction}: in parts"
            );
            assert_eq!(ends.len(), self.written[transaction], "each acknowledged record once");
            if let Some(told) = self.told.get(transaction) {
                assert_eq!(ends[0], *told, "{transaction}: not as its producer was told");
            }
        }
        for (transaction, written) in &self.written {
            assert_eq!(ends[transaction].len(), *written);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_transaction_ends_as_a_whole_and_as_told(
        actions in actions(),
        epoch in prop_oneof![3 => Just(None), 1 => (i16::MAX - 6..i16::MAX).prop_map(Some)],
        new in proptest::array::uniform3(any::<bool>()),
    ) {
        let world = epoch.map_or_else(World::new, World::with_epoch);
        let mut cast = Cast::new(world, new.map(|new| if new { Version::V2 } else { Version::V1 }));
        for action in &actions {
            cast.act(action);
        }
        cast.settle();
    }
}

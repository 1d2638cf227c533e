//! Producers: idempotent ones, and transactional ones that are followed by another with the same id.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use super::history::Fate;
use super::journal::Journal;
use super::site::{CALL, PARTITIONS, PATIENCE, Site, TOPIC, place};

/// Records that a producer has on their way at most.
const IN_FLIGHT_MAX: usize = 30;

/// Writes acknowledgements down.
pub(crate) struct Deliveries {
    journal: Arc<Journal>,
    in_flight: Mutex<usize>,
    changed: Condvar,
    /// Whether a fatal error may not be (that one is fenced is one).
    fatal_is_broken: bool,
}

impl ClientContext for Deliveries {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let is_fatal = matches!(error, KafkaError::Global(RDKafkaErrorCode::Fatal));
        if is_fatal && self.fatal_is_broken {
            self.journal.broken(format!("a producer's fatal error: {reason}"));
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, send: Box<usize>) {
        if let Ok(message) = result {
            self.journal.acknowledge(*send, message.offset());
        }
        *self.in_flight.lock() -= 1;
        self.changed.notify_all();
    }
}

/// A producer whose sends are written down.
pub(crate) struct Writer {
    producer: ThreadedProducer<Deliveries>,
    journal: Arc<Journal>,
    /// Its number in the history.
    number: usize,
}

impl Writer {
    pub(crate) fn new(site: &Site, properties: &[(&str, &str)], fatal_is_broken: bool) -> Self {
        let mut config = site.client(properties);
        for (name, value) in [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            // Many small requests, so that faults fall between them.
            ("linger.ms", "0"),
            ("batch.num.messages", "4"),
        ] {
            config.set(name, value);
        }
        let context = Deliveries {
            journal: Arc::clone(&site.journal),
            in_flight: Mutex::new(0),
            changed: Condvar::new(),
            fatal_is_broken,
        };
        Self {
            producer: config.create_with_context(context).unwrap(),
            journal: Arc::clone(&site.journal),
            number: site.journal.producer(),
        }
    }

    /// Sends a value of its own; whether the client took it.
    pub(crate) fn send(&self, topic: &str, partition: i32, transaction: Option<usize>, padding: usize) -> (u64, bool) {
        let context = self.producer.context();
        {
            let mut in_flight = context.in_flight.lock();
            while *in_flight >= IN_FLIGHT_MAX {
                context.changed.wait(&mut in_flight);
            }
            *in_flight += 1;
        }
        let value = self.journal.value();
        let payload = format!("{value}:{}", "x".repeat(padding));
        let send = self
            .journal
            .send(self.number, place(topic, partition), value, transaction);
        let record = BaseRecord::<(), _, _>::with_opaque_to(topic, Box::new(send))
            .partition(partition)
            .payload(&payload);
        let taken = self.producer.send(record).is_ok();
        if !taken {
            *context.in_flight.lock() -= 1;
        }
        (value, taken)
    }
}

/// The value that a payload has.
pub(crate) fn value_of(payload: &[u8]) -> Option<u64> {
    std::str::from_utf8(payload).ok()?.split(':').next()?.parse().ok()
}

/// So many records by an idempotent producer, all of which have to be acknowledged in the end.
pub(crate) fn idempotent(site: &Site, records: usize, mut rng: ChaCha8Rng) {
    let writer = Writer::new(site, &[("message.timeout.ms", "0")], true);
    for _ in 0..records {
        if site.journal.is_broken() {
            return;
        }
        let partition = rng.random_range(0..PARTITIONS);
        writer.send(TOPIC, partition, None, rng.random_range(0..200));
    }
    if let Err(error) = writer.producer.flush(PATIENCE) {
        site.journal.broken(format!("not everything is acknowledged: {error}"));
    }
}

/// A transactional producer cannot go on: another one with its id came after it, or its client gave up.
#[derive(Debug)]
pub(crate) struct Ended;

/// A transactional producer.
pub(crate) struct Transactional {
    pub(crate) writer: Writer,
    site: Site,
}

impl Transactional {
    /// One that is ready.
    pub(crate) fn start(site: &Site, transactional_id: usize) -> Result<Self, Ended> {
        let id = format!("transactional-{transactional_id}");
        let properties = [("transactional.id", id.as_str()), ("transaction.timeout.ms", "20000")];
        let this = Self {
            writer: Writer::new(site, &properties, false),
            site: site.clone(),
        };
        let invoked = site.journal.now();
        this.until_it_works("init_transactions", || this.writer.producer.init_transactions(CALL))?;
        site.journal.init(transactional_id, this.writer.number, invoked);
        Ok(this)
    }

    /// Calls until the answer is known; an error that another call cannot mend ends it, and one that says that the
    /// transaction has to be aborted is an end as well, told by the caller's looking at it.
    pub(crate) fn until_it_works(
        &self,
        what: &str,
        call: impl Fn() -> rdkafka::error::KafkaResult<()>,
    ) -> Result<(), Ended> {
        let began = std::time::Instant::now();
        loop {
            match call() {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() && !error.is_fatal() => {
                    if began.elapsed() > PATIENCE {
                        self.site.journal.broken(format!("{what}: {error} to the end"));
                        return Err(Ended);
                    }
                }
                Err(_) => return Err(Ended),
            }
        }
    }

    pub(crate) fn begin(&self) -> Result<usize, Ended> {
        self.writer.producer.begin_transaction().map_err(|_| Ended)?;
        Ok(self.site.journal.begin(self.writer.number))
    }

    pub(crate) fn producer(&self) -> &ThreadedProducer<Deliveries> {
        &self.writer.producer
    }

    /// Commits; `Ok(false)` when it had to be aborted instead, and was.
    pub(crate) fn commit(&self, transaction: usize) -> Result<bool, Ended> {
        let journal = &self.site.journal;
        journal.ending(transaction);
        let began = std::time::Instant::now();
        loop {
            let error = match self.writer.producer.commit_transaction(CALL) {
                Ok(()) => {
                    journal.ended(transaction, Fate::Committed);
                    return Ok(true);
                }
                Err(KafkaError::Transaction(error)) => error,
                Err(_) => return Err(Ended),
            };
            if error.is_fatal() {
                return Err(Ended);
            }
            if error.txn_requires_abort() {
                return self.abort(transaction).map(|()| false);
            }
            if !error.is_retriable() || began.elapsed() > PATIENCE {
                journal.broken(format!("commit_transaction: {error}"));
                return Err(Ended);
            }
        }
    }

    /// Aborts. Whatever becomes of the request, a transaction whose commit was not asked for is never committed.
    pub(crate) fn abort(&self, transaction: usize) -> Result<(), Ended> {
        let journal = &self.site.journal;
        journal.ending(transaction);
        journal.ended(transaction, Fate::Aborted);
        self.until_it_works("abort_transaction", || self.writer.producer.abort_transaction(CALL))
    }

    /// Transactions of a few records each, of which some are aborted.
    pub(crate) fn run(&self, transactions: usize, rng: &mut ChaCha8Rng) -> Result<(), Ended> {
        for _ in 0..transactions {
            if self.site.journal.is_broken() {
                return Ok(());
            }
            let transaction = self.begin()?;
            let mut all_taken = true;
            for _ in 0..rng.random_range(1..8) {
                let partition = rng.random_range(0..PARTITIONS);
                let padding = rng.random_range(0..200);
                let (_, taken) = self.writer.send(TOPIC, partition, Some(transaction), padding);
                all_taken &= taken;
            }
            if !all_taken || rng.random_bool(0.2) {
                self.abort(transaction)?;
            } else {
                self.commit(transaction)?;
            }
        }
        Ok(())
    }
}

/// Producers with one transactional id, each of which begins while the one before it is still at work and then fences it.
pub(crate) fn transactional(site: &Site, id: usize, lives: usize, transactions: usize, mut rng: ChaCha8Rng) {
    std::thread::scope(|scope| {
        for life in 0..lives {
            let Ok(producer) = Transactional::start(site, id) else {
                // Fenced by nobody: only the next life could.
                site.journal.broken(format!("transactional id {id} cannot begin"));
                return;
            };
            if producer.run(transactions, &mut rng).is_err() && !site.journal.is_broken() {
                site.journal
                    .broken(format!("transactional id {id} was fenced by nobody"));
                return;
            }
            if life + 1 < lives {
                let mut rng = rng.clone();
                // Goes on until it is fenced, which it will be.
                scope.spawn(move || while producer.run(1, &mut rng).is_ok() && !site.journal.is_broken() {});
            }
        }
    });
}

/// Ends what producers that are no more have left open.
pub(crate) fn fence(site: &Site, transactional_id: usize) {
    if Transactional::start(site, transactional_id).is_err() {
        site.journal
            .broken(format!("transactional id {transactional_id} cannot be taken over"));
    }
}

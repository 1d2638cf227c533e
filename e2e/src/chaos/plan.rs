//! Which faults a run makes: a function of its seed alone. When they strike among the threads of five processes is not;
//! a seed replays the faults, not the interleaving.
//!
//! Kinds are dealt from a shuffled deck, so that every few rounds each of them has had its turn.

use std::collections::VecDeque;
use std::fmt;
use std::ops::RangeInclusive;

use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A session of the group, as the sinks ask for it.
pub(crate) const SESSION_MS: u64 = 3_000;
/// How many sinks there are.
pub(crate) const SINKS: usize = 2;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    Broker,
    S3,
    Feed,
    /// By its number, from 0.
    Sink(usize),
}

/// All of them, in the order in which they need each other.
pub(crate) const PARTS: [Part; 3 + SINKS] = [Part::Broker, Part::S3, Part::Feed, Part::Sink(0), Part::Sink(1)];

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Broker => f.write_str("broker"),
            Part::S3 => f.write_str("s3"),
            Part::Feed => f.write_str("feed"),
            Part::Sink(at) => write!(f, "sink-{}", at + 1),
        }
    }
}

/// What a sink asks the store for, as its proxy tells requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Request {
    /// The claim of a range.
    Claim,
    /// An object with rows.
    Data,
    /// A change of the catalog, or a question to it.
    Catalog,
    /// Anything else.
    Other,
}

/// Whether the store has seen a request when something happens to its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Moment {
    /// It has not; it gets it afterwards, as from a network that kept it for a while.
    Before,
    /// It has answered; the answer has not arrived.
    After,
}

/// What is done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Blow {
    /// `kill -9`, and started again after so long.
    Kill { down_ms: u64 },
    /// SIGSTOP, and SIGCONT after so long.
    Freeze { for_ms: u64 },
    /// SIGTERM, which it has to obey with exit code 0, and started again after so long.
    Stop { down_ms: u64 },
}

/// How the store misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Trouble {
    /// 500 `InternalError`, and nothing was done.
    Error500,
    /// 503 `SlowDown`, and nothing was done.
    Error503,
    /// The answer takes so long.
    Slow { ms: u64 },
    /// It is done, and the connection ends without an answer.
    NoAnswer,
    /// Half of the body arrives.
    TornRequest,
    /// Half of the answer arrives.
    TornAnswer,
}

/// Which connections are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wire {
    /// Everyone's to the broker.
    Kafka,
    /// The sinks' to the store.
    Store,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// At any moment.
    Blow { part: Part, blow: Blow },
    /// When a sink is between two steps of its protocol.
    AtRequest {
        sink: usize,
        request: Request,
        moment: Moment,
        blow: Blow,
    },
    /// Connections end, and new ones are refused for so long.
    Cut { wire: Wire, refused_ms: u64 },
    /// The store misbehaves for so long, towards so many of a hundred requests.
    Store {
        trouble: Trouble,
        percent: u32,
        for_ms: u64,
    },
}

/// Faults that are made at the same time, and how long after the round began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) delay_ms: u64,
    pub(crate) faults: Vec<Fault>,
}

/// What the deck is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    KillAny,
    KillSinkAtRequest,
    FreezeAny,
    FreezeSinkPastSession,
    FreezeSinkAtRequest,
    StopSink,
    CutKafka,
    CutStore,
    Error500,
    Error503,
    Slow,
    NoAnswer,
    TornRequest,
    TornAnswer,
}

const DECK: [Kind; 17] = [
    Kind::KillAny,
    Kind::KillAny,
    Kind::KillSinkAtRequest,
    Kind::KillSinkAtRequest,
    Kind::KillSinkAtRequest,
    Kind::FreezeAny,
    Kind::FreezeSinkPastSession,
    Kind::FreezeSinkAtRequest,
    Kind::StopSink,
    Kind::CutKafka,
    Kind::CutStore,
    Kind::Error500,
    Kind::Error503,
    Kind::Slow,
    Kind::NoAnswer,
    Kind::TornRequest,
    Kind::TornAnswer,
];

/// The rounds of a seed, without end.
pub(crate) struct Plan {
    random: ChaCha8Rng,
    deck: VecDeque<Kind>,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Plan {
        Plan {
            random: ChaCha8Rng::seed_from_u64(seed),
            deck: VecDeque::new(),
        }
    }

    fn deal(&mut self) -> Kind {
        if self.deck.is_empty() {
            let mut cards = DECK;
            cards.shuffle(&mut self.random);
            self.deck.extend(cards);
        }
        self.deck.pop_front().unwrap_or(Kind::KillAny)
    }

    fn ms(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.random.random_range(range)
    }

    fn sink(&mut self) -> usize {
        self.random.random_range(0..SINKS)
    }

    fn any_part(&mut self) -> Part {
        PARTS[self.random.random_range(0..PARTS.len())]
    }

    fn kill(&mut self) -> Blow {
        Blow::Kill {
            down_ms: self.ms(0..=600),
        }
    }

    fn freeze_past_session(&mut self) -> Blow {
        Blow::Freeze {
            for_ms: self.ms(SESSION_MS + 700..=SESSION_MS + 2_500),
        }
    }

    /// Where in its protocol a sink is struck.
    fn at_request(&mut self, blow: Blow) -> Fault {
        let request = [
            Request::Claim,
            Request::Claim,
            Request::Data,
            Request::Data,
            Request::Catalog,
        ];
        let moment = [Moment::Before, Moment::After];
        Fault::AtRequest {
            sink: self.sink(),
            request: request[self.random.random_range(0..request.len())],
            moment: moment[self.random.random_range(0..moment.len())],
            blow,
        }
    }

    fn store(&mut self, trouble: Trouble) -> Fault {
        Fault::Store {
            trouble,
            percent: self.random.random_range(20..=100),
            for_ms: self.ms(500..=2_500),
        }
    }

    fn fault(&mut self, kind: Kind) -> Fault {
        match kind {
            Kind::KillAny => {
                let (part, blow) = (self.any_part(), self.kill());
                Fault::Blow { part, blow }
            }
            Kind::KillSinkAtRequest => {
                let blow = self.kill();
                self.at_request(blow)
            }
            Kind::FreezeAny => {
                let blow = Blow::Freeze {
                    for_ms: self.ms(100..=1_500),
                };
                Fault::Blow {
                    part: self.any_part(),
                    blow,
                }
            }
            Kind::FreezeSinkPastSession => {
                let part = Part::Sink(self.sink());
                let blow = self.freeze_past_session();
                Fault::Blow { part, blow }
            }
            Kind::FreezeSinkAtRequest => {
                let blow = self.freeze_past_session();
                self.at_request(blow)
            }
            Kind::StopSink => {
                let part = Part::Sink(self.sink());
                let blow = Blow::Stop {
                    down_ms: self.ms(0..=600),
                };
                Fault::Blow { part, blow }
            }
            Kind::CutKafka => Fault::Cut {
                wire: Wire::Kafka,
                refused_ms: self.ms(0..=1_500),
            },
            Kind::CutStore => Fault::Cut {
                wire: Wire::Store,
                refused_ms: self.ms(0..=1_500),
            },
            Kind::Error500 => self.store(Trouble::Error500),
            Kind::Error503 => self.store(Trouble::Error503),
            Kind::Slow => {
                let ms = self.ms(50..=1_200);
                self.store(Trouble::Slow { ms })
            }
            Kind::NoAnswer => self.store(Trouble::NoAnswer),
            Kind::TornRequest => self.store(Trouble::TornRequest),
            Kind::TornAnswer => self.store(Trouble::TornAnswer),
        }
    }
}

impl Iterator for Plan {
    type Item = Round;

    fn next(&mut self) -> Option<Round> {
        // Mostly one fault, sometimes two or three that meet.
        let count = [1, 1, 1, 2, 2, 3][self.random.random_range(0..6)];
        let mut faults: Vec<Fault> = Vec::with_capacity(count);
        while faults.len() < count {
            let kind = self.deal();
            let fault = self.fault(kind);
            // One process is struck once in a round: nobody starts or wakes what another fault has in hand.
            let strikes = |fault: &Fault| fault.struck();
            if fault.struck().is_none() || faults.iter().all(|other| strikes(other) != fault.struck()) {
                faults.push(fault);
            }
        }
        Some(Round {
            delay_ms: self.ms(0..=500),
            faults,
        })
    }
}

impl Fault {
    /// The process that it strikes.
    pub(crate) fn struck(&self) -> Option<Part> {
        match self {
            Fault::Blow { part, .. } => Some(*part),
            Fault::AtRequest { sink, .. } => Some(Part::Sink(*sink)),
            Fault::Cut { .. } | Fault::Store { .. } => None,
        }
    }

    /// By which name it is counted.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Fault::Blow { blow, .. } => blow.kind(),
            Fault::AtRequest { blow, .. } => match blow {
                Blow::Kill { .. } => "kill -9 at a request",
                _ => "freeze at a request",
            },
            Fault::Cut { wire: Wire::Kafka, .. } => "cut connections to Kafka",
            Fault::Cut { wire: Wire::Store, .. } => "cut connections to S3",
            Fault::Store { trouble, .. } => match trouble {
                Trouble::Error500 => "S3 answers 500",
                Trouble::Error503 => "S3 answers 503",
                Trouble::Slow { .. } => "S3 answers slowly",
                Trouble::NoAnswer => "S3 succeeds without answering",
                Trouble::TornRequest => "requests arrive by half",
                Trouble::TornAnswer => "answers arrive by half",
            },
        }
    }
}

impl Blow {
    fn kind(self) -> &'static str {
        match self {
            Blow::Kill { .. } => "kill -9",
            Blow::Stop { .. } => "stop",
            Blow::Freeze { for_ms } if for_ms > SESSION_MS => "freeze past the session",
            Blow::Freeze { .. } => "freeze",
        }
    }
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Blow::Kill { down_ms } => write!(f, "kill -9, back after {down_ms} ms"),
            Blow::Stop { down_ms } => write!(f, "stop, back after {down_ms} ms"),
            Blow::Freeze { for_ms } => write!(f, "freeze for {for_ms} ms"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Blow { part, blow } => write!(f, "{part}: {blow}"),
            Fault::AtRequest {
                sink,
                request,
                moment,
                blow,
            } => {
                let what = match request {
                    Request::Claim => "claim",
                    Request::Data => "object",
                    Request::Catalog => "word to the catalog",
                    Request::Other => "request",
                };
                let when = match moment {
                    Moment::Before => "before",
                    Moment::After => "after",
                };
                write!(f, "{}: {blow}, {when} S3 has its {what}", Part::Sink(*sink))
            }
            Fault::Cut { wire, refused_ms } => {
                let of = match wire {
                    Wire::Kafka => "Kafka",
                    Wire::Store => "S3",
                };
                write!(f, "connections to {of} cut, refused for {refused_ms} ms")
            }
            Fault::Store {
                trouble,
                percent,
                for_ms,
            } => {
                match trouble {
                    Trouble::Slow { ms } => write!(f, "S3 answers after {ms} ms")?,
                    _ => f.write_str(self.kind())?,
                }
                write!(f, ", {percent} % for {for_ms} ms")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_a_plan() {
        let rounds = |seed| Plan::new(seed).take(50).collect::<Vec<_>>();
        assert_eq!(rounds(7), rounds(7));
        assert_ne!(rounds(7), rounds(8));
    }

    #[test]
    fn thirty_rounds_of_any_seed_have_faults_of_every_kind() {
        for seed in 0..50 {
            let kinds: BTreeSet<_> = Plan::new(seed)
                .take(30)
                .flat_map(|round| round.faults)
                .map(|fault| fault.kind())
                .collect();
            assert!(kinds.len() >= 14, "seed {seed}: {kinds:?}");
        }
    }

    #[test]
    fn no_process_is_struck_twice_in_a_round() {
        for round in Plan::new(1).take(500) {
            let struck: Vec<Part> = round.faults.iter().filter_map(Fault::struck).collect();
            let different: BTreeSet<&Part> = struck.iter().collect();
            assert_eq!(struck.len(), different.len(), "{round:?}");
        }
    }
}

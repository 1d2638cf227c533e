//! What readers of the lake have seen so far, and what they must never see. Pure.
//!
//! Objects and claims are never removed or changed, so whatever was seen at any time is there at every later time: two
//! objects that were ever seen with the same row are a doubled row for somebody.

use std::collections::{BTreeMap, HashMap};

use tickertape_consumer::ledger::Claim;

/// The offset after the last committed one, by partition.
pub(crate) type Offsets = BTreeMap<i32, i64>;

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) etag: String,
}

/// An object that was read.
#[derive(Debug)]
struct Object {
    key: String,
    etag: String,
    rows: u64,
}

/// The rows of one partition.
#[derive(Debug, Default)]
struct Rows {
    /// By offset: the number of the object with that row, from 1; 0 where there is none.
    of: Vec<u32>,
    /// All offsets below have a row.
    whole: usize,
}

/// See the head of the module.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    objects: Vec<Object>,
    /// By key, the place in `objects`.
    known: HashMap<String, usize>,
    /// By key, the ETag.
    claims: HashMap<String, String>,
    /// By partition and start, the end.
    chains: BTreeMap<i32, BTreeMap<i64, i64>>,
    /// Objects that claims announce and that were not seen yet: partition, end of the claim, key, rows.
    announced: Vec<(i32, i64, String, u64)>,
    rows: BTreeMap<i32, Rows>,
    violations: Vec<String>,
}

impl Seen {
    /// What must never be, in words.
    pub(crate) fn violations(&self) -> &[String] {
        &self.violations
    }

    pub(crate) fn object_count(&self) -> usize {
        self.objects.len()
    }

    pub(crate) fn row_count(&self) -> u64 {
        self.objects.iter().map(|object| object.rows).sum()
    }

    pub(crate) fn claim_count(&self) -> usize {
        self.claims.len()
    }

    pub(crate) fn never(&mut self, violation: String) {
        if !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }

    /// Takes a listing of all data objects, and gives those that were not seen before.
    pub(crate) fn listing(&mut self, listed: &[Listed]) -> Vec<Listed> {
        let now: HashMap<&str, &str> = listed
            .iter()
            .map(|object| (object.key.as_str(), object.etag.as_str()))
            .collect();
        let mut wrong = Vec::new();
        for Object { key, etag, .. } in &self.objects {
            match now.get(key.as_str()) {
                None => wrong.push(format!("{key} was there, and is gone")),
                Some(other) if *other != etag => wrong.push(format!("{key} is not what it was")),
                Some(_) => {}
            }
        }
        wrong.into_iter().for_each(|wrong| self.never(wrong));
        let fresh = listed.iter().filter(|object| !self.known.contains_key(&object.key));
        fresh.cloned().collect()
    }

    /// Takes a listing of all claims, and gives those that were not seen before.
    pub(crate) fn ledger(&mut self, listed: &[Listed]) -> Vec<Listed> {
        let mut fresh = Vec::new();
        for claim in listed {
            match self.claims.get(&claim.key) {
                None => fresh.push(claim.clone()),
                Some(etag) if *etag != claim.etag => {
                    let key = &claim.key;
                    self.never(format!("the claim {key} was replaced by another"));
                }
                Some(_) => {}
            }
        }
        fresh
    }

    /// Takes the rows of an object: partition and offset of each.
    pub(crate) fn object(&mut self, listed: Listed, rows: &[(i32, i64)]) {
        let number = self.objects.len() + 1;
        for &(partition, offset) in rows {
            let Ok(at) = usize::try_from(offset) else {
                self.never(format!("{} has a row of offset {offset}", listed.key));
                continue;
            };
            let of = &mut self.rows.entry(partition).or_default().of;
            if of.len() <= at {
                of.resize(at + 1, 0);
            }
            let other = std::mem::replace(&mut of[at], number as u32) as usize;
            if other == number {
                self.never(format!("{partition}: offset {offset} twice in {}", listed.key));
            } else if let Some(other) = other.checked_sub(1).and_then(|at| self.objects.get(at)) {
                let other = other.key.clone();
                self.never(format!("{partition}: offset {offset} in {other} and in {}", listed.key));
            }
        }
        self.known.insert(listed.key.clone(), self.objects.len());
        self.objects.push(Object {
            key: listed.key,
            etag: listed.etag,
            rows: rows.len() as u64,
        });
    }

    /// Takes a claim of a partition.
    pub(crate) fn claim(&mut self, listed: Listed, partition: i32, claim: &Claim) {
        let chain = self.chains.entry(partition).or_default();
        let before = chain
            .range(..claim.start)
            .next_back()
            .map(|(start, end)| (*start, *end));
        let after = chain.range(claim.start + 1..).next().map(|(start, end)| (*start, *end));
        chain.insert(claim.start, claim.end);
        let (start, end) = (claim.start, claim.end);
        for (other_start, other_end) in before.into_iter().chain(after) {
            if other_start < end && start < other_end {
                self.never(format!(
                    "{partition}: claims [{other_start}, {other_end}) and [{start}, {end}) overlap"
                ));
            }
        }
        for object in &claim.objects {
            // What was set aside is no row of a table.
            if object.day.is_some() {
                self.announced.push((partition, end, object.key.clone(), object.rows));
            }
        }
        self.claims.insert(listed.key, listed.etag);
    }

    /// Compares with offsets that were committed before everything up to here was listed: all rows below must be there.
    pub(crate) fn committed(&mut self, committed: &Offsets) {
        let mut wrong = Vec::new();
        for (&partition, &offset) in committed {
            let rows = self.rows.entry(partition).or_default();
            let missing = rows.of[rows.whole..].iter().position(|object| *object == 0);
            rows.whole = missing.map_or(rows.of.len(), |missing| rows.whole + missing);
            if (rows.whole as i64) < offset {
                let whole = rows.whole;
                wrong.push(format!(
                    "{partition}: {offset} is committed, and there is no row of offset {whole}"
                ));
            }
        }
        let (known, objects) = (&self.known, &self.objects);
        self.announced.retain(|(partition, end, key, rows)| {
            if let Some(object) = known.get(key).map(|at| &objects[*at]) {
                if object.rows != *rows {
                    wrong.push(format!("{key} has {} rows, its claim says {rows}", object.rows));
                }
                return false;
            }
            if committed.get(partition).is_some_and(|committed| end <= committed) {
                wrong.push(format!("{partition}: {end} is committed, and {key} is not there"));
            }
            true
        });
        wrong.into_iter().for_each(|wrong| self.never(wrong));
    }

    /// Compares the claims with each other: from 0 on, each has to start where another ended. Only when all were listed at a
    /// time at which none was made.
    pub(crate) fn chains(&mut self) {
        let mut wrong = Vec::new();
        for (partition, chain) in &self.chains {
            let mut next = 0;
            for (&start, &end) in chain {
                if start != next {
                    wrong.push(format!("{partition}: no claim of [{next}, {start})"));
                }
                next = end;
            }
        }
        wrong.into_iter().for_each(|wrong| self.never(wrong));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(key: &str) -> Listed {
        Listed {
            key: key.to_owned(),
            etag: format!("e{key}"),
        }
    }

    fn rows(offsets: std::ops::Range<i64>) -> Vec<(i32, i64)> {
        offsets.map(|offset| (0, offset)).collect()
    }

    fn seen() -> Seen {
        let mut seen = Seen::default();
        seen.object(listed("a"), &rows(0..5));
        seen.object(listed("b"), &rows(5..9));
        seen
    }

    #[test]
    fn a_lake_that_grows_is_well() {
        let mut seen = seen();
        assert_eq!(seen.listing(&[listed("a"), listed("b"), listed("c")]), [listed("c")]);
        seen.committed(&Offsets::from([(0, 9), (1, 0)]));
        seen.object(listed("c"), &rows(9..12));
        seen.committed(&Offsets::from([(0, 12)]));
        assert_eq!(seen.violations(), [""; 0]);
        assert_eq!(seen.row_count(), 12);
    }

    #[test]
    fn whatever_must_never_be_is_found() {
        let double = {
            let mut seen = seen();
            seen.object(listed("c"), &rows(8..10));
            seen
        };
        let missing = {
            let mut seen = seen();
            seen.object(listed("c"), &rows(10..12));
            seen.committed(&Offsets::from([(0, 10)]));
            seen
        };
        let gone = {
            let mut seen = seen();
            seen.listing(&[listed("a")]);
            seen
        };
        let changed = {
            let mut seen = seen();
            let other = Listed {
                etag: "other".to_owned(),
                ..listed("a")
            };
            seen.listing(&[other, listed("b")]);
            seen
        };
        for (seen, what) in [
            (double, "offset 8 in b and in c"),
            (missing, "no row of offset 9"),
            (gone, "b was there, and is gone"),
            (changed, "a is not what it was"),
        ] {
            assert!(
                seen.violations().len() == 1 && seen.violations()[0].contains(what),
                "{what}: {:?}",
                seen.violations()
            );
        }
    }
}

//! What each broker gave out for itself and then names in other answers: the ids of producers, and times.

use serde_json::Value;

use crate::both::Side;

/// Times between these, in ms since 1970, are the broker's own: cases use times near zero and far ahead.
const OWN_TIMES_MS: std::ops::Range<i64> = 1_600_000_000_000..2_600_000_000_000;

/// The answers that give an id out.
const GIVING: [&str; 2] = ["InitProducerId", "EndTxn"];

/// The ids of producers, ours and Apache Kafka's for each.
#[derive(Debug, Default)]
pub struct Issued {
    pairs: Vec<[i64; 2]>,
}

impl Issued {
    /// Notes the ids that one request got from both, where neither had given its own before.
    pub fn learn(&mut self, api: &str, ours: &Value, theirs: &Value) {
        if !GIVING.contains(&api) {
            return;
        }
        let ids = [ours, theirs].map(|answer| answer["ProducerId"].as_i64().filter(|id| *id >= 0));
        if let [Some(ours), Some(theirs)] = ids
            && self.name(Side::Ours, ours).is_none()
            && self.name(Side::Theirs, theirs).is_none()
        {
            self.pairs.push([ours, theirs]);
        }
    }

    fn name(&self, side: Side, id: i64) -> Option<String> {
        let at = usize::from(side == Side::Theirs);
        let known = self.pairs.iter().position(|pair| pair[at] == id);
        known.map(|known| format!("(producer {known})"))
    }

    /// Writes names for the ids in an answer, and "(now)" for the times. A batch with an id loses its checksum, which is
    /// over it.
    pub fn rename(&self, side: Side, answer: &mut Value) {
        match answer {
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.rename(side, element)),
            Value::Object(fields) => {
                let refused = fields.get("ErrorCode").is_some_and(|code| *code != 0);
                let mut renamed = false;
                for (field, value) in fields.iter_mut() {
                    match (field.as_str(), value.as_i64()) {
                        // Beside an error it is no id, but nothing.
                        ("ProducerId", Some(id)) if !refused => {
                            if let Some(name) = self.name(side, id) {
                                *value = name.into();
                                renamed = true;
                            }
                        }
                        ("Timestamp" | "LastTimestamp" | "TransactionStartTimeMs", Some(time))
                            if OWN_TIMES_MS.contains(&time) =>
                        {
                            *value = "(now)".into()
                        }
                        _ => self.rename(side, value),
                    }
                }
                if renamed {
                    fields.remove("Crc");
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_producer_has_one_name_on_both_and_strangers_have_none() {
        let mut issued = Issued::default();
        let given = |id: i64| json!({ "ErrorCode": 0, "ProducerId": id, "ProducerEpoch": 0 });
        issued.learn("InitProducerId", &given(3), &given(7));
        // A refusal gives nothing out, and what is known stays what it is.
        issued.learn("EndTxn", &given(-1), &given(8));
        issued.learn("EndTxn", &given(3), &given(9));
        let named = |side, id: i64| {
            let mut answer = json!({ "Batches": [{ "ProducerId": id, "Crc": 5 }], "LastTimestamp": 5_000 });
            issued.rename(side, &mut answer);
            answer["Batches"][0].clone()
        };
        assert_eq!(named(Side::Ours, 3), named(Side::Theirs, 7));
        assert_eq!(named(Side::Ours, 3), json!({ "ProducerId": "(producer 0)" }));
        for (side, id) in [(Side::Ours, 7), (Side::Theirs, 3), (Side::Theirs, 9), (Side::Ours, -1)] {
            assert_eq!(named(side, id), json!({ "ProducerId": id, "Crc": 5 }));
        }
    }
}

//! Two answers, field by field: every place where they differ, with its path.
//!
//! What may differ, what has no order and what differs on purpose stands in [`crate::lists`], and nowhere else.

use serde_json::Value;

use crate::lists::{Lists, Unordered};

/// One place where two answers are not the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The path of the field, without the places in arrays: `Topics[].Partitions[].ErrorCode`.
    pub path: String,
    /// The path with the places in arrays.
    pub place: String,
    /// Ours; `Null` also where it is not there at all.
    pub ours: Value,
    /// Apache Kafka's.
    pub theirs: Value,
}

/// Compares two answers of one API.
pub fn compare(lists: &Lists, api: &str, ours: &Value, theirs: &Value) -> Vec<Difference> {
    let mut comparison = Comparison {
        lists,
        api,
        found: Vec::new(),
    };
    comparison.value("", "", ours, theirs);
    comparison.found
}

struct Comparison<'a> {
    lists: &'a Lists,
    api: &'a str,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn value(&mut self, path: &str, place: &str, ours: &Value, theirs: &Value) {
        match (ours, theirs) {
            (Value::Object(of_ours), Value::Object(of_theirs)) => {
                let mut names: Vec<_> = of_ours.keys().chain(of_theirs.keys()).collect();
                names.sort();
                names.dedup();
                for name in names {
                    let join = |path: &str| {
                        if path.is_empty() {
                            name.clone()
                        } else {
                            format!("{path}.{name}")
                        }
                    };
                    self.value(&join(path), &join(place), &ours[name], &theirs[name]);
                }
            }
            (Value::Array(of_ours), Value::Array(of_theirs)) => {
                let path = format!("{path}[]");
                match self.lists.unordered(self.api, &path) {
                    Some(unordered) => self.unordered(unordered, &path, place, of_ours, of_theirs),
                    None => {
                        for at in 0..of_ours.len().max(of_theirs.len()) {
                            let place = format!("{place}[{at}]");
                            self.value(
                                &path,
                                &place,
                                of_ours.get(at).unwrap_or(&Value::Null),
                                of_theirs.get(at).unwrap_or(&Value::Null),
                            );
                        }
                    }
                }
            }
            (Value::String(of_ours), Value::String(of_theirs))
                if without_times(of_ours) == without_times(of_theirs) => {}
            // In this order: a field that may differ needs its entry also where it is the same by chance.
            _ if self.lists.may_differ(self.api, path, ours, theirs) || ours == theirs => {}
            _ => self.found.push(Difference {
                path: path.to_owned(),
                place: place.to_owned(),
                ours: ours.clone(),
                theirs: theirs.clone(),
            }),
        }
    }

    /// Each element beside the one with its key; those with one key in their order.
    fn unordered(&mut self, unordered: &Unordered, path: &str, place: &str, ours: &[Value], theirs: &[Value]) {
        let key = |element: &Value| match unordered.by {
            [] => element.to_string(),
            fields => fields
                .iter()
                .map(|field| element[*field].to_string())
                .collect::<Vec<_>>()
                .join(" "),
        };
        let sorted = |elements: &[Value]| {
            let mut elements: Vec<_> = elements.iter().map(|element| (key(element), element.clone())).collect();
            elements.sort_by(|a, b| a.0.cmp(&b.0));
            elements
        };
        let (mut ours, mut theirs) = (
            sorted(ours).into_iter().peekable(),
            sorted(theirs).into_iter().peekable(),
        );
        loop {
            let next = match (ours.peek(), theirs.peek()) {
                (None, None) => return,
                (Some((key, _)), None) | (None, Some((key, _))) => key.clone(),
                (Some((a, _)), Some((b, _))) => a.min(b).clone(),
            };
            let of_ours = ours.next_if(|(key, _)| *key == next);
            let of_theirs = theirs.next_if(|(key, _)| *key == next);
            let or_null = |element: Option<(String, Value)>| element.map_or(Value::Null, |(_, element)| element);
            self.value(
                path,
                &format!("{place}[{next}]"),
                &or_null(of_ours),
                &or_null(of_theirs),
            );
        }
    }
}

/// A text without the times of these years in milliseconds that it names: what is allowed now is another range a moment later.
fn without_times(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut digits = String::new();
    for char in text.chars().chain(['\0']) {
        if char.is_ascii_digit() {
            digits.push(char);
            continue;
        }
        let is_time =
            digits.len() == 13 && digits.starts_with('1') || digits.len() == 19 && digits.starts_with("92233");
        plain.push_str(if is_time { "(a time)" } else { &digits });
        digits.clear();
        plain.push(char);
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::lists::MayDiffer;

    fn lists() -> Lists {
        const MAY_DIFFER: &[MayDiffer] = &[MayDiffer {
            api: "*",
            path: "A[].Port",
            reason: "",
        }];
        const UNORDERED: &[Unordered] = &[Unordered {
            api: "X",
            path: "U[]",
            by: &["Name"],
            reason: "",
        }];
        Lists::new(MAY_DIFFER, UNORDERED, &[])
    }

    fn places(ours: &Value, theirs: &Value) -> Vec<String> {
        let found = compare(&lists(), "X", ours, theirs);
        found.into_iter().map(|difference| difference.place).collect()
    }

    #[test]
    fn each_difference_has_its_place() {
        let ours = json!({ "A": [{ "E": 0 }, { "E": 1 }], "B": null, "C": "x" });
        let theirs = json!({ "A": [{ "E": 0 }, { "E": 2 }, { "E": 3 }], "B": "", "C": "x", "D": 1 });
        assert_eq!(places(&ours, &theirs), ["A[1].E", "A[2]", "B", "D"]);
        assert!(places(&ours, &ours).is_empty());
    }

    #[test]
    fn what_may_differ_is_still_there_and_of_its_kind() {
        let with = |port: Value| json!({ "A": [{ "Port": port }] });
        assert!(places(&with(json!(1)), &with(json!(2))).is_empty());
        for (ours, theirs) in [
            (json!(-1), json!(2)),
            (json!(null), json!(2)),
            (json!("a"), json!(2)),
            (json!(""), json!("a")),
        ] {
            assert_eq!(places(&with(ours), &with(theirs)), ["A[0].Port"]);
        }
    }

    #[test]
    fn without_order_each_is_beside_its_like() {
        let ours = json!({ "U": [{ "Name": "b", "E": 1 }, { "Name": "a", "E": 2 }] });
        let theirs = json!({ "U": [{ "Name": "a", "E": 2 }, { "Name": "c", "E": 4 }, { "Name": "b", "E": 3 }] });
        assert_eq!(places(&ours, &theirs), ["U[\"b\"].E", "U[\"c\"]"]);
    }
}

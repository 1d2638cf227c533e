//! How a table's columns grow when objects with other columns appear.
//!
//! Types only ever widen, along `tinyint → smallint → int → bigint → double → string` (and
//! `float → double`, `decimal → wider decimal → double`, `date → timestamp → string`,
//! `boolean → string`), never narrow; new columns and new struct fields go to the end; nothing is ever
//! removed. What has no common type (a struct and a number) is a conflict: it is reported and the
//! table keeps its type. So the outcome does not depend on how often, or in which order of types,
//! objects are seen.

use std::fmt;

use super::{Column, HiveType};

/// What happened to one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaChange {
    /// It is new.
    Added {
        /// Its name.
        column: String,
        /// Its type.
        hive_type: String,
    },
    /// Its type became wider.
    Widened {
        /// Its name.
        column: String,
        /// The type that it had.
        from: String,
        /// The type that it has now.
        to: String,
    },
    /// The objects hold a type that has none in common with the table's, which stays.
    Conflict {
        /// Its name.
        column: String,
        /// The table's type.
        table: String,
        /// What was found.
        found: String,
    },
}

impl SchemaChange {
    /// Whether the table is another one afterwards.
    pub fn alters(&self) -> bool {
        !matches!(self, SchemaChange::Conflict { .. })
    }
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaChange::Added { column, hive_type } => {
                write!(f, "added column {column} {hive_type}")
            }
            SchemaChange::Widened { column, from, to } => {
                write!(f, "widened column {column} from {from} to {to}")
            }
            SchemaChange::Conflict { column, table, found } => {
                write!(f, "conflict: column {column} is {table}, found {found}")
            }
        }
    }
}

/// The columns of `table` grown to hold what `found` holds, and what changed.
pub fn widen(table: &[Column], found: &[Column]) -> (Vec<Column>, Vec<SchemaChange>) {
    let mut merged = table.to_vec();
    let mut changes = Vec::new();
    for new in found {
        let name = new.name.to_lowercase();
        let Some(column) = merged.iter_mut().find(|column| column.name == name) else {
            changes.push(SchemaChange::Added {
                column: name.clone(),
                hive_type: new.hive_type.clone(),
            });
            merged.push(Column { name, ..new.clone() });
            continue;
        };
        if column.hive_type == new.hive_type {
            continue;
        }
        let parsed = (HiveType::parse(&column.hive_type), HiveType::parse(&new.hive_type));
        let common = match &parsed {
            (Ok(old), Ok(new)) => common_type(old, new),
            _ => None,
        };
        match (common, parsed.0) {
            (None, _) | (_, Err(_)) => changes.push(SchemaChange::Conflict {
                column: name,
                table: column.hive_type.clone(),
                found: new.hive_type.clone(),
            }),
            (Some(common), Ok(old)) if common != old => {
                let to = common.to_string();
                changes.push(SchemaChange::Widened {
                    column: name,
                    from: std::mem::replace(&mut column.hive_type, to.clone()),
                    to,
                });
            }
            _ => {}
        }
    }
    (merged, changes)
}

/// The narrowest type that holds the values of both, or `None`.
pub(crate) fn common_type(left: &HiveType, right: &HiveType) -> Option<HiveType> {
    use HiveType::{Array, Binary, Date, Decimal, Double, Map, String, Struct, Timestamp};
    if left == right {
        return Some(left.clone());
    }
    if let (Some(l), Some(r)) = (integer_digits(left), integer_digits(right)) {
        return Some(if l > r { left.clone() } else { right.clone() });
    }
    Some(match (left, right) {
        (Array(l), Array(r)) => Array(Box::new(common_type(l, r)?)),
        (Map(lk, lv), Map(rk, rv)) => Map(Box::new(common_type(lk, rk)?), Box::new(common_type(lv, rv)?)),
        (Struct(l), Struct(r)) => Struct(common_fields(l, r)?),
        (Array(_) | Map(..) | Struct(_) | Binary, _) | (_, Array(_) | Map(..) | Struct(_) | Binary) => return None,
        (Date, Timestamp) | (Timestamp, Date) => Timestamp,
        (l, r) if l.is_numeric() && r.is_numeric() => match (decimal_shape(left), decimal_shape(right)) {
            (Some((li, ls)), Some((ri, rs))) => {
                let (whole, scale) = (li.max(ri), ls.max(rs));
                match whole + scale {
                    precision @ 0..=38 => Decimal(precision as u8, scale as i8),
                    _ => Double,
                }
            }
            _ => Double,
        },
        _ => String,
    })
}

fn common_fields(left: &[(String, HiveType)], right: &[(String, HiveType)]) -> Option<Vec<(String, HiveType)>> {
    let mut fields = left.to_vec();
    for (name, hive) in right {
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = common_type(known, hive)?,
            None => fields.push((name.clone(), hive.clone())),
        }
    }
    Some(fields)
}

/// The decimal digits that every value of an integer type fits in.
fn integer_digits(hive: &HiveType) -> Option<i32> {
    match hive {
        HiveType::TinyInt => Some(3),
        HiveType::SmallInt => Some(5),
        HiveType::Int => Some(10),
        HiveType::BigInt => Some(19),
        _ => None,
    }
}

/// Digits before and behind the point, of decimals and integers.
fn decimal_shape(hive: &HiveType) -> Option<(i32, i32)> {
    match hive {
        HiveType::Decimal(precision, scale) => Some((i32::from(*precision) - i32::from(*scale), i32::from(*scale))),
        _ => Some((integer_digits(hive)?, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn columns(of: &[(&str, &str)]) -> Vec<Column> {
        of.iter().map(|(n, t)| Column::new(*n, *t)).collect()
    }

    #[test]
    fn types_widen_columns_are_added_and_conflicts_reported() {
        let table = columns(&[("a", "int"), ("b", "double"), ("c", "bigint"), ("s", "struct<x:int>")]);
        let found = columns(&[
            ("a", "bigint"),
            ("b", "int"),
            ("c", "struct<y:int>"),
            ("s", "struct<y:string,x:double>"),
            ("New", "date"),
        ]);
        let (merged, changes) = widen(&table, &found);
        assert_eq!(
            merged,
            columns(&[
                ("a", "bigint"),
                ("b", "double"),
                ("c", "bigint"),
                ("s", "struct<x:double,y:string>"),
                ("new", "date"),
            ])
        );
        let said: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "widened column a from int to bigint",
                "conflict: column c is bigint, found struct<y:int>",
                "widened column s from struct<x:int> to struct<x:double,y:string>",
                "added column new date",
            ]
        );
        assert_eq!(widen(&merged, &found).0, merged, "a second time changes nothing");
    }

    fn scalar() -> impl Strategy<Value = HiveType> {
        prop_oneof![
            Just(HiveType::Boolean),
            Just(HiveType::TinyInt),
            Just(HiveType::SmallInt),
            Just(HiveType::Int),
            Just(HiveType::BigInt),
            Just(HiveType::Float),
            Just(HiveType::Double),
            (1u8..=38)
                .prop_flat_map(|p| (Just(p), 0..=p as i8))
                .prop_map(|(p, s)| HiveType::Decimal(p, s)),
            Just(HiveType::String),
            Just(HiveType::Date),
            Just(HiveType::Timestamp),
        ]
    }

    proptest! {
        /// The common type is a least upper bound: it takes no notice of order, grouping or repetition.
        #[test]
        fn the_order_of_objects_does_not_matter(a in scalar(), b in scalar(), c in scalar()) {
            let join = |l: &HiveType, r: &HiveType| common_type(l, r).unwrap();
            prop_assert_eq!(join(&a, &a), a.clone());
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
            let up = join(&a, &b);
            prop_assert_eq!(join(&up, &a), up.clone(), "never narrows");
        }
    }
}

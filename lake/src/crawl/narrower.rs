//! Which Parquet objects Athena will refuse because their table is wider by now.
//!
//! A Parquet object keeps the types that it was written with. SQL here casts them to the table's; Athena reads integers as wider
//! integers, floats as doubles, decimals as wider ones of the same scale, and refuses the rest (`HIVE_BAD_DATA`). AWS Glue's
//! crawler leaves such a table behind without a word; here it is a conflict in the report, though nothing is wrong with our SQL.

use std::collections::BTreeMap;

use crate::catalog::{Column, HiveType, SchemaChange};

/// What Athena can't read, in words: of objects just read, each with its columns, and of those crawled before, by what changed
/// in the table.
pub(super) fn refused_by_athena<'a>(
    table: &[Column],
    objects: impl Iterator<Item = (&'a str, &'a [Column])>,
    changes: &[SchemaChange],
) -> Vec<String> {
    let mut found: BTreeMap<(&str, &str, &str), (u64, &str)> = BTreeMap::new();
    for (key, columns) in objects {
        for column in columns {
            let Some(wide) = table.iter().find(|wide| wide.name == column.name) else {
                continue;
            };
            if !is_read(&column.hive_type, &wide.hive_type) {
                let kind = (column.name.as_str(), column.hive_type.as_str(), wide.hive_type.as_str());
                found.entry(kind).or_insert((0, key)).0 += 1;
            }
        }
    }
    let just_read = found.into_iter().map(|((column, narrow, wide), (count, first))| {
        let others = match count {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        format!("column {column} is {narrow} in {first}{others} and {wide} in the table: Athena refuses them")
    });
    let before = changes.iter().filter_map(|change| match change {
        SchemaChange::Widened { column, from, to } if !is_read(from, to) => Some(format!(
            "column {column} is {from} in objects that were crawled before and {to} in the table: Athena refuses them"
        )),
        _ => None,
    });
    just_read.chain(before).collect()
}

/// Whether Athena reads a Parquet column of one type as another; of types that it does not know it is not said.
fn is_read(of_object: &str, of_table: &str) -> bool {
    match (HiveType::parse(of_object), HiveType::parse(of_table)) {
        (Ok(of_object), Ok(of_table)) => reads(&of_object, &of_table),
        _ => true,
    }
}

fn reads(of_object: &HiveType, of_table: &HiveType) -> bool {
    use HiveType::{Array, BigInt, Decimal, Double, Float, Int, Map, SmallInt, Struct, TinyInt};
    match (of_object, of_table) {
        (same, other) if same == other => true,
        (TinyInt | SmallInt | Int, TinyInt | SmallInt | Int | BigInt) | (Float, Double) => true,
        (Decimal(_, from), Decimal(_, to)) => from == to,
        (Array(from), Array(to)) => reads(from, to),
        (Map(from_key, from), Map(to_key, to)) => reads(from_key, to_key) && reads(from, to),
        // Fields are found by their names.
        (Struct(from), Struct(to)) => from.iter().all(|(name, from)| {
            to.iter()
                .find(|(other, _)| other == name)
                .is_none_or(|(_, to)| reads(from, to))
        }),
        // What has nothing in common is a conflict of types already, and said so.
        (from, to) => crate::catalog::common_type(from, to).is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_athena_reads_is_not_reported() {
        for (from, to, read) in [
            ("int", "bigint", true),
            ("float", "double", true),
            ("decimal(5,2)", "decimal(9,2)", true),
            ("decimal(5,2)", "decimal(9,3)", false),
            ("int", "double", false),
            ("bigint", "string", false),
            ("double", "string", false),
            ("date", "timestamp", false),
            ("array<int>", "array<double>", false),
            ("struct<a:int>", "struct<a:bigint,b:string>", true),
            ("struct<a:int>", "struct<a:string>", false),
        ] {
            assert_eq!(is_read(from, to), read, "{from} as {to}");
        }
    }

    #[test]
    fn objects_alike_are_counted() {
        let (narrow, wide) = ([Column::new("n", "int")], [Column::new("n", "double")]);
        let objects = ["a", "b", "c"].map(|key| (key, &narrow[..]));
        let widened = SchemaChange::Widened {
            column: "n".to_owned(),
            from: "bigint".to_owned(),
            to: "double".to_owned(),
        };
        assert_eq!(
            refused_by_athena(&wide, objects.into_iter(), &[widened]),
            [
                "column n is int in a and 2 more and double in the table: Athena refuses them",
                "column n is bigint in objects that were crawled before and double in the table: Athena refuses them",
            ]
        );
    }
}

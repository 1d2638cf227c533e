//! Which partitions are wanted: a conjunction of comparisons of partition keys with constants.
//!
//! It is a necessary condition, not the whole `WHERE`: SQL hands down what has this form and filters
//! the rest itself. It prints as, and is parsed from, the `Expression` of Glue's `GetPartitions`
//! (`dt >= '2012-01-01' AND dt < '2012-02-01'`).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{Column, HiveType};

/// How a partition's value is compared with the constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonOperator {
    /// `=`
    Equal,
    /// `<>` (also read from `!=`)
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl ComparisonOperator {
    fn symbol(self) -> &'static str {
        match self {
            ComparisonOperator::Equal => "=",
            ComparisonOperator::NotEqual => "<>",
            ComparisonOperator::Less => "<",
            ComparisonOperator::LessOrEqual => "<=",
            ComparisonOperator::Greater => ">",
            ComparisonOperator::GreaterOrEqual => ">=",
        }
    }

    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            ComparisonOperator::Equal => ordering.is_eq(),
            ComparisonOperator::NotEqual => ordering.is_ne(),
            ComparisonOperator::Less => ordering.is_lt(),
            ComparisonOperator::LessOrEqual => ordering.is_le(),
            ComparisonOperator::Greater => ordering.is_gt(),
            ComparisonOperator::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// One comparison, or a choice of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionTerm {
    /// `column operator value`
    Compare {
        /// A partition key.
        column: String,
        /// How to compare.
        operator: ComparisonOperator,
        /// The constant, as it stands in the path.
        value: String,
    },
    /// `column in (value, …)`
    In {
        /// A partition key.
        column: String,
        /// The constants, as they stand in the path.
        values: Vec<String>,
    },
}

/// A conjunction of terms; empty for all partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionFilter {
    /// All of them must hold.
    pub terms: Vec<PartitionTerm>,
}

/// An expression that is no conjunction of comparisons.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("not a partition expression that is understood here, at byte {position}: {expression}")]
pub struct FilterError {
    /// What was given.
    pub expression: String,
    /// Where the understanding ended.
    pub position: usize,
}

impl PartitionFilter {
    /// The filter that every partition passes.
    pub fn all() -> Self {
        PartitionFilter::default()
    }

    /// Whether a partition with these values passes. Numbers compare as numbers where the key's type
    /// is one, everything else as text. A term on a column that is no key passes, as does a value
    /// that is no number under a numeric key: the filter may only leave out what can't be wanted.
    pub fn matches(&self, keys: &[Column], values: &[String]) -> bool {
        self.terms.iter().all(|term| {
            let name = match term {
                PartitionTerm::Compare { column, .. } | PartitionTerm::In { column, .. } => column,
            };
            let found = keys
                .iter()
                .zip(values)
                .find(|(key, _)| key.name.eq_ignore_ascii_case(name));
            let Some((key, value)) = found else {
                return true;
            };
            let numeric = HiveType::parse(&key.hive_type).is_ok_and(|t| t.is_numeric());
            match term {
                PartitionTerm::Compare {
                    operator,
                    value: constant,
                    ..
                } => compare(value, constant, numeric).is_none_or(|o| operator.accepts(o)),
                PartitionTerm::In { values, .. } => values
                    .iter()
                    .any(|constant| compare(value, constant, numeric).is_none_or(Ordering::is_eq)),
            }
        })
    }
}

fn compare(value: &str, constant: &str, numeric: bool) -> Option<Ordering> {
    if !numeric {
        return Some(value.cmp(constant));
    }
    if let (Ok(left), Ok(right)) = (value.parse::<i128>(), constant.parse::<i128>()) {
        return Some(left.cmp(&right));
    }
    value.parse::<f64>().ok()?.partial_cmp(&constant.parse::<f64>().ok()?)
}

impl fmt::Display for PartitionFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |value: &str| format!("'{}'", value.replace('\'', "''"));
        for (at, term) in self.terms.iter().enumerate() {
            if at > 0 {
                f.write_str(" AND ")?;
            }
            match term {
                PartitionTerm::Compare {
                    column,
                    operator,
                    value,
                } => write!(f, "{column} {} {}", operator.symbol(), quote(value))?,
                PartitionTerm::In { column, values } => {
                    let values: Vec<String> = values.iter().map(|v| quote(v)).collect();
                    write!(f, "{column} IN ({})", values.join(", "))?;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for PartitionFilter {
    type Err = FilterError;

    /// Reads `a = 'x' AND b IN ('y', 'z') AND (c BETWEEN 1 AND 5)`: a conjunction of `=`, `<>`,
    /// `!=`, `<`, `<=`, `>`, `>=`, `IN` and `BETWEEN`, keywords in any case.
    fn from_str(expression: &str) -> Result<Self, FilterError> {
        let mut parser = Parser {
            text: expression,
            position: 0,
            depth: 0,
        };
        let mut filter = PartitionFilter::all();
        if parser.peek().is_none() {
            return Ok(filter);
        }
        loop {
            parser.term(&mut filter.terms)?;
            if parser.peek().is_none() {
                return Ok(filter);
            }
            parser.keyword("and")?;
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    /// How many parentheses are open: bounded, since a peer writes the expression.
    depth: usize,
}

const DEPTH_MAX: usize = 32;

impl Parser<'_> {
    fn error(&self) -> FilterError {
        FilterError {
            expression: self.text.to_owned(),
            position: self.position,
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.position..]
    }

    /// The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        let skipped = rest.len() - rest.trim_start().len();
        self.position += skipped;
        self.rest().chars().next()
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_some() && self.rest().starts_with(symbol);
        if found {
            self.position += symbol.len();
        }
        found
    }

    fn require(&mut self, symbol: &str) -> Result<(), FilterError> {
        self.eat(symbol).then_some(()).ok_or_else(|| self.error())
    }

    fn word(&mut self) -> Option<String> {
        self.peek()?;
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
        let rest = self.rest();
        let word = rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())].to_owned();
        self.position += word.len();
        (!word.is_empty()).then_some(word)
    }

    fn keyword(&mut self, wanted: &str) -> Result<(), FilterError> {
        let start = self.position;
        if self.word().is_some_and(|w| w.eq_ignore_ascii_case(wanted)) {
            return Ok(());
        }
        self.position = start;
        Err(self.error())
    }

    fn name(&mut self) -> Result<String, FilterError> {
        for quote in ["\"", "`"] {
            if self.eat(quote) {
                return self.quoted(quote);
            }
        }
        self.word().ok_or_else(|| self.error())
    }

    /// What follows an opening quote, up to the closing one; a doubled quote stands for itself.
    fn quoted(&mut self, quote: &str) -> Result<String, FilterError> {
        let mut value = String::new();
        loop {
            let rest = self.rest();
            let end = rest.find(quote).ok_or_else(|| self.error())?;
            value.push_str(&rest[..end]);
            self.position += end + quote.len();
            if !self.rest().starts_with(quote) {
                return Ok(value);
            }
            value.push_str(quote);
            self.position += quote.len();
        }
    }

    fn constant(&mut self) -> Result<String, FilterError> {
        if self.eat("'") {
            return self.quoted("'");
        }
        let start = self.position;
        let word = self.word().ok_or_else(|| self.error())?;
        // `date '2012-01-01'`, `timestamp '…'`: the quoted part is what stands in the path.
        if self.eat("'") {
            return self.quoted("'");
        }
        if word.parse::<f64>().is_ok() || ["true", "false"].contains(&word.as_str()) {
            return Ok(word);
        }
        self.position = start;
        Err(self.error())
    }

    fn term(&mut self, terms: &mut Vec<PartitionTerm>) -> Result<(), FilterError> {
        if self.depth < DEPTH_MAX && self.eat("(") {
            self.depth += 1;
            self.term(terms)?;
            while !self.eat(")") {
                self.keyword("and")?;
                self.term(terms)?;
            }
            self.depth -= 1;
            return Ok(());
        }
        let column = self.name()?;
        let compare = |operator, value, column: &str| PartitionTerm::Compare {
            column: column.to_owned(),
            operator,
            value,
        };
        let operators = [
            ("<=", ComparisonOperator::LessOrEqual),
            (">=", ComparisonOperator::GreaterOrEqual),
            ("<>", ComparisonOperator::NotEqual),
            ("!=", ComparisonOperator::NotEqual),
            ("=", ComparisonOperator::Equal),
            ("<", ComparisonOperator::Less),
            (">", ComparisonOperator::Greater),
        ];
        for (symbol, operator) in operators {
            if self.eat(symbol) {
                let value = self.constant()?;
                terms.push(compare(operator, value, &column));
                return Ok(());
            }
        }
        if self.keyword("between").is_ok() {
            let low = self.constant()?;
            self.keyword("and")?;
            let high = self.constant()?;
            terms.push(compare(ComparisonOperator::GreaterOrEqual, low, &column));
            terms.push(compare(ComparisonOperator::LessOrEqual, high, &column));
            return Ok(());
        }
        self.keyword("in")?;
        self.require("(")?;
        let mut values = vec![self.constant()?];
        while self.eat(",") {
            values.push(self.constant()?);
        }
        self.require(")")?;
        terms.push(PartitionTerm::In { column, values });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passing(expression: &str, values: &[(&str, i64)]) -> Vec<String> {
        let keys = [Column::new("dt", "string"), Column::new("hour", "int")];
        let filter: PartitionFilter = expression.parse().unwrap();
        let printed: PartitionFilter = filter.to_string().parse().unwrap();
        assert_eq!(filter, printed, "what is printed is read back");
        values
            .iter()
            .filter(|(dt, hour)| filter.matches(&keys, &[(*dt).to_owned(), hour.to_string()]))
            .map(|(dt, hour)| format!("{dt}/{hour}"))
            .collect()
    }

    #[test]
    fn comparisons_follow_the_keys_type() {
        let all = [("2012-01-01", 9), ("2012-01-02", 10), ("2012-02-01", 110)];
        assert_eq!(passing("", &all).len(), 3);
        assert_eq!(passing("dt = '2012-01-02'", &all), ["2012-01-02/10"]);
        assert_eq!(passing("hour > 9", &all).len(), 2);
        assert_eq!(passing("hour >= '10' and hour<>110", &all), ["2012-01-02/10"]);
        assert_eq!(
            passing("(dt BETWEEN '2012-01-02' AND '2012-02-01') AND hour IN (9, 110)", &all),
            ["2012-02-01/110"]
        );
        assert_eq!(passing("\"dt\" < date '2012-01-02'", &all), ["2012-01-01/9"]);
        assert_eq!(passing("other = 'x'", &all).len(), 3);
    }

    #[test]
    fn what_is_not_understood_is_refused_where_it_stands() {
        for (expression, position) in [
            ("dt", 2),
            ("dt like 'x%'", 3),
            ("dt = 'x' or dt = 'y'", 9),
            ("dt = 'x", 6),
            ("dt in ('x'", 10),
        ] {
            let error = expression.parse::<PartitionFilter>().unwrap_err();
            assert_eq!(error.position, position, "{error}");
        }
    }

    #[test]
    fn quotes_are_doubled() {
        let filter: PartitionFilter = "dt = 'it''s'".parse().unwrap();
        assert!(filter.matches(&[Column::new("dt", "string")], &["it's".to_owned()]));
        assert_eq!(filter.to_string(), "dt = 'it''s'");
    }
}

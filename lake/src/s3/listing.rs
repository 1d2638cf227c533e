//! One page of a listing, by prefix and delimiter, from a position on.
//!
//! A page costs what it gives: the index is entered at the position, left when the page is full, and all the
//! keys under a common prefix are skipped in one step.

use std::ops::Bound;

use super::error::StoreError;
use super::index::{Index, Raw, successor};

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Position {
    /// At the first key.
    #[default]
    Start,
    /// At the first key after this one.
    AfterKey(String),
    /// At the first key after all those that start with this.
    AfterPrefix(String),
}

impl Position {
    /// The continuation token: opaque to clients.
    pub(crate) fn token(&self) -> Option<String> {
        let text = match self {
            Self::Start => return None,
            Self::AfterKey(key) => format!("k{key}"),
            Self::AfterPrefix(prefix) => format!("p{prefix}"),
        };
        Some(aws_smithy_types::base64::encode(text))
    }

    /// Reads a token back.
    pub(crate) fn parse(token: &str) -> Option<Self> {
        let text = String::from_utf8(super::digest::decode_base64(token)?).ok()?;
        match text.split_at_checked(1)? {
            ("k", key) => Some(Self::AfterKey(key.to_owned())),
            ("p", prefix) => Some(Self::AfterPrefix(prefix.to_owned())),
            _ => None,
        }
    }

    /// The marker of ListObjects version 1: the last key or common prefix of the page before. A marker that
    /// is itself a common prefix stands for all the keys under it.
    pub(crate) fn from_marker(marker: &str, prefix: &str, delimiter: Option<&str>) -> Self {
        match (delimiter, marker.strip_prefix(prefix)) {
            (Some(delimiter), Some(rest)) if common_prefix_len(rest, delimiter) == Some(rest.len()) => {
                Self::AfterPrefix(marker.to_owned())
            }
            _ => Self::AfterKey(marker.to_owned()),
        }
    }

    /// As a bound on what follows `prefix` in the keys; `None` when nothing can follow.
    fn bound(&self, prefix: &str) -> Option<Bound<Vec<u8>>> {
        match self {
            Self::Start => Some(Bound::Unbounded),
            Self::AfterKey(key) => match key.strip_prefix(prefix) {
                Some(rest) => Some(Bound::Excluded(rest.as_bytes().to_vec())),
                None => (key.as_str() < prefix).then_some(Bound::Unbounded),
            },
            Self::AfterPrefix(under) => match under.strip_prefix(prefix) {
                Some("") => None,
                Some(rest) => Some(Bound::Included(successor(rest.as_bytes())?)),
                None => (!prefix.starts_with(under.as_str()) && under.as_str() < prefix).then_some(Bound::Unbounded),
            },
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct PageQuery {
    /// What the index's keys of this bucket start with.
    pub(crate) space: Vec<u8>,
    pub(crate) prefix: String,
    pub(crate) delimiter: Option<String>,
    pub(crate) from: Position,
    pub(crate) max_entries: usize,
}

/// Keys and common prefixes, each in order.
pub(crate) struct Page {
    pub(crate) entries: Vec<(String, Raw)>,
    pub(crate) common_prefixes: Vec<String>,
    /// Where the next page begins, if this one is not the last.
    pub(crate) next: Option<Position>,
}

fn common_prefix_len(rest: &str, delimiter: &str) -> Option<usize> {
    rest.find(delimiter).map(|at| at + delimiter.len())
}

/// Reads one page.
pub(crate) fn page(index: &Index, query: &PageQuery) -> Result<Page, StoreError> {
    let mut page = Page {
        entries: Vec::new(),
        common_prefixes: Vec::new(),
        next: None,
    };
    let Some(mut bound) = query.from.bound(&query.prefix) else {
        return Ok(page);
    };
    if query.max_entries == 0 {
        return Ok(page);
    }
    let space = [query.space.as_slice(), query.prefix.as_bytes()].concat();
    let mut last = Position::Start;
    'seek: loop {
        for item in index.scan(space.clone(), bound) {
            let (rest, raw) = item?;
            // Keys come from clients as UTF-8; anything else was not written by this code.
            let Ok(rest) = String::from_utf8(rest) else { continue };
            if page.entries.len() + page.common_prefixes.len() == query.max_entries {
                page.next = Some(last);
                return Ok(page);
            }
            let common = query
                .delimiter
                .as_deref()
                .and_then(|delimiter| common_prefix_len(&rest, delimiter));
            if let Some(len) = common {
                let common = format!("{}{}", query.prefix, &rest[..len]);
                page.common_prefixes.push(common.clone());
                last = Position::AfterPrefix(common);
                match successor(&rest.as_bytes()[..len]) {
                    Some(after) => bound = Bound::Included(after),
                    None => return Ok(page),
                }
                continue 'seek;
            }
            let key = format!("{}{rest}", query.prefix);
            last = Position::AfterKey(key.clone());
            page.entries.push((key, raw));
        }
        return Ok(page);
    }
}

/// How keys are written when the client asked for `encoding-type=url`.
pub(crate) fn url_encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::super::index::{Batch, keys};
    use super::*;

    fn pages(names: &[&str], prefix: &str, delimiter: Option<&str>, max_entries: usize) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path(), false).unwrap();
        let mut batch = Batch::default();
        for name in names.iter().chain(&["other"]) {
            let bucket = if *name == "other" { "b2" } else { "b" };
            batch.put(keys::object(bucket, name), &0).unwrap();
        }
        index.apply(batch).unwrap();
        let mut found = Vec::new();
        let mut from = Position::Start;
        loop {
            let query = PageQuery {
                space: keys::objects("b"),
                prefix: prefix.to_owned(),
                delimiter: delimiter.map(str::to_owned),
                from,
                max_entries,
            };
            let page = page(&index, &query).unwrap();
            assert!(page.entries.len() + page.common_prefixes.len() <= max_entries);
            let mut these: Vec<_> = page.entries.into_iter().map(|(key, _)| key).collect();
            these.extend(page.common_prefixes);
            these.sort();
            found.extend(these);
            match page.next {
                Some(next) => from = Position::parse(&next.token().unwrap()).unwrap(),
                None => return found,
            }
        }
    }

    #[test]
    fn a_listing_is_the_same_at_every_page_size() {
        let names = ["a", "a/1", "a/2", "a0", "b/x/1", "b/x/2", "b/y", "ä/1", "z"];
        for max in 1..=10 {
            assert_eq!(
                pages(&names, "", None, max),
                names.map(|name| name.to_owned()).to_vec().sorted()
            );
            assert_eq!(pages(&names, "", Some("/"), max), ["a", "a/", "a0", "b/", "z", "ä/"]);
            assert_eq!(pages(&names, "b/", Some("/"), max), ["b/x/", "b/y"]);
            assert_eq!(pages(&names, "b/x", None, max), ["b/x/1", "b/x/2"]);
            assert_eq!(pages(&names, "q", Some("/"), max), [""; 0]);
        }
    }

    trait Sorted {
        fn sorted(self) -> Self;
    }

    impl Sorted for Vec<String> {
        fn sorted(mut self) -> Self {
            self.sort();
            self
        }
    }

    #[test]
    fn a_marker_that_is_a_common_prefix_stands_for_what_is_under_it() {
        let skip = Position::AfterPrefix("a/b/".into());
        assert_eq!(Position::from_marker("a/b/", "a/", Some("/")), skip);
        assert_eq!(
            Position::from_marker("a/b/c/", "a/", Some("/")),
            Position::AfterKey("a/b/c/".into())
        );
        assert_eq!(
            Position::from_marker("a/b/", "a/", None),
            Position::AfterKey("a/b/".into())
        );
    }
}

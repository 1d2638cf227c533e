//! Pages of lists. A token is the position after the last entry given, so it stays good while the list changes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::GlueError;

/// What a request says of the page that it wants.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PageRequest {
    next_token: Option<String>,
    max_results: Option<usize>,
}

impl PageRequest {
    /// The position after which the page begins.
    pub(super) fn after<P: DeserializeOwned>(&self) -> Result<Option<P>, GlueError> {
        let token = self.next_token.as_deref().filter(|token| !token.is_empty());
        token
            .map(|token| parse(token).ok_or_else(|| GlueError::invalid("NextToken is not one of ours")))
            .transpose()
    }

    /// How many entries the page has at most.
    pub(super) fn size(&self, entries_max: usize) -> usize {
        self.max_results.unwrap_or(entries_max).clamp(1, entries_max)
    }

    /// The page of `all`, which is ordered by `position`, and the token of the next one.
    pub(super) fn cut<T, P>(
        &self,
        all: Vec<T>,
        entries_max: usize,
        position: impl Fn(&T) -> P,
    ) -> Result<(Vec<T>, Option<String>), GlueError>
    where
        P: Ord + Serialize + DeserializeOwned,
    {
        let after: Option<P> = self.after()?;
        let size = self.size(entries_max);
        let mut rest = all
            .into_iter()
            .filter(|entry| after.as_ref().is_none_or(|after| position(entry) > *after));
        let page: Vec<T> = rest.by_ref().take(size).collect();
        let token = match (rest.next(), page.last()) {
            (Some(_), Some(last)) => token_of(&position(last)),
            _ => None,
        };
        Ok((page, token))
    }
}

/// The token of the page after the entry at this position.
pub(super) fn token_of(position: &impl Serialize) -> Option<String> {
    let text = serde_json::to_vec(position).ok()?;
    Some(aws_smithy_types::base64::encode(text))
}

fn parse<P: DeserializeOwned>(token: &str) -> Option<P> {
    serde_json::from_slice(&aws_smithy_types::base64::decode(token).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_make_up_the_list() {
        let all: Vec<u32> = (0..10).collect();
        for size in 1..=11 {
            let mut found = Vec::new();
            let mut request = PageRequest {
                next_token: None,
                max_results: Some(size),
            };
            loop {
                let (page, token) = request.cut(all.clone(), 100, |n| *n).unwrap();
                found.extend(page);
                match token {
                    Some(token) => request.next_token = Some(token),
                    None => break,
                }
            }
            assert_eq!(found, all);
        }
        let odd = PageRequest {
            next_token: Some("!".into()),
            max_results: None,
        };
        assert!(odd.cut(all, 100, |n| *n).is_err());
    }
}

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
        let after: Option<P> = match self.next_token.as_deref().filter(|token| !token.is_empty()) {
            Some(token) => Some(parse(token).ok_or_else(|| GlueError::invalid("NextToken is not one of ours"))?),
            None => None,
        };
        let size = self.max_results.unwrap_or(entries_max).clamp(1, entries_max);
        let mut rest = all
            .into_iter()
            .filter(|entry| after.as_ref().is_none_or(|after| position(entry) > *after));
        let page: Vec<T> = rest.by_ref().take(size).collect();
        let token = match (rest.next(), page.last()) {
            (Some(_), Some(last)) => serde_json::to_vec(&position(last))
                .ok()
                .map(aws_smithy_types::base64::encode),
            _ => None,
        };
        Ok((page, token))
    }
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

//! Which objects a scan reads: those that lie under the wanted partitions now.
//!
//! Listings are never cached: an object that was put before a query began is seen by it.

use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

/// How many prefixes are listed at a time.
const CONCURRENT_REQUESTS: usize = 16;
/// From this many partitions on, one listing of the whole table is cheaper than one for each.
const LIST_WHOLE_FROM: usize = 5;

/// The objects of each of `prefixes`, in their order; `whole` is a prefix of all of them that holds
/// little else, if there is one.
pub(super) async fn objects_of(
    store: &dyn ObjectStore,
    prefixes: &[Path],
    whole: Option<&Path>,
) -> object_store::Result<Vec<Vec<ObjectMeta>>> {
    if let Some(whole) = whole
        && prefixes.len() >= LIST_WHOLE_FROM
        && prefixes.iter().all(|prefix| prefix.prefix_matches(whole))
    {
        return Ok(distribute(list(store, whole).await?, prefixes));
    }
    stream::iter(prefixes.to_vec())
        .map(|prefix| async move { list(store, &prefix).await })
        .buffered(CONCURRENT_REQUESTS)
        .try_collect()
        .await
}

async fn list(store: &dyn ObjectStore, prefix: &Path) -> object_store::Result<Vec<ObjectMeta>> {
    store
        .list(Some(prefix))
        .try_filter(|meta| std::future::ready(is_data(meta, prefix)))
        .try_collect()
        .await
}

/// Gives each object to the longest of `prefixes` that it lies under; what lies under none is left out.
fn distribute(objects: Vec<ObjectMeta>, prefixes: &[Path]) -> Vec<Vec<ObjectMeta>> {
    let by_prefix: std::collections::HashMap<&str, usize> = prefixes
        .iter()
        .enumerate()
        .map(|(at, prefix)| (prefix.as_ref(), at))
        .collect();
    let mut of = vec![Vec::new(); prefixes.len()];
    for object in objects {
        let mut folder = object.location.as_ref();
        while let Some(cut) = folder.rfind('/') {
            folder = &folder[..cut];
            if let Some(at) = by_prefix.get(folder) {
                of[*at].push(object);
                break;
            }
        }
    }
    of
}

/// Whether an object under `prefix` holds rows: it isn't empty (a folder's marker), and no part of its
/// path below the prefix starts with `_` or `.`.
fn is_data(meta: &ObjectMeta, prefix: &Path) -> bool {
    let hidden = |part: &str| part.starts_with(['_', '.']);
    let Some(mut parts) = meta.location.prefix_match(prefix) else {
        return false;
    };
    meta.size > 0 && meta.location != *prefix && !parts.any(|part| hidden(part.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt, PutPayload};

    #[tokio::test]
    async fn one_listing_or_many_find_the_same_objects() {
        let store = InMemory::new();
        let days: Vec<Path> = (1..=9)
            .map(|day| Path::from(format!("lake/ticks/dt=2012-01-0{day}")))
            .collect();
        for day in &days {
            for name in ["a.parquet", "b/c.parquet", "_tmp/d.parquet", "e/.f/g.parquet"] {
                let path = Path::from(format!("{day}/{name}"));
                store.put(&path, PutPayload::from_static(b"x")).await.unwrap();
            }
            let empty = Path::from(format!("{day}/empty"));
            store.put(&empty, PutPayload::new()).await.unwrap();
        }
        let other = Path::from("lake/ticks/other.parquet");
        store.put(&other, PutPayload::from_static(b"x")).await.unwrap();
        let whole = Path::from("lake/ticks");
        let wanted = &days[1..8];
        let mut at_once = objects_of(&store, wanted, Some(&whole)).await.unwrap();
        let mut each = objects_of(&store, wanted, None).await.unwrap();
        for found in at_once.iter_mut().chain(each.iter_mut()) {
            found.sort_by(|a, b| a.location.cmp(&b.location));
        }
        assert_eq!(at_once, each);
        let first: Vec<&str> = each[0].iter().map(|o| o.location.as_ref()).collect();
        assert_eq!(
            first,
            [
                "lake/ticks/dt=2012-01-02/a.parquet",
                "lake/ticks/dt=2012-01-02/b/c.parquet"
            ]
        );
    }
}

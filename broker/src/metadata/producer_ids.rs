//! The ids of idempotent producers: each is given out once, ever.
//!
//! Ids are taken in blocks, as Kafka's controller does, and a block is durable before its first id is given out; what is
//! left of it when the broker stops is lost, which costs nothing.

use super::store::{Store, StoreError, Tree};

const BLOCK: i64 = 1_000;
const NEXT_BLOCK: &[u8] = b"next_producer_id_block";

/// Gives out producer ids.
#[derive(Debug)]
pub(crate) struct ProducerIds {
    store: Store,
    tree: Tree,
    block: tokio::sync::Mutex<Block>,
}

#[derive(Debug, Default)]
struct Block {
    next: i64,
    end: i64,
}

impl ProducerIds {
    /// Opens the tree.
    pub(crate) fn open(store: &Store) -> Result<Self, StoreError> {
        Ok(Self {
            store: store.clone(),
            tree: store.tree("broker")?,
            block: tokio::sync::Mutex::default(),
        })
    }

    /// An id that nobody has.
    pub(crate) async fn next(&self) -> Result<i64, StoreError> {
        let mut block = self.block.lock().await;
        if block.next == block.end {
            let start = next_block(&self.tree)?;
            self.tree.put(NEXT_BLOCK, &(start + BLOCK).to_be_bytes())?;
            self.store.flush().await?;
            *block = Block {
                next: start,
                end: start + BLOCK,
            };
        }
        block.next += 1;
        Ok(block.next - 1)
    }
}

/// Sees to it that no id up to `used` is given out again, in a store that may have lost what was.
pub(crate) fn skip_used(store: &Store, used: i64) -> Result<(), StoreError> {
    let tree = store.tree("broker")?;
    let next = next_block(&tree)?;
    // The rest of its block may have been given out, too.
    let free = (used / BLOCK).saturating_add(1).saturating_mul(BLOCK);
    tree.put(NEXT_BLOCK, &next.max(free).to_be_bytes())
}

fn next_block(tree: &Tree) -> Result<i64, StoreError> {
    let stored = tree.get(NEXT_BLOCK)?;
    Ok(stored
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, i64::from_be_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_id_is_given_out_twice() {
        let store = Store::in_memory();
        let ids = ProducerIds::open(&store).unwrap();
        let mut seen = Vec::new();
        for _ in 0..1_001 {
            seen.push(ids.next().await.unwrap());
        }
        assert!(seen.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        store.crash(0);
        assert_eq!(ProducerIds::open(&store).unwrap().next().await.unwrap(), 2_000);
    }

    #[tokio::test]
    async fn ids_found_in_logs_are_not_given_out_again() {
        let store = Store::in_memory();
        skip_used(&store, 1_234).unwrap();
        assert_eq!(ProducerIds::open(&store).unwrap().next().await.unwrap(), 2_000);
        skip_used(&store, 7).unwrap();
        assert_eq!(ProducerIds::open(&store).unwrap().next().await.unwrap(), 3_000);
    }
}

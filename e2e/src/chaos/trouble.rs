//! Whether the store was in trouble at any time of a span: what fails in a span without any is wrong.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what is done to the store.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// Something is done to the store; dropped, the store is as it was.
pub(crate) struct Ongoing<'a>(&'a Trouble);

impl Drop for Ongoing<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

/// The beginning of a span.
pub(crate) struct Since<'a> {
    trouble: &'a Trouble,
    begun: u64,
    /// There was trouble at its beginning.
    already: bool,
}

impl Trouble {
    /// Something begins to be done to the store.
    pub(crate) fn begin(&self) -> Ongoing<'_> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Ongoing(self)
    }

    /// A span begins.
    pub(crate) fn span(&self) -> Since<'_> {
        // In this order: what ends in between counts as trouble, and what begins in between is seen later.
        let ended = self.ended.load(Ordering::SeqCst);
        let begun = self.begun.load(Ordering::SeqCst);
        Since {
            trouble: self,
            begun,
            already: begun != ended,
        }
    }
}

impl Since<'_> {
    /// Whether there was any trouble in this span, up to now.
    pub(crate) fn any(&self) -> bool {
        self.already || self.trouble.begun.load(Ordering::SeqCst) != self.begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_the_trouble_that_was_there_at_its_beginning_or_began_in_it() {
        let trouble = Trouble::default();
        let before = trouble.span();
        assert!(!before.any());
        let (one, other) = (trouble.begin(), trouble.begin());
        assert!(before.any());
        drop(one);
        let amid = trouble.span();
        assert!(amid.any());
        drop(other);
        assert!(before.any() && amid.any(), "it is over, and was in both");
        assert!(!trouble.span().any());
    }
}

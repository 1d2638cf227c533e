//! An allocator that remembers the largest request of each thread, and how much the thread holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    /// What this thread has asked for and not given back; what others gave it counts against it.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static HELD_MAX: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, watched.
pub(crate) struct Counting;

// SAFETY: all calls go to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        hold(layout.size().cast_signed());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(-layout.size().cast_signed());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        hold(layout.size().cast_signed());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // Both exist while it is moved.
        hold(size.cast_signed());
        hold(-layout.size().cast_signed());
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn note(size: usize) {
    // A thread that is ending has no such cell any more.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

/// Runs `work` and says how many bytes its largest single allocation on this thread asked for.
pub(crate) fn largest_during<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    let result = work();
    (result, LARGEST.get())
}

fn hold(size: isize) {
    let _ = HELD.try_with(|held| {
        held.set(held.get() + size);
        let _ = HELD_MAX.try_with(|max| max.set(max.get().max(held.get())));
    });
}

/// Runs `work` and says how many bytes more than before this thread held at most.
pub(crate) fn held_during<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    HELD_MAX.set(before);
    let result = work();
    (result, usize::try_from(HELD_MAX.get() - before).unwrap_or(0))
}

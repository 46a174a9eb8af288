//! An allocator that counts for each thread by itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

pub(crate) struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    /// Bytes held, less what other threads' memory was given back here.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn taken(bytes: usize) {
    CALLS.with(|calls| calls.set(calls.get() + 1));
    let held = HELD.with(Cell::get) + bytes as isize;
    HELD.with(|cell| cell.set(held));
    PEAK.with(|peak| peak.set(peak.get().max(held)));
}

fn given_back(bytes: usize) {
    HELD.with(|held| held.set(held.get() - bytes as isize));
}

// SAFETY: every call goes on to `System` as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's promise is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's promise is the one `System` asks for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new exist at the same time where the memory is moved.
        taken(size);
        given_back(layout.size());
        // SAFETY: the memory came from `System` with this layout.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        given_back(layout.size());
        // SAFETY: the memory came from `System` with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// What something asked of the allocator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Asked {
    /// How often.
    pub(crate) calls: u64,
    /// The most it held at once, in bytes.
    pub(crate) peak_bytes: usize,
}

/// Runs `work` and says what it asked for, on this thread.
pub(crate) fn asked_by<T>(work: impl FnOnce() -> T) -> (T, Asked) {
    let before = HELD.with(Cell::get);
    let calls = CALLS.with(Cell::get);
    PEAK.with(|peak| peak.set(before));
    let value = work();
    let peak = PEAK.with(Cell::get) - before;
    (value, Asked { calls: CALLS.with(Cell::get) - calls, peak_bytes: peak as usize })
}

#[test]
fn what_is_taken_and_given_back_is_counted() {
    let (_, asked) = asked_by(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(1000))));
    assert_eq!(asked, Asked { calls: 1, peak_bytes: 1000 });
}

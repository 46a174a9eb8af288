//! Counts what a whole process asks of its heap. Costs a few nanoseconds a call, which are measured too.

// A global allocator cannot be written without it.
#![expect(
    unsafe_code,
    reason = "counts what the system's allocator is asked for, and passes it on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);

/// The system's allocator, counted. A program that wants the counts makes it its global allocator.
#[derive(Debug)]
pub struct Counted;

/// What was counted so far, over all threads.
#[derive(Clone, Copy, Debug)]
pub struct HeapCounts {
    /// Pieces of memory asked for, grown or shrunk.
    pub allocations: u64,
    /// Bytes asked for and not given back; what the allocator adds for itself is not in it.
    pub live_bytes: i64,
}

/// What was counted so far; zeros in a program whose allocator is another one.
pub fn counts() -> HeapCounts {
    HeapCounts {
        allocations: ALLOCATIONS.load(Ordering::Relaxed),
        live_bytes: LIVE_BYTES.load(Ordering::Relaxed),
    }
}

fn count(grown_bytes: i64) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    LIVE_BYTES.fetch_add(grown_bytes, Ordering::Relaxed);
}

// SAFETY: every call goes on to `System` as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's promise is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's promise is the one `System` asks for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as i64 - layout.size() as i64);
        // SAFETY: the memory came from `System` with this layout.
        unsafe { System.realloc(memory, layout, new_size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the memory came from `System` with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

//! What is asked of the allocator: nothing by a tick, and little by a decoder, whatever bytes claim.
//! A binary of its own, because its allocator counts.

// A global allocator cannot be written without it.
#![allow(unsafe_code, reason = "counts what the system's allocator is asked for, and passes it on")]

mod counting;
mod decoders;
mod ticks;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

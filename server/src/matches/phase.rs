//! The phases of a tick, for whoever measures them.
//!
//! Owns: which there are, and their order. Must not know: clocks.

/// What a tick goes through, in this order; replication is done in two pieces, before and after the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Places that ran out are freed, and inputs are taken from their buffers.
    Inputs,
    /// The game's own step.
    Step,
    /// The world is quantised once, and each client's snapshot and events are made from it.
    Replicate,
    /// The state is hashed, and what entered the match goes to the journal's queue.
    Journal,
    /// Packets are sealed and handed to the kernel.
    Send,
}

impl Phase {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// Its name in JSON and for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Step => "step",
            Self::Replicate => "replicate",
            Self::Journal => "journal",
            Self::Send => "send",
        }
    }

    /// Its place in arrays of all of them.
    pub fn index(self) -> usize {
        self as usize
    }
}

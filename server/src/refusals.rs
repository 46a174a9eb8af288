//! First packets that are turned away before there is a connection: why, and how many.
//!
//! QUIC's first answer has no room for more than that (CONNECTION_REFUSED), so what it was is for the operator alone.
//! Must not know: who decides.

/// Why a first packet is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There are as many connections, or first packets waiting, as there may be.
    NoRoom,
    /// Its address, which it has proved, opened more connections than the rate allows.
    AddressRate,
}

/// What was done with first packets, beside letting them in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RefusalCounts {
    /// Asked to prove their address first (QUIC Retry).
    pub retried: u64,
    /// [`Refusal::NoRoom`].
    pub no_room: u64,
    /// [`Refusal::AddressRate`].
    pub address_rate: u64,
}

impl RefusalCounts {
    /// One more.
    pub fn count(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::NoRoom => self.no_room += 1,
            Refusal::AddressRate => self.address_rate += 1,
        }
    }

    /// All of them.
    pub fn total(self) -> u64 {
        self.retried + self.no_room + self.address_rate
    }

    /// Those refused, by the names that they have in metrics.
    pub fn by_reason(&self) -> [(&'static str, u64); 2] {
        [("no_room", self.no_room), ("address_rate", self.address_rate)]
    }
}

impl std::ops::AddAssign for RefusalCounts {
    fn add_assign(&mut self, other: Self) {
        self.retried += other.retried;
        self.no_room += other.no_room;
        self.address_rate += other.address_rate;
    }
}

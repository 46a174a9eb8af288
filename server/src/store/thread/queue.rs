//! The queue's side of the store's thread. Calls that only read are in the transaction too: they see what was
//! written before.

use super::super::directory::StoreError;
use super::super::pending::Pending;
use super::{Store, Write};
use crate::matchmaking::{QueueAsk, QueueSaid};

impl Store {
    /// Asks something of the queue; see [`Queue::carry_out`](super::super::Queue::carry_out).
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn queue(&self, ask: QueueAsk) -> Result<Pending<QueueSaid>, StoreError> {
        self.write(|answer| Write::Queue { ask: Box::new(ask), answer })
    }
}

//! c
pub mod bots;
pub mod netcode;
pub mod transport;

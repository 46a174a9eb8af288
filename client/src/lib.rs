//! c
pub mod netcode;
pub mod transport;

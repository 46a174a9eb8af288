//! Server and clients over real QUIC on loopback, with real SQLite; the rules of the house; and every
//! decoder of network bytes. A module for each subject.

mod admission;
mod attacks;
mod certificates;
mod corpora;
mod datagrams;
mod deadlines;
mod decoders;
mod documents;
mod floods;
mod herd;
mod identity;
mod isolation;
mod journal;
mod keys;
mod layers;
mod lobby;
mod matchmaking;
mod messages;
mod paths;
mod playing;
mod queueing;
mod replays;
mod results;
mod returning;
mod round_trips;
mod simulation;
mod sources;
mod steering;
mod tickets;
mod travel;
mod trust;
mod vectors;

//! The command line as people and programs use it: real processes, real signals, what they print, and
//! with which code they end.

mod access;
mod bad_input;
mod bad_places;
mod bots;
mod certificates;
mod collector;
mod config;
mod demo;
mod keys;
mod live;
mod manners;
mod metrics;
mod packaging;
mod players;
mod process;
mod pty;
mod queue;
mod recordings;
mod screens;
mod serve;
mod service;
mod steering;
mod telemetry;
mod tls;
mod trace;
mod travel;
mod walk;

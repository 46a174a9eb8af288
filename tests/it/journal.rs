//! Journals: what every store of them must do, what damage is found, what disks do to them.

mod beds;
mod conformance;
mod crashes;
mod damage;
mod store;
mod writing;

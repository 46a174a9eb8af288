//! Time travel: any tick of a match, proved to be the one that was played.

mod builds;
mod damage;
mod live;
mod speed;

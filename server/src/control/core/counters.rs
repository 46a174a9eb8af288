//! What control counts.

use std::collections::BTreeMap;

/// What control counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlCounters {
    /// Results on stable storage since the start.
    pub results_stored: u64,
    /// Results on their way there.
    pub results_pending: u64,
    /// Results that can never be stored; the log says why.
    pub results_lost: u64,
    /// Writes the store could not take.
    pub store_errors: u64,
    /// Matches of an earlier process that went on.
    pub matches_recovered: u64,
    /// Matches that were set aside.
    pub matches_quarantined: u64,
    /// Matches left alone because they were played under other rules.
    pub matches_foreign: u64,
    /// What matches died of, by cause.
    pub deaths: BTreeMap<&'static str, u64>,
    /// Appends of an epoch that is over, refused by the store.
    pub stale_appends: u64,
}

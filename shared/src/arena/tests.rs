//! The arena's rules, played: each test is a short match on a bare floor.

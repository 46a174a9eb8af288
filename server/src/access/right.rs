//! What a token allows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What whoever has a token may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Look.
    Read,
    /// Look, and change something.
    Operate,
}

/// A right that is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("allowed are read and operate")]
pub struct RightUnknown;

impl Right {
    /// Its name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
        }
    }

    /// Whether it allows what `needed` does.
    pub fn includes(self, needed: Self) -> bool {
        self == Self::Operate || needed == Self::Read
    }
}

impl FromStr for Right {
    type Err = RightUnknown;

    fn from_str(label: &str) -> Result<Self, RightUnknown> {
        let all = [Self::Read, Self::Operate];
        all.into_iter().find(|right| right.label() == label).ok_or(RightUnknown)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_operate_may_look_and_not_the_other_way_round() {
        assert!(Right::Operate.includes(Right::Read) && Right::Operate.includes(Right::Operate));
        assert!(Right::Read.includes(Right::Read) && !Right::Read.includes(Right::Operate));
    }
}

//! Pairs that are measured anew because the machine was not ours: on a virtual one the figures of a
//! measurement that lost its cores say nothing. What decides is what the kernel counts as stolen, never what
//! was measured; the report says how many pairs were thrown away.

use anyhow::bail;

/// So many repeats for each pair that is wanted, in all.
const REPEATS_PER_PAIR: usize = 4;

/// The repeats made, and those left.
#[derive(Debug)]
pub(crate) struct Repeats {
    stolen_max: f64,
    made: usize,
    allowed: usize,
}

impl Repeats {
    pub(crate) fn new(stolen_max: f64, pairs: usize) -> Self {
        Self { stolen_max, made: 0, allowed: REPEATS_PER_PAIR * pairs }
    }

    /// How many there were.
    pub(crate) fn made(&self) -> usize {
        self.made
    }

    /// Measures a pair, again and again until it keeps to the bound.
    ///
    /// # Errors
    /// Those of `measure`; and where no repeat is left.
    pub(crate) fn until_quiet<T>(
        &mut self,
        number: usize,
        mut measure: impl FnMut() -> anyhow::Result<T>,
        stolen_share: impl Fn(&T) -> f64,
    ) -> anyhow::Result<T> {
        loop {
            let pair = measure()?;
            let stolen_share = stolen_share(&pair);
            if stolen_share <= self.stolen_max {
                return Ok(pair);
            }
            let percent = |share: f64| share * 100.0;
            if self.made == self.allowed {
                bail!(
                    "pair {number}: {:.1}% of a core stolen, {:.0}% are allowed, and {} pairs were measured \
                     anew already: this machine is too busy, or --stolen-max too small",
                    percent(stolen_share),
                    percent(self.stolen_max),
                    self.made,
                );
            }
            self.made += 1;
            eprintln!(
                "pair {number} does not count: {:.1}% of a core stolen, {:.0}% are allowed; once more",
                percent(stolen_share),
                percent(self.stolen_max),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_counts_once_the_machine_is_ours_and_not_for_ever() {
        let mut repeats = Repeats { stolen_max: 0.05, made: 0, allowed: 3 };
        let mut shares = [0.4, 0.06, 0.05].into_iter();
        let quiet =
            repeats.until_quiet(1, || Ok(shares.next().expect("asked no more")), |share| *share);
        assert_eq!((quiet.expect("the third will do"), repeats.made()), (0.05, 2));
        let busy = repeats.until_quiet(2, || Ok(0.9), |share| *share);
        let text = busy.expect_err("it is never quiet").to_string();
        assert!(text.starts_with("pair 2: 90.0% of a core stolen, 5% are allowed"), "{text}");
        assert_eq!(repeats.made(), 3);
    }
}

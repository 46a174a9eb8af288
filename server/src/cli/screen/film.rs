//! A match that is played again, as pictures: a few seconds at a time, so that going back and forth is quick.
//!
//! Owns: which stretches are kept. Must not know: where they come from, and who looks.

use std::collections::VecDeque;

use matchkeep_shared::time::Tick;

use crate::cli::CliError;
use crate::travel::Picture;

/// Stretches that are kept: the one that is looked at, the one before and the one behind.
const STRETCHES_MAX: usize = 3;

/// What makes the pictures of a stretch, from a tick to a tick.
type Make = Box<dyn Fn(Tick, Tick) -> Result<Vec<Picture>, CliError>>;

/// A match as pictures.
pub(super) struct Film {
    make: Make,
    /// Ticks in a stretch.
    ticks: u64,
    /// By their number, the one that was looked at last behind.
    stretches: VecDeque<(u64, Vec<Picture>)>,
}

impl Film {
    /// In stretches of so many ticks.
    pub(super) fn new(ticks: u64, make: Make) -> Self {
        Self { make, ticks: ticks.max(1), stretches: VecDeque::new() }
    }

    /// The picture at a tick; the last one before it where the match ends before. `newest` is the last tick that
    /// there is.
    pub(super) fn at(&mut self, tick: Tick, newest: Tick) -> Result<Picture, CliError> {
        let number = tick.0 / self.ticks;
        let index = (tick.0 % self.ticks) as usize;
        let kept = self.stretches.iter().position(|(kept, _)| *kept == number);
        // A running match may have gone on since.
        let kept = kept
            .and_then(|place| self.stretches.remove(place))
            .filter(|(_, pictures)| index < pictures.len());
        let stretch = match kept {
            Some(stretch) => stretch,
            None => {
                let first = Tick(number * self.ticks);
                let last = Tick(first.0 + self.ticks - 1).min(newest);
                (number, (self.make)(first, last)?)
            }
        };
        let pictures = &stretch.1;
        let picture = pictures.get(index).or(pictures.last()).cloned();
        self.stretches.push_back(stretch);
        if self.stretches.len() > STRETCHES_MAX {
            self.stretches.pop_front();
        }
        picture.ok_or_else(|| CliError::Failed(format!("there is no picture of tick {tick}")))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::super::watched::tests::picture;
    use super::*;

    #[test]
    fn what_was_looked_at_is_kept_and_what_is_new_is_made() {
        let made = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&made);
        let make = move |first: Tick, last: Tick| {
            log.borrow_mut().push((first.0, last.0));
            Ok((first.0..=last.0).map(picture).collect())
        };
        let mut film = Film::new(100, Box::new(make));
        let mut at = |tick: u64, newest: u64| {
            let seen = film.at(Tick(tick), Tick(newest)).expect("it can be made").tick.0;
            (seen, made.borrow_mut().drain(..).collect::<Vec<_>>())
        };
        assert_eq!(at(5, 250), (5, vec![(0, 99)]));
        assert_eq!(at(99, 250), (99, vec![]));
        assert_eq!(at(249, 250), (249, vec![(200, 250)]));
        // The match went on.
        assert_eq!(at(260, 280), (260, vec![(200, 280)]));
        assert_eq!(at(150, 280), (150, vec![(100, 199)]));
        assert_eq!(at(0, 280), (0, vec![]));
        assert_eq!(at(300, 350), (300, vec![(300, 350)]));
        assert_eq!(at(250, 350).1, [(200, 299)], "the one that nobody looked at for longest went");
    }

    #[test]
    fn a_stretch_that_cannot_be_made_says_why() {
        let mut film = Film::new(10, Box::new(|_, _| Err(CliError::Failed("torn".into()))));
        let error = film.at(Tick(3), Tick(9)).expect_err("it cannot");
        assert_eq!(error.to_string(), "torn");
    }
}

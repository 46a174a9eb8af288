//! Two histograms as an SVG picture: how long parties waited, and how far apart the teams of matches are.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::plan::Plan;
use super::world::Observed;

/// Bars of a histogram.
const BARS: usize = 40;
/// Size of one, in pixels, and the room around it.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 220.0;
const MARGIN: f64 = 50.0;

/// Writes the picture.
///
/// # Errors
/// Where the file cannot be written.
pub fn write(path: &Path, plan: &Plan, seen: &Observed) -> Result<()> {
    let text = picture(plan, seen);
    std::fs::write(path, text).with_context(|| format!("--plot {}", path.display()))
}

fn picture(plan: &Plan, seen: &Observed) -> String {
    let (width, height) = (2.0 * (WIDTH + 2.0 * MARGIN), HEIGHT + 2.0 * MARGIN);
    let left = Histogram {
        title: "waiting of a party, seconds",
        values: &seen.wait_seconds,
        most: plan.rules.wait_seconds_max as f64,
    };
    let right = Histogram {
        title: "between the mean ratings of a match's teams",
        values: &seen.rating_difference,
        most: seen.rating_difference.iter().copied().fold(1.0, f64::max).ceil(),
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n{}{}</svg>\n",
        left.draw(MARGIN),
        right.draw(WIDTH + 3.0 * MARGIN),
    )
}

struct Histogram<'a> {
    title: &'a str,
    values: &'a [f64],
    /// The end of its axis; what is beyond is in the last bar.
    most: f64,
}

impl Histogram<'_> {
    fn draw(&self, x: f64) -> String {
        let mut bars = [0_usize; BARS];
        for value in self.values {
            let bar = (value / self.most * BARS as f64) as usize;
            bars[bar.min(BARS - 1)] += 1;
        }
        let highest = bars.iter().copied().max().unwrap_or(0).max(1);
        let (bottom, step) = (MARGIN + HEIGHT, WIDTH / BARS as f64);
        let mut text = String::new();
        let mut add = |line: String| writeln!(text, "{line}").expect("a text takes all");
        add(format!("<text x=\"{x}\" y=\"{}\">{}</text>", MARGIN - 14.0, self.title));
        for (nth, count) in bars.iter().enumerate() {
            let height = HEIGHT * *count as f64 / highest as f64;
            let (left, top) = (x + nth as f64 * step, bottom - height);
            add(format!(
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\" \
                 fill=\"#4a78b0\"/>",
                step - 1.0
            ));
        }
        let right = x + WIDTH;
        add(format!("<path d=\"M{x} {bottom}H{right}\" stroke=\"black\"/>"));
        for part in 0..=4 {
            let share = f64::from(part) / 4.0;
            let (at, value) = (x + WIDTH * share, self.most * share);
            let below = bottom + 18.0;
            add(format!("<text x=\"{at}\" y=\"{below}\" text-anchor=\"middle\">{value}</text>"));
        }
        let (label, count) = (MARGIN + 4.0, self.values.len());
        add(format!("<text x=\"{right}\" y=\"{label}\" text-anchor=\"end\">{count} in all</text>"));
        text
    }
}

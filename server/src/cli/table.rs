//! Tables for people: columns as wide as they must be, numbers to the right, lines as long as the terminal's.

use std::io::IsTerminal;

/// How a column is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Align {
    Left,
    Right,
}

/// Sets rows under a head. Every row has as many cells as the head.
pub(super) fn table(head: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].0.len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(&widths).zip(head) {
            line += &match align {
                Align::Left => format!("{cell:<width$}  "),
                Align::Right => format!("{cell:>width$}  "),
            };
        }
        line.trim_end().to_owned() + "\n"
    };
    let mut text = line(&head.iter().map(|(title, _)| *title).collect::<Vec<_>>());
    for row in rows {
        text += &line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}

/// The text with its lines cut to the terminal's width, where it goes to one; a cut line ends with `…`.
pub(super) fn fitted(text: &str) -> String {
    let out = std::io::stdout();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten();
    // A terminal that does not know its width says 0.
    match size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0) {
        Some(columns) => cut(text, columns),
        None => text.to_owned(),
    }
}

fn cut(text: &str, columns: usize) -> String {
    let cut_line = |line: &str| {
        if line.chars().count() <= columns {
            return line.to_owned();
        }
        let kept: String = line.chars().take(columns.saturating_sub(1)).collect();
        kept + "…"
    };
    text.lines().map(|line| cut_line(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_ends_with_a_mark() {
        assert_eq!(cut("12345\n123456\nä2345\n", 5), "12345\n1234…\nä2345\n");
    }

    #[test]
    fn numbers_stand_under_each_other() {
        let rows = [vec!["a".to_owned(), "5".to_owned()], vec!["longer".into(), "1234".into()]];
        let text = table(&[("name", Align::Left), ("score", Align::Right)], &rows);
        assert_eq!(text, "name    score\na           5\nlonger   1234\n");
    }
}

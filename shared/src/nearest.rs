//! Which known word was meant: for messages to who wrote one that is none.

/// The known word nearest to `word`; `None` where none is known.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // `time_limit` means `time_limit_seconds`, however many characters that adds.
    known.into_iter().min_by_key(|known| (!known.starts_with(word), edits(word, known)))
}

/// How many characters must be added, dropped or changed to get from `a` to `b`.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant_is_found() {
        let known = ["shards", "shard_port", "pin", "time_limit_seconds"];
        for (written, meant) in [
            ("shrads", "shards"),
            ("shard-port", "shard_port"),
            ("Pin", "pin"),
            ("time_limit", "time_limit_seconds"),
        ] {
            assert_eq!(nearest(written, known), Some(meant), "{written}");
        }
        assert_eq!(nearest("anything", []), None);
    }
}

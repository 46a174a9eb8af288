//! Lists such as `key=value,other=value`, as variables of OpenTelemetry hold them: values are percent-encoded.

use percent_encoding::percent_decode_str;

/// What is wrong with a list. The value may be a secret, so it is not in here.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum PairsError {
    /// One is no pair.
    #[error("entry {0} is not KEY=VALUE; entries are separated by commas")]
    NoPair(usize),
    /// One is no text.
    #[error("entry {0} is not UTF-8 once its %-escapes are read")]
    NoText(usize),
}

/// Reads a list. Nothing between two commas is no entry.
pub(super) fn pairs(list: &str) -> Result<Vec<(String, String)>, PairsError> {
    let decode = |text: &str, number| {
        let text = percent_decode_str(text.trim()).decode_utf8();
        text.map(String::from).map_err(|_| PairsError::NoText(number))
    };
    let entries = list.split(',').enumerate().filter(|(_, entry)| !entry.trim().is_empty());
    let pair = |(nth, entry): (usize, &str)| {
        let number = nth + 1;
        let (key, value) = entry.split_once('=').ok_or(PairsError::NoPair(number))?;
        if key.trim().is_empty() {
            return Err(PairsError::NoPair(number));
        }
        Ok((decode(key, number)?, decode(value, number)?))
    };
    entries.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_pair_by_pair() {
        let read = |list| {
            let pairs = pairs(list)?;
            Ok(pairs.iter().map(|(key, value)| format!("{key}|{value}")).collect::<Vec<_>>())
        };
        for (list, expected) in [
            ("", Ok(vec![])),
            ("a=1", Ok(vec!["a|1"])),
            (" a = 1 , b=2,", Ok(vec!["a|1", "b|2"])),
            ("Authorization=Basic%20YTpi==", Ok(vec!["Authorization|Basic YTpi=="])),
            ("a=%2C%3D,b=", Ok(vec!["a|,=", "b|"])),
            ("a=1,b", Err(PairsError::NoPair(2))),
            ("=1", Err(PairsError::NoPair(1))),
            ("a=%ff", Err(PairsError::NoText(1))),
        ] {
            let expected = expected.map(|pairs| pairs.into_iter().map(str::to_owned).collect());
            assert_eq!(read(list), expected, "{list}");
        }
    }
}

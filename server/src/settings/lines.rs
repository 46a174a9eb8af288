//! On which line of a configuration file each key stands.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// The lines of a file's keys, from 1, by their path: `modes.duel.map`.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// The lines of this text; none where it is no TOML.
    pub(super) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            lines.add(text, "", table.get_ref());
        }
        lines
    }

    fn add(&mut self, text: &str, parent: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = match parent {
                "" => key.get_ref().to_string(),
                parent => format!("{parent}.{}", key.get_ref()),
            };
            let before = text.get(..key.span().start).unwrap_or_default();
            self.0.insert(path.clone(), before.matches('\n').count() + 1);
            if let DeValue::Table(table) = value.get_ref() {
                self.add(text, &path, table);
            }
        }
    }

    /// Where exactly this key stands.
    pub(super) fn exactly(&self, path: &str) -> Option<usize> {
        self.0.get(path).copied()
    }

    /// Where this key stands, or the table that it would stand in. A rule of the game is found by its
    /// mode and name.
    pub(super) fn nearest(&self, path: &str) -> Option<usize> {
        let rule = path.rsplit_once('.').map(|(mode, name)| format!("{mode}.rules.{name}"));
        let parents = std::iter::successors(Some(path), |path| path.rsplit_once('.').map(|p| p.0));
        let exact = self.exactly(path).or_else(|| self.exactly(&rule?));
        exact.or_else(|| parents.skip(1).find_map(|path| self.exactly(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_on_their_lines() {
        let text = "# a comment\nshards = 2\n\n[modes.duel]\nmap = 'duel'\n\
                    [modes.duel.rules]\nfrag_limit = 3\n[modes.b]\nrules = { teams = 2 }\n";
        let lines = Lines::of(text);
        for (path, line) in [
            ("shards", 2),
            ("modes.duel", 4),
            ("modes.duel.map", 5),
            ("modes.duel.frag_limit", 7),
            ("modes.duel.players_max", 4),
            ("modes.b.teams", 9),
        ] {
            assert_eq!(lines.nearest(path), Some(line), "{path}");
        }
        assert_eq!(lines.nearest("pin"), None);
        assert_eq!(lines.exactly("modes.duel.players_max"), None);
    }
}

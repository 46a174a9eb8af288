//! Keys, as scenes know them.
//!
//! Owns: which keys there are, and which of them mean the same everywhere. Must not know: what they do.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum Key {
    /// Leave: `q` and Ctrl-C.
    Quit,
    /// One up: the arrow and `k`.
    Up,
    /// One down: the arrow and `j`.
    Down,
    Left,
    Right,
    Home,
    End,
    Enter,
    Escape,
    /// Anything else that is a character.
    Character(char),
}

impl Key {
    /// The key that something on the terminal means, if it is one.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let Event::Key(KeyEvent { code, modifiers, kind, .. }) = event else { return None };
        if *kind == KeyEventKind::Release {
            return None;
        }
        let is_control = modifiers.contains(KeyModifiers::CONTROL);
        Some(match code {
            KeyCode::Char('c') if is_control => Self::Quit,
            KeyCode::Char(_) if is_control => return None,
            KeyCode::Char('q') => Self::Quit,
            KeyCode::Up | KeyCode::Char('k') => Self::Up,
            KeyCode::Down | KeyCode::Char('j') => Self::Down,
            KeyCode::Left => Self::Left,
            KeyCode::Right => Self::Right,
            KeyCode::Home => Self::Home,
            KeyCode::End => Self::End,
            KeyCode::Enter => Self::Enter,
            KeyCode::Esc => Self::Escape,
            KeyCode::Char(character) => Self::Character(*character),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_is_the_same_everywhere_and_letters_move_as_arrows_do() {
        let key = |code, modifiers| Key::of(&Event::Key(KeyEvent::new(code, modifiers)));
        let none = KeyModifiers::NONE;
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Quit));
        assert_eq!(key(KeyCode::Char('q'), none), Some(Key::Quit));
        assert_eq!(key(KeyCode::Char('j'), none), key(KeyCode::Down, none));
        assert_eq!(key(KeyCode::Char('k'), none), key(KeyCode::Up, none));
        assert_eq!(key(KeyCode::Char('s'), none), Some(Key::Character('s')));
        assert_eq!(key(KeyCode::Char('s'), KeyModifiers::CONTROL), None);
        assert_eq!(Key::of(&Event::FocusLost), None);
    }
}

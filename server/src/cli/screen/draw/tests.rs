//! What is drawn, on terminals of every size.

use std::time::Duration;

use matchkeep_shared::ids::MatchId;
use matchkeep_shared::sketch::{Area, Mark, Wall};
use matchkeep_shared::time::{Tick, TickRate};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::cli::screen::key::Key;
use crate::cli::screen::node::NodeModel;
use crate::cli::screen::node::tests::{row, sample};
use crate::cli::screen::playhead::Playhead;
use crate::cli::screen::watched::WatchedMatch;
use crate::cli::screen::watched::tests::{picture, running};

/// What stands on a terminal of this size, a line for each row.
fn drawn(width: u16, height: u16, draw: impl Fn(Rect, &mut Buffer)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it is memory");
    terminal.draw(|frame| draw(frame.area(), frame.buffer_mut())).expect("it is memory");
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| line(y).trim_end().to_owned() + "\n").collect()
}

fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` in:\n{text}");
    }
}

fn node(matches: u64) -> NodeModel {
    let rows = (1..=matches).map(|id| row(id, 2, 60, id as f64)).collect();
    NodeModel::new(sample(rows))
}

fn replayed(tick: u64) -> WatchedMatch {
    let mut playhead = Playhead::new(TickRate::default(), Tick(6000), 1.0);
    playhead.pass(Duration::ZERO);
    for _ in 0..tick {
        playhead.press(Key::Character('.'));
    }
    let mut watched = WatchedMatch::new(MatchId(7));
    watched.picture = Some(picture(tick));
    watched.playhead = Some(playhead);
    watched
}

#[test]
fn a_node_shows_shards_and_matches_and_what_is_selected() {
    let model = node(3);
    let text = drawn(80, 24, |area, buffer| draw_node(&model, Tint::Coloured, area, buffer));
    let title = "sprint (rules 1)  pid 42  up 1m 1s  3 matches  7 players  by cost";
    contains(&text, &[title, "SHARD", "LATE P50 US", "870", "% OF TICK", "2+1/8", "q leave"]);
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("running")).collect();
    assert!(rows[0].starts_with(&format!("> {}", MatchId(3))), "{text}");
    assert!(rows[1].starts_with(&format!("  {}", MatchId(2))), "{text}");
    assert!(!text.contains("ENTITIES"), "80 columns have no room for it:\n{text}");
    let wide = drawn(120, 40, |area, buffer| draw_node(&model, Tint::Plain, area, buffer));
    contains(&wide, &["ENTITIES", "127.0.0.1:7778"]);
}

#[test]
fn a_long_list_goes_as_far_down_as_the_selection() {
    let mut model = node(200);
    model.press(Key::End);
    let text = drawn(80, 24, |area, buffer| draw_node(&model, Tint::Coloured, area, buffer));
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("running")).collect();
    assert!(rows.len() > 10, "{text}");
    let last = rows.last().expect("there are some");
    assert!(last.starts_with(&format!("> {}", MatchId(1))), "{text}");
    let none = node(0);
    let text = drawn(80, 24, |area, buffer| draw_node(&none, Tint::Coloured, area, buffer));
    contains(&text, &["no matches"]);
}

#[test]
fn a_running_match_shows_map_players_network_and_figures() {
    let model = running();
    for (width, height) in [(80, 24), (120, 40)] {
        let text =
            drawn(width, height, |area, buffer| draw_match(&model, Tint::Plain, area, buffer));
        contains(&text, &["tick 607", "playing, 42 s left", "PLAYER", "RTT MS", "12.3", "-0.7"]);
        contains(&text, &["bob", "held", "tick cost 250 us, 1.5 % of the tick", "lateness 750 us"]);
        contains(&text, &["█", "░", "+", "*", "↑alice", "xbob", "Esc back"]);
        let full = text.lines().find(|line| line.contains("▀▀▀") || line.contains("███"));
        assert!(full.is_some(), "the wall in the north:\n{text}");
    }
}

#[test]
fn the_map_keeps_its_proportions_and_its_directions() {
    let model = running();
    let picture = model.picture.as_ref();
    // 200 x 200 units on 40 x 20 cells: 5 units are a column, 10 are a row.
    let text = drawn(40, 20, |area, buffer| map::draw_map(picture, Tint::Plain, area, buffer));
    let rows: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    assert!(rows[0].iter().all(|cell| *cell == '█') && rows[0].len() == 40, "{text}");
    assert!(rows[19].iter().all(|cell| *cell == '█'), "{text}");
    // The crate lies north of the middle; alice looks north, bob is far in the east.
    assert_eq!(rows[6][16..24], ['░'; 8], "{text}");
    assert_eq!((rows[10][12], rows[10][36], rows[10][22]), ('↑', 'x', '*'), "{text}");
    // Twice as wide, it stands in the middle.
    let wide = drawn(80, 20, |area, buffer| map::draw_map(picture, Tint::Plain, area, buffer));
    let row: Vec<char> = wide.lines().next().expect("a row").chars().collect();
    assert_eq!((row[19], row[20], row.len()), (' ', '█', 60), "{wide}");
}

#[test]
fn an_old_match_shows_where_in_its_time_it_is() {
    let model = replayed(90);
    let text = drawn(120, 40, |area, buffer| draw_match(&model, Tint::Plain, area, buffer));
    contains(&text, &["paused  x1  0:01.5 of 1:40.0  tick 90 of 6000", "alice", "DEATHS"]);
    contains(&text, &["space pause", "░░░░"]);
    assert!(!text.contains("RTT"), "nobody is connected to it:\n{text}");
}

#[test]
fn trouble_is_told_where_the_keys_stand() {
    let mut model = running();
    model.trouble = Some("no server answers".into());
    let text = drawn(80, 24, |area, buffer| draw_match(&model, Tint::Plain, area, buffer));
    assert!(text.trim_end().ends_with("no server answers"), "{text}");
    contains(&text, &["alice"]);
}

#[test]
fn nothing_is_too_small_or_too_strange_to_be_drawn_on() {
    let mut strange = running();
    let sketch = &mut strange.picture.as_mut().expect("it has one").sketch;
    let places = [[f32::NAN, 0.0], [f32::INFINITY, f32::MIN], [1e30, -1e30]];
    let mark = sketch.marks[0].clone();
    sketch.marks.extend(places.map(|at| Mark {
        at,
        facing_degrees: Some(f32::NAN),
        ..mark.clone()
    }));
    let wall = sketch.walls[0];
    let edges = [[f32::NAN, f32::NAN], [-1e30, 1e30]];
    sketch.walls.extend(edges.map(|low| Wall { area: Area { low, high: [1e30; 2] }, ..wall }));
    let mut boundless = strange.picture.clone().expect("it has one");
    boundless.sketch.bounds = None;
    let empty = WatchedMatch::new(MatchId(1));
    let (live, old, nodes, bare) = (running(), replayed(3), node(30), node(0));
    for width in (0..=24).chain([40, 59, 60, 61, 80, 120, 300]) {
        for height in (0..=16).chain([24, 40, 100]) {
            let _ = drawn(width, height, |area, buffer| {
                for tint in [Tint::Coloured, Tint::Plain] {
                    for model in [&strange, &empty, &live, &old] {
                        draw_match(model, tint, area, buffer);
                    }
                    for model in [&nodes, &bare] {
                        draw_node(model, tint, area, buffer);
                    }
                    map::draw_map(Some(&boundless), tint, area, buffer);
                }
            });
        }
    }
    let tiny = drawn(20, 5, |area, buffer| draw_match(&live, Tint::Plain, area, buffer));
    assert!(tiny.starts_with("match "), "{tiny}");
    let tiny = drawn(20, 5, |area, buffer| draw_node(&nodes, Tint::Plain, area, buffer));
    contains(&tiny, &["sprint", "SHARD"]);
}

#[test]
fn who_wants_no_colours_sees_none() {
    let styled = |tint| {
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).expect("it is memory");
        let model = running();
        let draw = |frame: &mut ratatui::Frame<'_>| {
            draw_match(&model, tint, frame.area(), frame.buffer_mut());
        };
        terminal.draw(draw).expect("it is memory");
        let cells = terminal.backend().buffer().content().iter();
        let plain = |cell: &&ratatui::buffer::Cell| {
            cell.fg == Color::Reset && cell.bg == Color::Reset && cell.modifier.is_empty()
        };
        cells.filter(|cell| !plain(cell)).count()
    };
    assert!(styled(Tint::Coloured) > 50);
    assert_eq!(styled(Tint::Plain), 0);
}

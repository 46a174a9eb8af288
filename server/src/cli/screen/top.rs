//! The scene of a node, and of the match that somebody opens there.
//!
//! Owns: looking at the node, and going to a match and back. Must not know: how either is drawn.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::{Tint, draw_node};
use super::key::Key;
use super::node::{NodeModel, NodeSample};
use super::poller::Poller;
use super::{Next, Scene, WatchScene};
use crate::cli::CliError;
use crate::cli::running::Running;

/// From one look to the next.
const EVERY: Duration = Duration::from_millis(500);

/// A node on the screen.
pub(in crate::cli) struct TopScene {
    server: Running,
    poller: Poller<NodeSample>,
    model: NodeModel,
    tint: Tint,
    /// The match that somebody opened.
    open: Option<WatchScene>,
}

impl TopScene {
    /// The node that was just seen so.
    pub(in crate::cli) fn new(server: Running, sample: NodeSample) -> Result<Self, CliError> {
        let looked_at = server.clone();
        let poller = Poller::start(EVERY, move || look(&looked_at))?;
        let (model, tint) = (NodeModel::new(sample), Tint::of_environment());
        Ok(Self { server, poller, model, tint, open: None })
    }
}

/// The node as it is now.
pub(in crate::cli) fn look(server: &Running) -> Result<NodeSample, CliError> {
    Ok(NodeSample::new(server.get("/v1/node")?, server.matches(None, None)?))
}

impl Scene for TopScene {
    fn pass(&mut self, now: Duration) {
        match self.poller.news() {
            Some(Ok(sample)) => self.model.take(sample),
            Some(Err(error)) => self.model.trouble = Some(error.to_string()),
            None => {}
        }
        if let Some(open) = &mut self.open {
            open.pass(now);
        }
    }

    fn press(&mut self, key: Key) -> Next {
        if let Some(open) = &mut self.open {
            if open.press(key) == Next::Back {
                self.open = None;
            }
            return Next::Stay;
        }
        match (key, self.model.selected) {
            (Key::Enter, Some(id)) => match WatchScene::new(self.server.clone(), id) {
                Ok(scene) => self.open = Some(scene),
                Err(error) => self.model.trouble = Some(error.to_string()),
            },
            _ => self.model.press(key),
        }
        Next::Stay
    }

    fn draw(&self, area: Rect, buffer: &mut Buffer) {
        match &self.open {
            Some(open) => open.draw(area, buffer),
            None => draw_node(&self.model, self.tint, area, buffer),
        }
    }
}

//! stub
use super::Playable;
use matchkeep_shared::arena::Arena;
impl Playable for Arena {}

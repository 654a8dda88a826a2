//! Says again what was said before, by itself and, where that may be passed on, by others: of earlier views,
//! heights and epochs.

use super::scene::Scene;
use super::{Content, Fixture, Letter};

/// Messages that it repeats at a time.
const AT_ONCE: u64 = 6;

pub(super) struct StaleReplayer;

impl Fixture for StaleReplayer {
    fn idles(&mut self, scene: &mut Scene<'_>) -> Vec<Letter> {
        let (mut letters, count) = (Vec::new(), scene.library.history.len() as u64);
        for _ in 0..AT_ONCE.min(count) {
            let (_, message) = &scene.library.history[scene.random.below(count) as usize];
            letters.push(Letter { to: scene.honest(), what: Content::Known(message.clone()) });
            scene.lies += 1;
        }
        letters
    }
}

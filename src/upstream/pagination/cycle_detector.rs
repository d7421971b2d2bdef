use crate::domain::Marker;

/// Finds that markers go in circles, in constant space (Brent's algorithm): one marker
/// is kept and compared with all that follow; the kept one is replaced after 1, 2, 4, 8…
/// steps, so a circle of any length is met within three times its length.
pub(super) struct CycleDetector {
    kept: Option<Marker>,
    steps: u64,
    until: u64,
}

impl CycleDetector {
    pub(super) fn starting_at(marker: Option<Marker>) -> Self {
        Self {
            kept: marker,
            steps: 0,
            until: 1,
        }
    }

    /// Whether the walk may go on at this marker.
    pub(super) fn admit(&mut self, marker: &Marker) -> bool {
        if self.kept.as_ref() == Some(marker) {
            return false;
        }
        self.steps += 1;
        if self.steps == self.until {
            *self = Self {
                kept: Some(marker.clone()),
                steps: 0,
                until: self.until.saturating_mul(2),
            };
        }
        true
    }
}

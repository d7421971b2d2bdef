use crate::domain::Marker;

/// Detects cycles of markers in constant space, by Brent's algorithm: it keeps one marker, compares
/// all later ones with it, and replaces it after 1, 2, 4, 8… steps. So a cycle of any length is
/// detected within three times its length.
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

    /// Whether this marker is not part of a cycle, as far as is known.
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

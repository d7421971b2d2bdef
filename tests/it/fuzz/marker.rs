//! The marker that a caller sends back.

use tapegate::domain::{Marker, Place};

/// What is taken for a place is written as a marker that leads to the same place.
pub fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(place) = Place::resume(text.to_owned()) else {
        return;
    };
    assert!(
        text.chars().count() <= 2_050,
        "a marker of {} bytes was taken",
        text.len()
    );
    if place == Place::default() {
        return;
    }
    let marker = String::from(Marker::from(place.clone()));
    assert_eq!(Place::resume(marker), Ok(place));
}

//! The marker that a caller sends back.

use tapegate::domain::{Cursor, Marker};

/// What is taken for a place is written as a marker that leads to the same place.
pub fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(place) = Cursor::resume(text.to_owned()) else {
        return;
    };
    assert!(
        text.chars().count() <= 2_050,
        "a marker of {} bytes was taken",
        text.len()
    );
    if place == Cursor::default() {
        return;
    }
    let marker = String::from(Marker::from(place.clone()));
    assert_eq!(Cursor::resume(marker), Ok(place));
}

//! What the service model cannot say of the tags of a resource.

use std::collections::BTreeSet;

use crate::emulator::shapes::Tag;

/// The tags that a resource has at most.
const MOST: usize = 50;

/// What is wrong with the tags of one resource.
pub(super) fn faults(tags: &[Tag]) -> Vec<String> {
    let mut faults = Vec::new();
    if tags.len() > MOST {
        faults.push(format!("A resource has at most {MOST} tags."));
    }
    if tags.iter().any(|tag| tag.key.starts_with("aws:")) {
        faults.push("A tag's key cannot begin with aws:.".to_owned());
    }
    let keys: BTreeSet<&str> = tags.iter().map(|tag| tag.key.as_str()).collect();
    if keys.len() < tags.len() {
        faults.push("Two tags have the same key.".to_owned());
    }
    faults
}

//! The `tapegate` program.
fn main() {}

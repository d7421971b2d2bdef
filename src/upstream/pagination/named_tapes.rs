use std::collections::HashSet;

use crate::domain::{Cursor, ListOperation, Row, TapeArn};

/// Finds the tapes that a request names and that its list does not show.
///
/// A list that resumes at a marker finds none: it does not know which tapes were shown before.
pub(super) struct NamedTapes {
    /// The tapes of the request, in its order.
    named: Vec<TapeArn>,
    /// Those that no page has shown yet.
    awaited: HashSet<String>,
}

impl NamedTapes {
    /// The tapes that `list` names, if it starts at its beginning.
    pub(super) fn of<L: ListOperation>(list: &L, start: &Cursor) -> Self {
        let named = match *start == Cursor::default() {
            true => list.tapes().to_vec(),
            false => Vec::new(),
        };
        Self {
            awaited: named.iter().map(ToString::to_string).collect(),
            named,
        }
    }

    /// Takes note of the rows that the reader sees.
    pub(super) fn show<R: Row>(&mut self, rows: &[R]) {
        for row in rows {
            self.awaited.remove(row.tape_arn());
        }
    }

    /// The tapes that were not shown, each once and in the order of the request. Later calls return
    /// none.
    pub(super) fn take_missing(&mut self) -> Vec<TapeArn> {
        let mut missing = std::mem::take(&mut self.named);
        missing.retain(|tape| self.awaited.remove(tape.as_str()));
        missing
    }
}

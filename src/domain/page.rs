use std::num::NonZeroU32;

use super::Marker;

/// Which page of a list is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// Where the page begins; `None` is the beginning.
    pub marker: Option<Marker>,
    /// The most rows that it may have; `None` leaves that to the upstream.
    pub limit: Option<NonZeroU32>,
}

/// One page of a list, as the upstream answered it.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<Row> {
    /// The rows, in the upstream's order.
    pub rows: Vec<Row>,
    /// Where the next page begins; `None` at the end of the list.
    pub next: Option<Marker>,
}

use std::num::NonZeroU32;

use super::Marker;

/// The requested page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// The marker of the page; `None` for the first page.
    pub marker: Option<Marker>,
    /// The most rows of the page; `None` for the default of AWS.
    pub limit: Option<NonZeroU32>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<Row> {
    /// The rows, in the order of AWS.
    pub rows: Vec<Row>,
    /// The marker of the next page; `None` at the end of the list.
    pub next: Option<Marker>,
}

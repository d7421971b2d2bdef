use std::{
    mem,
    num::NonZeroU32,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

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
#[derive(Clone, Debug)]
pub struct Page<Row> {
    /// The rows, in the order of AWS.
    pub rows: Vec<Row>,
    /// The marker of the next page; `None` at the end of the list.
    pub next: Option<Marker>,
    encoded: OnceLock<Bytes>,
}

impl<Row: PartialEq> PartialEq for Page<Row> {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows && self.next == other.next
    }
}

impl<Row> Page<Row> {
    /// A page with these rows and the marker after them.
    pub fn new(rows: Vec<Row>, next: Option<Marker>) -> Self {
        Self {
            rows,
            next,
            encoded: OnceLock::new(),
        }
    }

    /// Takes the rows of a page that nobody shares and that is not encoded yet.
    pub fn take_rows(self: &mut Arc<Self>) -> Option<Vec<Row>> {
        let page = Arc::get_mut(self)?;
        page.encoded.get().is_none().then(|| mem::take(&mut page.rows))
    }

    /// The rows as `encode` encodes them. It is called once, however many share the page.
    pub fn encoded(&self, encode: impl FnOnce(&[Row]) -> Bytes) -> Bytes {
        self.encoded.get_or_init(|| encode(&self.rows)).clone()
    }
}

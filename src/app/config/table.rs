use super::{AnySetting, Layer, Place};

/// Settings that stand in the file as often as there are things to set: `[[auth.jwt]]`.
/// Like other lists, they are in the file alone.
pub struct Table {
    /// Its name in the file, with its section: `auth.jwt`.
    pub key: &'static str,
    /// What each of them is for.
    pub help: &'static str,
    /// What may stand in one.
    pub settings: &'static [&'static dyn AnySetting],
}

/// One table as it was given.
pub(crate) struct Row {
    /// Where it begins.
    pub place: Place,
    /// What it gives.
    pub layer: Layer,
}

/// The rows of every table, in the order of the file, by the table's key.
pub(crate) type Rows = std::collections::BTreeMap<&'static str, Vec<Row>>;

use super::Invalid;

/// The marker of the next page of a list: 1–2,000 opaque characters (service model).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Marker(String);

/// A position in a list: a page of AWS, and the number of its rows to skip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The marker of the page; `None` for the first page.
    pub marker: Option<Marker>,
    /// How many rows to skip from there.
    pub skip: u64,
}

/// The prefix of a marker of this service, which points inside a page of AWS.
const PREFIX: &str = "tapegate:1:";

impl Marker {
    /// The marker of a response of AWS. An empty text is the end of the list, as in all AWS SDKs.
    pub fn reported(text: Option<String>) -> Option<Self> {
        text.filter(|text| !text.is_empty()).map(Self)
    }

    /// The marker's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Cursor {
    /// The beginning of a page of AWS.
    pub fn at(marker: Marker) -> Self {
        Self {
            marker: Some(marker),
            skip: 0,
        }
    }

    /// The position of a marker that a caller sends back. An empty text is the beginning.
    ///
    /// # Errors
    ///
    /// If it is longer than any marker of AWS, or begins like one of this service and is none.
    pub fn resume(text: String) -> Result<Self, Invalid> {
        let Some(inside) = text.strip_prefix(PREFIX) else {
            return Ok(Self {
                marker: of_aws(text)?,
                skip: 0,
            });
        };
        let parts = inside
            .split_once(':')
            .and_then(|(skip, marker)| Some((skip.parse().ok()?, marker)));
        match parts {
            Some((skip, marker)) if skip > 0 => Ok(Self {
                marker: of_aws(marker.to_owned())?,
                skip,
            }),
            _ => Err(Invalid::new(
                "invalid marker; pass back the `marker` of an earlier response unchanged",
            )),
        }
    }
}

/// A marker of AWS.
fn of_aws(text: String) -> Result<Option<Marker>, Invalid> {
    match text.chars().count() {
        0 => Ok(None),
        1..=2000 => Ok(Some(Marker(text))),
        length => Err(Invalid::new(format!(
            "invalid marker of {length} characters, the limit is 2000; \
             pass back the `marker` of an earlier response unchanged"
        ))),
    }
}

/// The marker that a caller passes back to continue at this position.
///
/// ```
/// use tapegate::domain::{Cursor, Marker};
///
/// let page = Marker::reported(Some("aws-marker".to_owned()));
/// let inside = Cursor { marker: page, skip: 3 };
/// let sent = Marker::from(inside.clone());
/// assert_eq!(sent.as_str(), "tapegate:1:3:aws-marker");
/// assert_eq!(Cursor::resume(sent.into())?, inside);
/// # Ok::<(), tapegate::domain::Invalid>(())
/// ```
impl From<Cursor> for Marker {
    fn from(Cursor { marker, skip }: Cursor) -> Self {
        match (marker, skip) {
            (Some(marker), 0) => marker,
            (marker, skip) => Self(format!(
                "{PREFIX}{skip}:{}",
                marker.map(String::from).unwrap_or_default()
            )),
        }
    }
}

impl From<Marker> for String {
    fn from(marker: Marker) -> Self {
        marker.0
    }
}

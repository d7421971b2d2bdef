use super::Invalid;

/// Where a list goes on: 1–2,000 characters (service model), opaque.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Marker(String);

/// A place in a list: so many rows behind where a page of the upstream's begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Where that page begins; `None` is the beginning.
    pub marker: Option<Marker>,
    /// How many rows of the upstream's are behind the reader from there on.
    pub skip: u64,
}

/// What a marker of this service begins with: one for a place inside a page of the upstream's.
const INSIDE: &str = "tapegate:1:";

impl Marker {
    /// The marker of an answer; empty text is the end of the list, as every AWS SDK
    /// has it.
    pub fn reported(text: Option<String>) -> Option<Self> {
        text.filter(|text| !text.is_empty()).map(Self)
    }

    /// The marker's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Cursor {
    /// Where a page of the upstream's begins.
    pub fn at(marker: Marker) -> Self {
        Self {
            marker: Some(marker),
            skip: 0,
        }
    }

    /// The place of a marker that a caller sent back; empty text is the beginning.
    ///
    /// # Errors
    ///
    /// When it is longer than any marker of AWS, or is not quite one of this service.
    pub fn resume(text: String) -> Result<Self, Invalid> {
        let Some(inside) = text.strip_prefix(INSIDE) else {
            return Ok(Self {
                marker: upstreams(text)?,
                skip: 0,
            });
        };
        let parts = inside
            .split_once(':')
            .and_then(|(skip, marker)| Some((skip.parse().ok()?, marker)));
        match parts {
            Some((skip, marker)) if skip > 0 => Ok(Self {
                marker: upstreams(marker.to_owned())?,
                skip,
            }),
            _ => Err(Invalid::new(
                "this is no marker of this service: send one back as it came",
            )),
        }
    }
}

/// A marker of AWS.
fn upstreams(text: String) -> Result<Option<Marker>, Invalid> {
    match text.chars().count() {
        0 => Ok(None),
        1..=2000 => Ok(Some(Marker(text))),
        length => Err(Invalid::new(format!(
            "a marker has at most 2000 characters, this has {length}: send one back as it came"
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
                "{INSIDE}{skip}:{}",
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

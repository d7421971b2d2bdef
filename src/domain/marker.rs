use super::Invalid;

/// Where a list goes on: 1–2,000 characters (service model), opaque.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Marker(String);

impl Marker {
    /// The marker that a caller sent back; empty text is none.
    ///
    /// # Errors
    ///
    /// When it is longer than any marker of AWS.
    pub fn resume(text: String) -> Result<Option<Self>, Invalid> {
        match text.chars().count() {
            0 => Ok(None),
            1..=2000 => Ok(Some(Self(text))),
            length => Err(Invalid::new(format!(
                "a marker has at most 2000 characters, this has {length}: send one back as it came"
            ))),
        }
    }

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

impl From<Marker> for String {
    fn from(marker: Marker) -> Self {
        marker.0
    }
}

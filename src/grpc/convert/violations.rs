use crate::domain::Invalid;

/// One fault of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field, as the proto spells it: `tags[2].key`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub description: String,
}

/// Every fault of a request, in the order of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Notes a fault.
    pub(super) fn push(&mut self, field: impl Into<String>, why: impl Into<String>) {
        self.0.push(Violation {
            field: field.into(),
            description: why.into(),
        });
    }

    /// The value, or `None` and its fault noted.
    pub(super) fn take<T>(&mut self, field: impl Into<String>, value: Result<T, Invalid>) -> Option<T> {
        value
            .map_err(|invalid| self.push(field, invalid.to_string()))
            .ok()
    }

    /// What `built` holds if no fault was noted. A value that could not be built has
    /// had its fault noted by [`Violations::take`].
    pub(super) fn into_result<T>(self, built: Option<T>) -> Result<T, Self> {
        match built {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// The faults.
    pub fn as_slice(&self) -> &[Violation] {
        &self.0
    }
}

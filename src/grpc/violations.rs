//! The invalid fields of a request.

use crate::domain::Invalid;

/// One invalid field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field in the proto file's spelling, such as `tags[2].key`.
    pub field: String,
    /// What is wrong, what is right, and what to do.
    pub description: String,
}

/// All invalid fields of a request, in the order of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Adds a violation.
    pub(in crate::grpc) fn push(&mut self, field: impl Into<String>, why: impl Into<String>) {
        self.0.push(Violation {
            field: field.into(),
            description: why.into(),
        });
    }

    /// Returns the value, or adds a violation.
    pub(in crate::grpc) fn take<T>(
        &mut self,
        field: impl Into<String>,
        value: Result<T, Invalid>,
    ) -> Option<T> {
        value
            .map_err(|invalid| self.push(field, invalid.to_string()))
            .ok()
    }

    /// Returns `built` if there are no violations. If it is `None`, [`Violations::take`] has added at
    /// least one.
    pub(in crate::grpc) fn into_result<T>(self, built: Option<T>) -> Result<T, Self> {
        match built {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// The violations.
    pub fn as_slice(&self) -> &[Violation] {
        &self.0
    }
}

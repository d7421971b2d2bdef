//! Conversion between messages of the API and types of the domain: pure functions.
//!
//! [`Parse`] makes an operation of a request, or [`Violations`] with everything that is wrong with
//! it. [`From`] makes a message of an output, and [`ListMessage`] one of a page. They destructure each
//! domain type, so that a new field there breaks the build here.

mod create;
mod list;
mod rules;
mod tape;

pub use list::ListMessage;
pub use rules::Rules;

use super::violations::Violations;
use crate::domain::Operation;

/// Parses a request: `TryFrom` with the operator's rules.
pub trait Parse: Sized {
    /// What the request asks for.
    type Operation;

    /// The valid operation.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the request.
    fn parse(self, rules: &Rules) -> Result<Self::Operation, Violations>;
}

/// A create that succeeded, whose response repeats a part of the request.
#[derive(Clone, Debug)]
pub struct Created<O: Operation> {
    /// What was requested.
    pub operation: O,
    /// What was created.
    pub output: O::Output,
}

//! Between the contract and the domain, pure functions both ways.
//!
//! Inward, a request becomes an operation, or a [`Violations`] that lists every
//! fault it has at once. Outward, each domain type is taken apart by name, so that a
//! member added there cannot be forgotten here.

mod create;
mod list;
mod rules;
mod tape;
mod violations;

pub use rules::Rules;
pub use violations::{Violation, Violations};

/// Reads a request.
pub trait Inward: Sized {
    /// What the request asks for.
    type Operation;

    /// The operation, valid.
    ///
    /// # Errors
    ///
    /// All that is wrong with the request.
    fn inward(self, rules: &Rules) -> Result<Self::Operation, Violations>;
}

/// Writes an answer.
pub trait Outward {
    /// The contract's message for it.
    type Message;

    /// The message, nothing left out.
    fn outward(self) -> Self::Message;
}

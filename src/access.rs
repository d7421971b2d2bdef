//! Who calls, and what each may do.
//!
//! [`Identities`] finds out who calls: by a client [`certificate`], by a JSON Web Token of a
//! trusted issuer ([`jwt`]), or by one of the service's own [`tokens`]. [`policy`] decides what
//! that principal may do. Neither knows of gRPC: `inbound` and `upstream` have the layers that
//! ask them.

pub mod audit;
mod auth_error;
mod authority;
pub mod certificate;
mod identities;
pub mod jwt;
pub mod limits;
pub mod policy;
pub mod reload;
pub mod tokens;

use regex::Regex;

pub use self::{
    auth_error::AuthError,
    authority::Authority,
    identities::{Identities, IdentitySettings, Presented},
};

/// What matches a text of these parts with anything between them; `None` if they are too long.
fn wildcard<S: AsRef<str>>(parts: &[S]) -> Option<Regex> {
    let parts: Vec<_> = parts.iter().map(|part| regex::escape(part.as_ref())).collect();
    Regex::new(&format!(r"(?s)\A{}\z", parts.join(".*"))).ok()
}

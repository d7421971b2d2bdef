//! Finds out who calls, from a client certificate or a bearer token.
//!
//! [`Authenticator`] takes the [`CallerCredentials`] of a call and returns its principal. A
//! bearer token is either a JSON Web Token of a trusted issuer ([`jwt`]) or a static token of
//! this service ([`static_tokens`]). [`certificate`] maps the names of a verified client
//! certificate to a principal.

mod auth_error;
mod authenticator;
pub mod certificate;
pub mod jwt;
pub mod static_tokens;

pub use self::{
    auth_error::AuthError,
    authenticator::{Authenticator, CallerCredentials, IdentitySettings},
};

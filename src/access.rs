//! Authenticates callers, authorizes and limits their calls, and keeps the audit log.
//!
//! | module | question | in | out |
//! |---|---|---|---|
//! | [`identity`] | Who calls? | certificate or bearer token | `Principal` or [`AuthError`] |
//! | [`policy`] | May the caller do this? | caller and operation | decision, filter for the rows of a list |
//! | [`limits`] | Is it within the caller's limits? | principal | permission or `LimitExceeded` |
//! | [`audit`] | What did the caller do? | `AuditRecord` | a line in the log or in a file |
//! | [`reload`] | Did a file change? | paths | the current content, parsed |
//!
//! This room may use `domain`, `call` and the counters of `observability::metrics`. It knows
//! neither tonic nor the AWS SDK, and nothing of `grpc`, `upstream` and `app`: layers in `grpc`
//! and `upstream` call it, and `app` creates it from the settings.

pub mod audit;
pub mod identity;
pub mod limits;
pub mod policy;
pub mod reload;
mod wildcard;

pub use self::{
    identity::{AuthError, Authenticator, CallerCredentials, IdentitySettings},
    policy::{Authority, AuthorizedCall, Grant},
};

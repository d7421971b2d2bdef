//! Decides what each caller may do, by Cedar policies.
//!
//! A call is denied unless a policy permits it, and a `forbid` overrides every `permit`. Policies
//! come from a folder that is reloaded when it changes. The policies of a second folder, on trial,
//! can be evaluated for the same requests; their decisions are compared and not enforced.
//!
//! Evaluating all policies for each tape of a page would cost many times the page itself. So
//! [`PolicyEngine`] selects the policies whose scope matches once per principal and action, and
//! [`RowFilter`] decides tapes once that these policies cannot distinguish. The decisions are the
//! same as those of evaluating all policies for each tape.

mod attribute_usage;
mod authorize;
mod decision;
mod engine;
mod files;
mod policies;
mod remembered;
mod request;
mod row_filter;
mod schema;

pub use self::{
    authorize::{Authority, AuthorizedCall, Grant},
    decision::PolicyDecision,
    engine::PolicyEngine,
    policies::{Policies, PolicySettings},
    request::{AuthorizationRequest, TapeView},
    row_filter::RowFilter,
    schema::SCHEMA,
};

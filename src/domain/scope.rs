use super::{AccountId, Region};

/// Where a call goes: a region, and the account where it is known.
///
/// With no account configured the service's AWS role decides which account that is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The AWS region.
    pub region: Region,
    /// The AWS account.
    pub account: Option<AccountId>,
}

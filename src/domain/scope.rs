use super::{AccountId, Region};

/// The region and account that a call goes to.
///
/// Without a configured account, the AWS role of the service decides it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The AWS region.
    pub region: Region,
    /// The AWS account.
    pub account: Option<AccountId>,
}

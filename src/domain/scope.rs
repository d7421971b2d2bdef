use std::fmt;

use super::{AccountId, Region};

/// The region and account that a call goes to.
///
/// Without a configured account, the AWS role of the service decides it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The AWS region.
    pub region: Region,
    /// The AWS account.
    pub account: Option<AccountId>,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Some(account) => write!(f, "{account}/{}", self.region),
            None => self.region.fmt(f),
        }
    }
}

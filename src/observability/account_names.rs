//! What metrics and pages call the AWS accounts.

use std::{collections::BTreeMap, sync::Arc};

use crate::domain::{AccountId, Scope};

/// The attribute with the name of an account.
pub const ACCOUNT: &str = "tapegate.account";

/// The attribute with a region.
pub const REGION: &str = "cloud.region";

/// The names of the accounts that are served. Accounts that only callers name have none, so that the
/// number of names is bounded by the settings.
#[derive(Clone, Debug, Default)]
pub struct AccountNames(Arc<BTreeMap<AccountId, String>>);

impl AccountNames {
    /// These accounts with their names.
    pub fn new(accounts: impl IntoIterator<Item = (AccountId, String)>) -> Self {
        Self(Arc::new(accounts.into_iter().collect()))
    }

    /// The name of an account, if it is served.
    pub fn of(&self, account: Option<&AccountId>) -> Option<&str> {
        self.0.get(account?).map(String::as_str)
    }

    /// The attributes of a region and account: the region, and the name of the account if it has one.
    pub fn attributes<'n>(&'n self, scope: &'n Scope) -> Vec<(&'static str, &'n str)> {
        let account = self.of(scope.account.as_ref());
        let region = (REGION, scope.region.as_str());
        [region]
            .into_iter()
            .chain(account.map(|name| (ACCOUNT, name)))
            .collect()
    }
}

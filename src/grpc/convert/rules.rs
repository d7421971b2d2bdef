use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{AccountId, GatewayArn, Invalid, Region, Scope, TapeArn, TapeSizeBounds},
    grpc::violations::Violations,
};

/// The operator's settings that requests are validated against, beyond the service model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The region of a call that names no gateway and no region.
    pub region: Region,
    /// The regions that are served.
    pub regions: BTreeSet<Region>,
    /// The account of a call that names no gateway and no account.
    pub account_id: Option<AccountId>,
    /// The accounts that are served, each with its regions; empty means any account, in all regions.
    pub accounts: BTreeMap<AccountId, BTreeSet<Region>>,
    /// The sizes of new tapes.
    pub tape_sizes: TapeSizeBounds,
    /// Whether a create must name a pool.
    pub require_pool: bool,
}

impl Rules {
    /// The required gateway of a request.
    pub(super) fn gateway(&self, arn: &str, violations: &mut Violations) -> Option<GatewayArn> {
        const FIELD: &str = "gateway_arn";
        let gateway: GatewayArn = violations.take(FIELD, arn.parse())?;
        for unserved in self.unserved(gateway.account(), gateway.region()) {
            violations.take::<()>(FIELD, Err(unserved));
        }
        Some(gateway)
    }

    /// Why calls may not name a resource of this account and region; empty if they may.
    pub fn unserved(&self, account: &AccountId, region: &Region) -> Vec<Invalid> {
        let checks = [
            self.serves_region(region),
            self.serves_account(account),
            self.serves_both(account, region),
        ];
        checks.into_iter().filter_map(Result::err).collect()
    }

    /// Checks that the account of a request is served in its region.
    pub(super) fn serves_scope(&self, scope: &Scope, names_account: bool, violations: &mut Violations) {
        let field = if names_account { "account_id" } else { "region" };
        if let Some(account) = &scope.account {
            violations.take(field, self.serves_both(account, &scope.region));
        }
    }

    /// The accounts and regions that are served; the account is `None` if calls may name any.
    pub fn scopes(&self) -> Vec<Scope> {
        let scope = |region: &Region, account: Option<&AccountId>| Scope {
            region: region.clone(),
            account: account.cloned(),
        };
        if self.accounts.is_empty() {
            return self.regions.iter().map(|region| scope(region, None)).collect();
        }
        let of = |(account, regions): (_, &BTreeSet<Region>)| {
            regions
                .iter()
                .map(|region| scope(region, Some(account)))
                .collect::<Vec<_>>()
        };
        self.accounts.iter().flat_map(of).collect()
    }

    /// The region of a request without a gateway.
    pub(super) fn region(&self, requested: Option<String>, violations: &mut Violations) -> Option<Region> {
        const FIELD: &str = "region";
        let Some(requested) = requested else {
            return Some(self.region.clone());
        };
        let region = violations.take(FIELD, requested.parse())?;
        violations.take(FIELD, self.serves_region(&region));
        Some(region)
    }

    /// The account of a request without a gateway; `Some(None)` if the AWS role of the service decides
    /// it.
    pub(super) fn account(
        &self,
        requested: Option<String>,
        violations: &mut Violations,
    ) -> Option<Option<AccountId>> {
        const FIELD: &str = "account_id";
        let Some(requested) = requested else {
            if self.account_id.is_none() && !self.accounts.is_empty() {
                violations.push(
                    FIELD,
                    "required; ask the operator of this service which accounts it serves",
                );
                return None;
            }
            return Some(self.account_id.clone());
        };
        let account = violations.take(FIELD, requested.parse())?;
        violations.take(FIELD, self.serves_account(&account));
        Some(Some(account))
    }

    /// The tapes that a request names. `misplaced` returns what is wrong with a tape of another region or
    /// account.
    pub(super) fn tapes<F: IntoIterator<Item = Invalid>>(
        arns: &[String],
        violations: &mut Violations,
        misplaced: impl Fn(&TapeArn) -> F,
    ) -> Vec<TapeArn> {
        const MOST: usize = 1_000;
        if arns.len() > MOST {
            violations.push(
                "tape_arns",
                format!(
                    "{} tapes exceed the limit of {MOST} in one call; split the request",
                    arns.len()
                ),
            );
            return Vec::new();
        }
        let mut tapes = Vec::with_capacity(arns.len());
        for (index, arn) in arns.iter().enumerate() {
            let field = || format!("tape_arns[{index}]");
            if let Some(tape) = violations.take(field(), arn.parse()) {
                for wrong in misplaced(&tape) {
                    violations.take::<()>(field(), Err(wrong));
                }
                tapes.push(tape);
            }
        }
        tapes
    }

    fn serves_region(&self, region: &Region) -> Result<(), Invalid> {
        if self.regions.contains(region) {
            return Ok(());
        }
        Err(Invalid::new(format!(
            "region {region} is not served; use one of {} (setting regions)",
            list(self.regions.iter())
        )))
    }

    /// Checks that calls may name this account.
    pub(super) fn serves_account(&self, account: &AccountId) -> Result<(), Invalid> {
        if self.accounts.is_empty() || self.accounts.contains_key(account) {
            return Ok(());
        }
        Err(Invalid::new(format!(
            "account {account} is not served; ask the operator of this service"
        )))
    }

    /// Checks that an account is served in a region. If either is not served at all, that is reported
    /// elsewhere.
    fn serves_both(&self, account: &AccountId, region: &Region) -> Result<(), Invalid> {
        match self.accounts.get(account) {
            Some(regions) if !regions.contains(region) && self.regions.contains(region) => {
                Err(Invalid::new(format!(
                    "account {account} is not served in {region}; use one of {} (setting account.regions)",
                    list(regions.iter())
                )))
            }
            _ => Ok(()),
        }
    }
}

fn list<'a, T: ToString + 'a>(all: impl Iterator<Item = &'a T>) -> String {
    all.map(T::to_string).collect::<Vec<_>>().join(", ")
}

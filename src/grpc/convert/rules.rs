use std::collections::BTreeSet;

use crate::{
    domain::{AccountId, GatewayArn, Invalid, Region, TapeArn, TapeSizeBounds},
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
    /// The accounts that are served; empty means any.
    pub accounts: BTreeSet<AccountId>,
    /// The sizes of new tapes.
    pub tape_sizes: TapeSizeBounds,
}

impl Rules {
    /// The required gateway of a request.
    pub(super) fn gateway(&self, arn: &str, violations: &mut Violations) -> Option<GatewayArn> {
        const FIELD: &str = "gateway_arn";
        let gateway: GatewayArn = violations.take(FIELD, arn.parse())?;
        violations.take(FIELD, self.serves_region(gateway.region()));
        violations.take(FIELD, self.serves_account(gateway.account()));
        Some(gateway)
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
            return Some(self.account_id.clone());
        };
        let account = violations.take(FIELD, requested.parse())?;
        violations.take(FIELD, self.serves_account(&account));
        Some(Some(account))
    }

    /// The tapes that a request names. `belongs` returns what is wrong with a tape of another region or
    /// account.
    pub(super) fn tapes(
        arns: &[String],
        violations: &mut Violations,
        belongs: impl Fn(&TapeArn) -> Result<(), Invalid>,
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
                violations.take(field(), belongs(&tape));
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
            list(&self.regions)
        )))
    }

    /// Checks that calls may name this account.
    pub(super) fn serves_account(&self, account: &AccountId) -> Result<(), Invalid> {
        if self.accounts.is_empty() || self.accounts.contains(account) {
            return Ok(());
        }
        Err(Invalid::new(format!(
            "account {account} is not served; use one of {} (setting accounts)",
            list(&self.accounts)
        )))
    }
}

fn list<T: ToString>(all: &BTreeSet<T>) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

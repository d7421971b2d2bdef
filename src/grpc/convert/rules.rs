use std::collections::BTreeSet;

use super::Violations;
use crate::domain::{AccountId, GatewayArn, Invalid, Region, TapeArn, TapeSizeBounds};

/// What a request is held against beyond the service model: the operator's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Where a call goes that names no gateway and no region.
    pub region: Region,
    /// The regions that are served.
    pub regions: BTreeSet<Region>,
    /// The account of a call that names no gateway and no account.
    pub account_id: Option<AccountId>,
    /// The accounts that are served; empty means any.
    pub accounts: BTreeSet<AccountId>,
    /// The sizes that tapes may have.
    pub tape_sizes: TapeSizeBounds,
}

impl Rules {
    /// The gateway that a request must name.
    pub(super) fn gateway(&self, arn: &str, faults: &mut Violations) -> Option<GatewayArn> {
        const FIELD: &str = "gateway_arn";
        let gateway: GatewayArn = faults.take(FIELD, arn.parse())?;
        faults.take(FIELD, self.serves_region(gateway.region()));
        faults.take(FIELD, self.serves_account(gateway.account()));
        Some(gateway)
    }

    /// The region of a request that names no gateway.
    pub(super) fn region(&self, asked: Option<String>, faults: &mut Violations) -> Option<Region> {
        const FIELD: &str = "region";
        let Some(asked) = asked else {
            return Some(self.region.clone());
        };
        let region = faults.take(FIELD, asked.parse())?;
        faults.take(FIELD, self.serves_region(&region));
        Some(region)
    }

    /// The account of a request that names no gateway; `Some(None)` where the service's
    /// AWS role decides.
    pub(super) fn account(
        &self,
        asked: Option<String>,
        faults: &mut Violations,
    ) -> Option<Option<AccountId>> {
        const FIELD: &str = "account_id";
        let Some(asked) = asked else {
            return Some(self.account_id.clone());
        };
        let account = faults.take(FIELD, asked.parse())?;
        faults.take(FIELD, self.serves_account(&account));
        Some(Some(account))
    }

    /// The tapes that a request names, each checked by `belongs`, which says what is
    /// wrong with one of another region or account.
    pub(super) fn tapes(
        arns: &[String],
        faults: &mut Violations,
        belongs: impl Fn(&TapeArn) -> Result<(), Invalid>,
    ) -> Vec<TapeArn> {
        const MOST: usize = 1_000;
        if arns.len() > MOST {
            faults.push(
                "tape_arns",
                format!("at most {MOST} tapes a call, this names {}: split it", arns.len()),
            );
            return Vec::new();
        }
        let mut tapes = Vec::with_capacity(arns.len());
        for (index, arn) in arns.iter().enumerate() {
            let field = || format!("tape_arns[{index}]");
            if let Some(tape) = faults.take(field(), arn.parse()) {
                faults.take(field(), belongs(&tape));
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
            "region {region} is not served here; served: {} (setting regions)",
            list(&self.regions)
        )))
    }

    /// Whether calls may name this account.
    pub(super) fn serves_account(&self, account: &AccountId) -> Result<(), Invalid> {
        if self.accounts.is_empty() || self.accounts.contains(account) {
            return Ok(());
        }
        Err(Invalid::new(format!(
            "account {account} is not served here; served: {} (setting accounts)",
            list(&self.accounts)
        )))
    }
}

fn list<T: ToString>(all: &BTreeSet<T>) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

use std::collections::BTreeSet;

use super::Violations;
use crate::domain::{AccountId, GatewayArn, Region, Scope, TapeArn, TapeSizeBounds};

/// What a request is held against beyond the service model: the operator's settings.
#[derive(Clone, Debug)]
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
        self.check_region(gateway.region(), FIELD, faults);
        self.check_account(gateway.account(), FIELD, faults);
        Some(gateway)
    }

    /// The scope of a request that names no gateway.
    pub(super) fn scope(
        &self,
        region: Option<String>,
        account_id: Option<String>,
        faults: &mut Violations,
    ) -> Option<Scope> {
        let region = match region {
            None => Some(self.region.clone()),
            Some(region) => faults.take("region", region.parse()).inspect(|region| {
                self.check_region(region, "region", faults);
            }),
        };
        let account = match account_id {
            None => Some(self.account_id.clone()),
            Some(account) => faults.take("account_id", account.parse()).map(|account| {
                self.check_account(&account, "account_id", faults);
                Some(account)
            }),
        };
        Some(Scope {
            region: region?,
            account: account?,
        })
    }

    /// The tapes that a request names, each checked by `belongs`, which says what is
    /// wrong with one of another region or account.
    pub(super) fn tapes(
        arns: &[String],
        faults: &mut Violations,
        belongs: impl Fn(&TapeArn) -> Result<(), String>,
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
                if let Err(why) = belongs(&tape) {
                    faults.push(field(), why);
                }
                tapes.push(tape);
            }
        }
        tapes
    }

    fn check_region(&self, region: &Region, field: &str, faults: &mut Violations) {
        if !self.regions.contains(region) {
            let served = list(&self.regions);
            faults.push(
                field,
                format!("region {region} is not served here; served: {served} (setting regions)"),
            );
        }
    }

    fn check_account(&self, account: &AccountId, field: &str, faults: &mut Violations) {
        if !self.accounts.is_empty() && !self.accounts.contains(account) {
            let served = list(&self.accounts);
            faults.push(
                field,
                format!("account {account} is not served here; served: {served} (setting accounts)"),
            );
        }
    }
}

fn list<T: ToString>(all: &BTreeSet<T>) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

use std::collections::BTreeSet;

use super::{
    Place, Setting,
    kind::List,
    values::{Raw, Values},
    word::Name,
};
use crate::domain::{AccountId, Region};

/// Which part of AWS the service answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The region of calls that name none (`region`, `TAPEGATE_REGION`).
    pub region: Region,
    /// Every region that a call may name, `region` among them (`regions`).
    pub regions: BTreeSet<Region>,
    /// The account of calls that name none (`account_id`, `TAPEGATE_ACCOUNT_ID`).
    pub account_id: Option<AccountId>,
    /// Every account that a call may name, `account_id` among them (`accounts`).
    /// Empty: any account.
    pub accounts: BTreeSet<AccountId>,
}

const REGION_NAME: Name<Region> = Name::new("REGION", "an AWS region, such as us-east-1");
pub(super) const ACCOUNT_NAME: Name<AccountId> =
    Name::new("ACCOUNT", "an AWS account of 12 digits, such as 123456789012");

pub(crate) static REGION: Setting<Name<Region>> = Setting {
    key: "region",
    kind: REGION_NAME,
    default: None,
    help: "The region of calls that name none. Not given, AWS_REGION and then AWS_DEFAULT_REGION are \
           looked at.",
};

pub(crate) static REGIONS: Setting<List<Name<Region>>> = Setting {
    key: "regions",
    kind: List(REGION_NAME),
    default: None,
    help: "Every region that calls may name. Default: the one of `region`, which must be among them.",
};

pub(crate) static ACCOUNT_ID: Setting<Name<AccountId>> = Setting {
    key: "account_id",
    kind: ACCOUNT_NAME,
    default: None,
    help: "The account of calls that name none.",
};

pub(crate) static ACCOUNTS: Setting<List<Name<AccountId>>> = Setting {
    key: "accounts",
    kind: List(ACCOUNT_NAME),
    default: None,
    help: "Every account that calls may name; empty for any. Default: the one of `account_id`, which must be \
           among them; any where there is none.",
};

impl Scope {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        let region = values.optional(&REGION);
        if let Some(None) = region {
            values.fault(
                &REGION,
                "is not set; give region in the file, --region, TAPEGATE_REGION or AWS_REGION, such as us-east-1",
            );
        }
        let region = region.flatten();
        if let Some(region) = &region {
            values.derive(&REGIONS, Raw::One(region.to_string()));
        }
        let account_id = values.optional(&ACCOUNT_ID);
        if let Some(account_id) = &account_id {
            let accounts = account_id
                .iter()
                .map(|account| (Place::Default, Some(account.to_string())));
            values.derive(&ACCOUNTS, Raw::Many(accounts.collect()));
        }
        let (regions, accounts) = (values.get(&REGIONS), values.get(&ACCOUNTS));
        if let (Some(region), Some(regions)) = (&region, &regions)
            && !regions.contains(region)
        {
            values.fault(
                &REGIONS,
                format!("lacks {region}, the one that `region` names; add it"),
            );
        }
        if let (Some(Some(account)), Some(accounts)) = (&account_id, &accounts)
            && !accounts.is_empty()
            && !accounts.contains(account)
        {
            values.fault(
                &ACCOUNTS,
                format!("lacks {account}, the one that `account_id` names; add it"),
            );
        }
        Some(Self {
            region: region?,
            regions: regions?,
            account_id: account_id?,
            accounts: accounts?,
        })
    }
}

//! `[[endpoint]]`: where AWS is called, for single regions and accounts.

use std::collections::BTreeSet;

use http::Uri;

use super::{
    Setting, Table,
    parsers::{self, Bool, ENDPOINT, Parsed},
    requests,
    values::Values,
};
use crate::{
    domain::{AccountId, Region},
    upstream::sdk::EndpointSettings,
};

/// The endpoints.
pub(crate) static TABLE: Table = Table {
    key: "endpoint",
    help: "Where AWS is called in one region, for one account, or for one account in one region, such as a VPC \
           endpoint. The most specific table that has a value decides: account and region, then account, then region, \
           and last [upstream].",
    settings: &[&REGION, &ACCOUNT_ID, &URL, &STS_URL, &USE_FIPS, &USE_DUAL_STACK],
};

static REGION: Setting<Parsed<Region>> = Setting {
    key: "endpoint.region",
    kind: parsers::REGION,
    default: None,
    help: "The region. Default: every region of the account.",
};

static ACCOUNT_ID: Setting<Parsed<AccountId>> = Setting {
    key: "endpoint.account_id",
    kind: parsers::ACCOUNT,
    default: None,
    help: "The account. Default: every account.",
};

static URL: Setting<Parsed<Uri>> = Setting {
    key: "endpoint.url",
    kind: ENDPOINT,
    default: None,
    help: "The URL of Storage Gateway. FIPS and dual-stack endpoints are not used then. Default: upstream.endpoint.",
};

static STS_URL: Setting<Parsed<Uri>> = Setting {
    key: "endpoint.sts_url",
    kind: ENDPOINT,
    default: None,
    help: "The URL of STS. An account has one endpoint of STS: that of its first region, or of `region` if it is \
           served there. Default: upstream.sts_endpoint.",
};

static USE_FIPS: Setting<Bool> = Setting {
    key: "endpoint.use_fips",
    kind: Bool,
    default: None,
    help: "Call the FIPS variants of AWS's own endpoints. Default: AWS_USE_FIPS_ENDPOINT, then the AWS files, then \
           false.",
};

static USE_DUAL_STACK: Setting<Bool> = Setting {
    key: "endpoint.use_dual_stack",
    kind: Bool,
    default: None,
    help: "Call the dual-stack variants of AWS's own endpoints, which have IPv6 addresses too. Default: \
           AWS_USE_DUALSTACK_ENDPOINT, then the AWS files, then false.",
};

/// The endpoints of the table.
pub(super) fn read(values: &mut Values) -> Option<Vec<EndpointSettings>> {
    let mut places = BTreeSet::new();
    let (regions, accounts) = (values.get(&requests::REGIONS), values.get(&requests::ACCOUNTS));
    values.rows(&TABLE, |row| {
        let (region, account) = (row.optional(&REGION)?, row.optional(&ACCOUNT_ID)?);
        if let (Some(region), Some(regions)) = (&region, &regions)
            && !regions.contains(region)
        {
            let message = format!("{region} is not in `regions`, so this table has no effect; add it there");
            row.fault(&REGION, message);
        }
        if let (Some(account), Some(accounts)) = (&account, &accounts)
            && !(accounts.is_empty() || accounts.contains(account))
        {
            let message = format!(
                "{account} is not served, so this table has no effect; add an [[account]] with its role"
            );
            row.fault(&ACCOUNT_ID, message);
        }
        let is_empty = ![&URL, &STS_URL].iter().any(|url| row.is_given(url))
            && ![&USE_FIPS, &USE_DUAL_STACK].iter().any(|flag| row.is_given(flag));
        if is_empty {
            let message = "is not set, and neither is sts_url, use_fips or use_dual_stack, so this table has no \
                           effect; set one of them";
            row.fault(&URL, message);
        }
        if region.is_none() && account.is_none() {
            let message = "is not set, and neither is account_id; for all regions and accounts, set \
                           upstream.endpoint and upstream.sts_endpoint";
            row.fault(&REGION, message);
        } else if !places.insert((region.clone(), account.clone())) {
            row.fault(
                &REGION,
                "there is an [[endpoint]] of this region and account already",
            );
        }
        let url = |url: Option<Uri>| url.map(|url| url.to_string());
        Some(EndpointSettings {
            region,
            account,
            url: url(row.optional(&URL)?),
            sts_url: url(row.optional(&STS_URL)?),
            use_fips: row.optional(&USE_FIPS)?,
            use_dual_stack: row.optional(&USE_DUAL_STACK)?,
        })
    })
}

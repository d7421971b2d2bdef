//! What a request may ask for, and how long it may take: regions and accounts, `[tapes]` and
//! `[deadline]`.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    time::Duration,
};

use super::{
    Setting, accounts,
    parsers::{self, Bool, DurationIn, Integer, Parsed},
    setting_type::List,
    values::Values,
};
use crate::{
    domain::{AccountId, Region, TapeSizeBounds},
    grpc::{
        convert::Rules,
        inbound::{Bounds, Deadlines},
    },
    upstream::sdk::AccountSettings,
};

pub(crate) static REGION: Setting<Parsed<Region>> = Setting {
    key: "region",
    kind: parsers::REGION,
    default: None,
    help: "The region of a request that contains neither a gateway ARN nor a region. Default: the variable AWS_REGION, \
           then AWS_DEFAULT_REGION, then the AWS profile.",
};

pub(crate) static REGIONS: Setting<List<Parsed<Region>>> = Setting {
    key: "regions",
    kind: List(parsers::REGION),
    default: None,
    help: "All regions that calls may name, including the value of `region`. Default: the value of `region`, and the \
           regions of every [[account]].",
};

pub(crate) static ACCOUNT_ID: Setting<Parsed<AccountId>> = Setting {
    key: "account_id",
    kind: parsers::ACCOUNT,
    default: None,
    help: "The account of a request that contains neither a gateway ARN nor an account. Required unless anonymous \
           callers are allowed. Without [[account]] it is the account of the AWS credentials, which is checked at the \
           start (STS, GetCallerIdentity).",
};

pub(crate) static ACCOUNTS: Setting<List<Parsed<AccountId>>> = Setting {
    key: "accounts",
    kind: List(parsers::ACCOUNT),
    default: None,
    help: "The accounts that calls may name. Without [[account]], the AWS credentials belong to one account, so the list \
           has at most one; an empty list allows calls to name any, and those that name another account than that of \
           the credentials fail. Default: the accounts of [[account]]; without any, the value of `account_id`.",
};

const fn gib() -> Integer<i64> {
    Integer {
        range: 1..=i64::MAX >> 30,
        unit: "GiB",
    }
}

pub(crate) static MIN_SIZE_GIB: Setting<Integer<i64>> = Setting {
    key: "tapes.min_size_gib",
    kind: gib(),
    default: Some("100"),
    help: "The minimum size of a new tape.",
};

pub(crate) static MAX_SIZE_GIB: Setting<Integer<i64>> = Setting {
    key: "tapes.max_size_gib",
    kind: gib(),
    default: Some("15360"),
    help: "The maximum size of a new tape.",
};

pub(crate) static REQUIRE_POOL: Setting<Bool> = Setting {
    key: "require_pool",
    kind: Bool,
    default: Some("false"),
    help: "Whether a create must name a pool. A create that names none is then invalid. Otherwise AWS chooses the pool, \
           and so the storage class.",
};

const UP_TO_A_DAY: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(24 * 60 * 60);

pub(crate) static UNARY: Setting<DurationIn> = Setting {
    key: "deadline.unary",
    kind: DurationIn(UP_TO_A_DAY),
    default: Some("1m"),
    help: "The timeout of a unary call (the two creates) without a grpc-timeout.",
};

pub(crate) static UNARY_MAX: Setting<DurationIn> = Setting {
    key: "deadline.unary_max",
    kind: DurationIn(UP_TO_A_DAY),
    default: Some("10m"),
    help: "The maximum timeout of a unary call. A longer grpc-timeout is reduced to it.",
};

pub(crate) static STREAM: Setting<DurationIn> = Setting {
    key: "deadline.stream",
    kind: DurationIn(UP_TO_A_DAY),
    default: Some("15m"),
    help: "The timeout of a streaming call (the three reads) without a grpc-timeout, from its start to its last page.",
};

pub(crate) static STREAM_MAX: Setting<DurationIn> = Setting {
    key: "deadline.stream_max",
    kind: DurationIn(UP_TO_A_DAY),
    default: Some("2h"),
    help: "The maximum timeout of a streaming call. A longer grpc-timeout is reduced to it.",
};

/// Sets the default of `regions`: the value of `region`, and the regions that accounts name.
pub(super) fn set_default_of_regions(values: &mut Values) {
    let mut regions = accounts::regions_of_all(values);
    regions.extend(values.optional(&REGION).flatten());
    if !regions.is_empty() {
        values.set_default_list(&REGIONS, regions.iter().map(Region::as_str));
    }
}

/// The rules of requests. `accounts` are those with a role of their own.
pub(super) fn rules(values: &mut Values, accounts: Option<&[AccountSettings]>) -> Option<Rules> {
    let (region, account_id) = (region(values), values.optional(&ACCOUNT_ID));
    let regions = values.get(&REGIONS);
    if let (Some(region), Some(regions)) = (&region, &regions)
        && !regions.contains(region)
    {
        let message = format!("does not contain {region}, the value of `region`; add it");
        values.fault(&REGIONS, message);
    }
    let of_calls = account_id.as_ref().and_then(Option::as_ref);
    let served = match accounts::are_given(values) {
        true => of_table(values, accounts, region.as_ref(), of_calls),
        false => of_credentials(values, of_calls, regions.as_ref()),
    };
    let (min, max) = (values.get(&MIN_SIZE_GIB), values.get(&MAX_SIZE_GIB));
    values.ordered((&MIN_SIZE_GIB, min), (&MAX_SIZE_GIB, max));
    let require_pool = values.get(&REQUIRE_POOL);
    let accounts = served?;
    let only = accounts.keys().next().filter(|_| accounts.len() == 1);
    Some(Rules {
        region: region?,
        regions: regions?,
        account_id: account_id?.or(only.cloned()),
        accounts,
        // Invalid bounds have just become a fault.
        tape_sizes: TapeSizeBounds::gib(min?, max?).ok()?,
        require_pool: require_pool?,
    })
}

/// The accounts that are served, each with its regions.
type Accounts = BTreeMap<AccountId, BTreeSet<Region>>;

/// The accounts that have roles. `account_id` is one of them, and `region` one of its regions.
fn of_table(
    values: &mut Values,
    accounts: Option<&[AccountSettings]>,
    region: Option<&Region>,
    account_id: Option<&AccountId>,
) -> Option<Accounts> {
    let ids = accounts::ids(values);
    // `tapegate check` prints the same accounts.
    if values.is_given(&ACCOUNTS) && ids != values.get(&ACCOUNTS) {
        values.fault(
            &ACCOUNTS,
            "is set beside [[account]], which names other accounts; leave it out",
        );
    }
    values.set_default_list(&ACCOUNTS, ids.iter().flatten().map(AccountId::as_str));
    if let Some(id) = account_id
        && ids.is_some_and(|ids| !ids.contains(id))
    {
        let message = format!("{id} has no [[account]]; add one with its role");
        values.fault(&ACCOUNT_ID, message);
    }
    let accounts = accounts?.iter().map(|one| (one.id.clone(), one.regions.clone()));
    let accounts: Accounts = accounts.collect();
    if let Some(id) = account_id
        && let Some(region) = region
        && accounts.get(id).is_some_and(|its| !its.contains(region))
    {
        let message = format!("{id} is not served in {region}, the value of `region`; add the region to it");
        values.fault(&ACCOUNT_ID, message);
    }
    Some(accounts)
}

/// The account that the credentials of the chain belong to; none if any account may be named.
fn of_credentials(
    values: &mut Values,
    account_id: Option<&AccountId>,
    regions: Option<&BTreeSet<Region>>,
) -> Option<Accounts> {
    values.set_default_list(&ACCOUNTS, account_id.into_iter().map(AccountId::as_str));
    let accounts = values.get(&ACCOUNTS)?;
    if let Some(account) = account_id
        && !accounts.is_empty()
        && !accounts.contains(account)
    {
        let message = format!("does not contain {account}, the value of `account_id`; add it");
        values.fault(&ACCOUNTS, message);
    }
    if accounts.len() > 1 {
        let message = format!(
            "names {} accounts, but the AWS credentials belong to one; leave it out, and give each account an \
             [[account]] with its role",
            accounts.len()
        );
        values.fault(&ACCOUNTS, message);
    }
    let regions = regions?;
    Some(
        accounts
            .into_iter()
            .map(|account| (account, regions.clone()))
            .collect(),
    )
}

fn region(values: &mut Values) -> Option<Region> {
    let region = values.optional(&REGION)?;
    if region.is_none() {
        values.fault(
            &REGION,
            "is not set; set it in the file, by --region, TAPEGATE_REGION or AWS_REGION, to a region such as us-east-1",
        );
    }
    region
}

pub(super) fn deadlines(values: &mut Values) -> Option<Deadlines> {
    let unary = values.in_order([&UNARY, &UNARY_MAX]);
    let stream = values.in_order([&STREAM, &STREAM_MAX]);
    let bounds = |[default, most]: [Option<Duration>; 2]| {
        Some(Bounds {
            default: default?,
            most: most?,
        })
    };
    Some(Deadlines {
        unary: bounds(unary)?,
        stream: bounds(stream)?,
    })
}

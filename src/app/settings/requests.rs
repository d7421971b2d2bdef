//! What a request may ask for, and how long it may take: regions and accounts, `[tapes]` and
//! `[deadline]`.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    Setting,
    parsers::{self, DurationIn, Integer, Parsed},
    setting_type::List,
    values::Values,
};
use crate::{
    domain::{AccountId, Region, TapeSizeBounds},
    grpc::{
        convert::Rules,
        inbound::{Bounds, Deadlines},
    },
};

pub(crate) static REGION: Setting<Parsed<Region>> = Setting {
    key: "region",
    kind: parsers::REGION,
    default: None,
    help: "The region of a request that contains neither a gateway ARN nor a region. Default: the variable AWS_REGION, \
           then AWS_DEFAULT_REGION.",
};

pub(crate) static REGIONS: Setting<List<Parsed<Region>>> = Setting {
    key: "regions",
    kind: List(parsers::REGION),
    default: None,
    help: "All regions that calls may name, including the value of `region`. Default: only the value of `region`.",
};

pub(crate) static ACCOUNT_ID: Setting<Parsed<AccountId>> = Setting {
    key: "account_id",
    kind: parsers::ACCOUNT,
    default: None,
    help: "The account of a request that contains neither a gateway ARN nor an account. Required unless anonymous \
           callers are allowed.",
};

pub(crate) static ACCOUNTS: Setting<List<Parsed<AccountId>>> = Setting {
    key: "accounts",
    kind: List(parsers::ACCOUNT),
    default: None,
    help: "All accounts that calls may name, including the value of `account_id`. An empty list allows any account. \
           Default: only the value of `account_id`; any account if that is not set.",
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

pub(super) fn rules(values: &mut Values) -> Option<Rules> {
    let (region, account_id) = (region(values), values.optional(&ACCOUNT_ID));
    if let Some(region) = &region {
        values.set_default_list(&REGIONS, [region.as_str()]);
    }
    if let Some(account_id) = &account_id {
        values.set_default_list(&ACCOUNTS, account_id.iter().map(AccountId::as_str));
    }
    let (regions, accounts) = (values.get(&REGIONS), values.get(&ACCOUNTS));
    if let (Some(region), Some(regions)) = (&region, &regions)
        && !regions.contains(region)
    {
        let message = format!("does not contain {region}, the value of `region`; add it");
        values.fault(&REGIONS, message);
    }
    if let (Some(Some(account)), Some(accounts)) = (&account_id, &accounts)
        && !accounts.is_empty()
        && !accounts.contains(account)
    {
        let message = format!("does not contain {account}, the value of `account_id`; add it");
        values.fault(&ACCOUNTS, message);
    }
    let (min, max) = (values.get(&MIN_SIZE_GIB), values.get(&MAX_SIZE_GIB));
    values.ordered((&MIN_SIZE_GIB, min), (&MAX_SIZE_GIB, max));
    Some(Rules {
        region: region?,
        regions: regions?,
        account_id: account_id?,
        accounts: accounts?,
        // Invalid bounds have just become a fault.
        tape_sizes: TapeSizeBounds::gib(min?, max?).ok()?,
    })
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

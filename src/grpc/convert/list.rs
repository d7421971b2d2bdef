use std::{num::NonZeroU32, sync::Arc};

use super::{Inward, Outward, Rules, Violations};
use crate::{
    domain::{
        Cursor, DescribeTapeArchives, DescribeTapes, Invalid, ListTapes, Marker, Page, PageRequest, Scope,
        Tape, TapeArchive, TapeArn, TapeInfo,
    },
    grpc::proto,
    upstream::pagination::ListParams,
};

/// The most tapes that a caller may ask for per page. The API has no upper bound; this
/// one keeps a page, and with it the memory of a call, small.
const MAX_LIMIT: u32 = 1_000;

impl Inward for proto::DescribeTapeArchivesRequest {
    type Operation = (DescribeTapeArchives, ListParams);

    fn inward(self, rules: &Rules) -> Result<Self::Operation, Violations> {
        let Self {
            tape_arns,
            marker,
            limit,
            max_items,
            region,
            account_id,
        } = self;
        let mut faults = Violations::default();
        let (scope, tapes) = scope_and_tapes(rules, region, account_id, &tape_arns, &mut faults);
        let plan = plan(marker, limit, max_items, &mut faults);
        faults.into_result(scope.zip(plan).map(|(scope, plan)| {
            (
                DescribeTapeArchives {
                    scope,
                    tapes,
                    page: PageRequest::default(),
                },
                plan,
            )
        }))
    }
}

impl Inward for proto::DescribeTapesRequest {
    type Operation = (DescribeTapes, ListParams);

    fn inward(self, rules: &Rules) -> Result<Self::Operation, Violations> {
        let Self {
            gateway_arn,
            tape_arns,
            marker,
            limit,
            max_items,
        } = self;
        let mut faults = Violations::default();
        let gateway = rules.gateway(&gateway_arn, &mut faults);
        let tapes = Rules::tapes(&tape_arns, &mut faults, |tape| match &gateway {
            Some(gateway) if !gateway.shares_owner(tape) => Err(Invalid::new(
                "not of the gateway's partition, region and account: its library cannot hold it",
            )),
            _ => Ok(()),
        });
        let plan = plan(marker, limit, max_items, &mut faults);
        faults.into_result(gateway.zip(plan).map(|(gateway, plan)| {
            (
                DescribeTapes {
                    gateway,
                    tapes: tapes.into(),
                    page: PageRequest::default(),
                },
                plan,
            )
        }))
    }
}

impl Inward for proto::ListTapesRequest {
    type Operation = (ListTapes, ListParams);

    fn inward(self, rules: &Rules) -> Result<Self::Operation, Violations> {
        let Self {
            tape_arns,
            marker,
            limit,
            max_items,
            region,
            account_id,
        } = self;
        let mut faults = Violations::default();
        let (scope, tapes) = scope_and_tapes(rules, region, account_id, &tape_arns, &mut faults);
        let plan = plan(marker, limit, max_items, &mut faults);
        faults.into_result(scope.zip(plan).map(|(scope, plan)| {
            (
                ListTapes {
                    scope,
                    tapes,
                    page: PageRequest::default(),
                },
                plan,
            )
        }))
    }
}

/// Where a request goes that names no gateway, and the tapes that it names, which have to
/// be there. What is known of the place is held against them, whatever else is at fault.
fn scope_and_tapes(
    rules: &Rules,
    region: Option<String>,
    account_id: Option<String>,
    tape_arns: &[String],
    faults: &mut Violations,
) -> (Option<Scope>, Arc<[TapeArn]>) {
    let region = rules.region(region, faults);
    let account = rules.account(account_id, faults);
    let tapes = Rules::tapes(tape_arns, faults, |tape| {
        if let Some(region) = region.as_ref().filter(|region| tape.region() != *region) {
            return Err(Invalid::new(format!(
                "a tape of {}, but the call goes to {region}: set region to {0} in a call of its own",
                tape.region()
            )));
        }
        match &account {
            Some(Some(account)) if tape.account() != account => Err(Invalid::new(format!(
                "a tape of account {}, but the call goes to {account}: set account_id to {0} in a call of its own",
                tape.account()
            ))),
            Some(None) => rules.serves_account(tape.account()),
            _ => Ok(()),
        }
    });
    let scope = region
        .zip(account)
        .map(|(region, account)| Scope { region, account });
    (scope, tapes.into())
}

fn plan(marker: String, limit: i32, max_items: i64, faults: &mut Violations) -> Option<ListParams> {
    let start = faults.take("marker", Cursor::resume(marker));
    let limit = faults.take(
        "limit",
        u32::try_from(limit).ok().filter(|limit| *limit <= MAX_LIMIT).map(NonZeroU32::new).ok_or_else(|| {
            Invalid::new(format!("{limit} is not 0–{MAX_LIMIT} tapes a page (0: as AWS likes); max_items bounds the whole call"))
        }),
    );
    let max_items = faults.take(
        "max_items",
        u64::try_from(max_items)
            .map(|max| (max > 0).then_some(max))
            .map_err(|_| Invalid::new(format!("{max_items} is negative: 0 is all tapes, n the first n"))),
    );
    Some(ListParams {
        start: start?,
        limit: limit?,
        max_items: max_items?,
    })
}

/// A marker as the contract has it: empty at the end.
fn marker(next: Option<Marker>) -> String {
    next.map(String::from).unwrap_or_default()
}

impl Outward for Page<TapeArchive> {
    type Message = proto::DescribeTapeArchivesResponse;

    fn outward(self) -> Self::Message {
        let Self { rows, next } = self;
        proto::DescribeTapeArchivesResponse {
            tape_archives: rows.into_iter().map(Outward::outward).collect(),
            marker: marker(next),
        }
    }
}

impl Outward for Page<Tape> {
    type Message = proto::DescribeTapesResponse;

    fn outward(self) -> Self::Message {
        let Self { rows, next } = self;
        proto::DescribeTapesResponse {
            tapes: rows.into_iter().map(Outward::outward).collect(),
            marker: marker(next),
        }
    }
}

impl Outward for Page<TapeInfo> {
    type Message = proto::ListTapesResponse;

    fn outward(self) -> Self::Message {
        let Self { rows, next } = self;
        proto::ListTapesResponse {
            tape_infos: rows.into_iter().map(Outward::outward).collect(),
            marker: marker(next),
        }
    }
}

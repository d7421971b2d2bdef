use std::{num::NonZeroU32, sync::Arc};

use prost::Message;

use super::{Parse, Rules};
use crate::{
    domain::{
        Cursor, DescribeTapeArchives, DescribeTapes, Invalid, ListTapes, Marker, PageRequest, Scope, Tape,
        TapeArchive, TapeArn, TapeInfo,
    },
    grpc::{list_response::ListResponse, proto, violations::Violations},
    upstream::pagination::{ListPage, ListParams},
};

/// The most tapes per page. AWS has no maximum; this one limits the memory of a call.
const MAX_LIMIT: u32 = 1_000;

impl Parse for proto::DescribeTapeArchivesRequest {
    type Operation = (DescribeTapeArchives, ListParams);

    fn parse(self, rules: &Rules) -> Result<Self::Operation, Violations> {
        let Self {
            tape_arns,
            marker,
            limit,
            max_items,
            region,
            account_id,
        } = self;
        let mut violations = Violations::default();
        let (scope, tapes) = scope_and_tapes(rules, region, account_id, &tape_arns, &mut violations);
        let params = list_params(marker, limit, max_items, &mut violations);
        violations.into_result(scope.zip(params).map(|(scope, params)| {
            (
                DescribeTapeArchives {
                    scope,
                    tapes,
                    page: PageRequest::default(),
                },
                params,
            )
        }))
    }
}

impl Parse for proto::DescribeTapesRequest {
    type Operation = (DescribeTapes, ListParams);

    fn parse(self, rules: &Rules) -> Result<Self::Operation, Violations> {
        let Self {
            gateway_arn,
            tape_arns,
            marker,
            limit,
            max_items,
        } = self;
        let mut violations = Violations::default();
        let gateway = rules.gateway(&gateway_arn, &mut violations);
        let tapes = Rules::tapes(&tape_arns, &mut violations, |tape| match &gateway {
            Some(gateway) if !gateway.shares_owner(tape) => Some(Invalid::new(format!(
                "{tape} has another partition, region or account than the gateway; use a tape of the gateway"
            ))),
            _ => None,
        });
        let params = list_params(marker, limit, max_items, &mut violations);
        violations.into_result(gateway.zip(params).map(|(gateway, params)| {
            (
                DescribeTapes {
                    gateway,
                    tapes: tapes.into(),
                    page: PageRequest::default(),
                },
                params,
            )
        }))
    }
}

impl Parse for proto::ListTapesRequest {
    type Operation = (ListTapes, ListParams);

    fn parse(self, rules: &Rules) -> Result<Self::Operation, Violations> {
        let Self {
            tape_arns,
            marker,
            limit,
            max_items,
            region,
            account_id,
        } = self;
        let mut violations = Violations::default();
        let (scope, tapes) = scope_and_tapes(rules, region, account_id, &tape_arns, &mut violations);
        let params = list_params(marker, limit, max_items, &mut violations);
        violations.into_result(scope.zip(params).map(|(scope, params)| {
            (
                ListTapes {
                    scope,
                    tapes,
                    page: PageRequest::default(),
                },
                params,
            )
        }))
    }
}

/// The scope of a request without a gateway, and its tapes, which must belong to the scope. The valid
/// part of the scope is compared with the tapes even if the other part is invalid.
fn scope_and_tapes(
    rules: &Rules,
    region: Option<String>,
    account_id: Option<String>,
    tape_arns: &[String],
    violations: &mut Violations,
) -> (Option<Scope>, Arc<[TapeArn]>) {
    let region = rules.region(region, violations);
    let names_account = account_id.is_some();
    let account = rules.account(account_id, violations);
    let tapes = Rules::tapes(tape_arns, violations, |tape| {
        let of_region = region.as_ref().filter(|region| tape.region() != *region);
        let of_region = of_region.map(|region| {
            Invalid::new(format!(
                "{tape} is not in {region}, where the call goes; name it in a separate call with region set to {}",
                tape.region()
            ))
        });
        let of_account = match &account {
            Some(Some(account)) if tape.account() != account => Some(Invalid::new(format!(
                "{tape} is not in account {account}, where the call goes; name it in a separate call with \
                 account_id set to {}",
                tape.account()
            ))),
            Some(None) => rules.serves_account(tape.account()).err(),
            _ => None,
        };
        of_region.into_iter().chain(of_account)
    });
    let scope = region
        .zip(account)
        .map(|(region, account)| Scope { region, account });
    if let Some(scope) = &scope {
        rules.serves_scope(scope, names_account, violations);
    }
    (scope, tapes.into())
}

fn list_params(
    marker: String,
    limit: i32,
    max_items: i64,
    violations: &mut Violations,
) -> Option<ListParams> {
    let start = violations.take("marker", Cursor::resume(marker));
    let limit = violations.take(
        "limit",
        u32::try_from(limit)
            .ok()
            .filter(|limit| *limit <= MAX_LIMIT)
            .map(NonZeroU32::new)
            .ok_or_else(|| {
                Invalid::new(format!(
                    "{limit} is not a valid page size; use 1–{MAX_LIMIT}, or 0 for the default of AWS; \
                 max_items limits the whole call"
                ))
            }),
    );
    let max_items = violations.take(
        "max_items",
        u64::try_from(max_items)
            .map(|max| (max > 0).then_some(max))
            .map_err(|_| {
                Invalid::new(format!(
                    "{max_items} is negative; use 0 for all tapes, or the number of tapes to return"
                ))
            }),
    );
    Some(ListParams {
        start: start?,
        limit: limit?,
        max_items: max_items?,
    })
}

/// The marker of a response: empty at the end of the list.
fn marker(next: Option<Marker>) -> String {
    next.map(String::from).unwrap_or_default()
}

/// Makes a response of a page.
pub trait ListMessage: Message + Default {
    /// A row of the page.
    type Row: Clone;

    /// The message with these fields.
    fn new(rows: Vec<Self::Row>, marker: String, missing_tape_arns: Vec<String>) -> Self;

    /// The response with this page. The rows of a page that others share are encoded once for all of them.
    fn response(page: ListPage<Self::Row>) -> ListResponse<Self> {
        let ListPage { mut page, missing } = page;
        let marker = marker(page.next.clone());
        let missing = missing.into_iter().map(String::from).collect();
        if let Some(rows) = page.take_rows() {
            return Self::new(rows, marker, missing).into();
        }
        let rows = page.encoded(|rows| {
            Self::new(rows.to_vec(), String::new(), Vec::new())
                .encode_to_vec()
                .into()
        });
        ListResponse::with_encoded_rows(rows, Self::new(Vec::new(), marker, missing))
    }
}

impl ListMessage for proto::DescribeTapeArchivesResponse {
    type Row = TapeArchive;

    fn new(rows: Vec<TapeArchive>, marker: String, missing_tape_arns: Vec<String>) -> Self {
        Self {
            tape_archives: rows.into_iter().map(Into::into).collect(),
            marker,
            missing_tape_arns,
        }
    }
}

impl ListMessage for proto::DescribeTapesResponse {
    type Row = Tape;

    fn new(rows: Vec<Tape>, marker: String, missing_tape_arns: Vec<String>) -> Self {
        Self {
            tapes: rows.into_iter().map(Into::into).collect(),
            marker,
            missing_tape_arns,
        }
    }
}

impl ListMessage for proto::ListTapesResponse {
    type Row = TapeInfo;

    fn new(rows: Vec<TapeInfo>, marker: String, missing_tape_arns: Vec<String>) -> Self {
        Self {
            tape_infos: rows.into_iter().map(Into::into).collect(),
            marker,
            missing_tape_arns,
        }
    }
}

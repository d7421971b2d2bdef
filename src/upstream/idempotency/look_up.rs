use std::sync::Arc;

use super::{
    compare::{Comparison, compare},
    is_nested,
};
use crate::{
    access::AuthorizedCall,
    domain::{
        Attempts, CreateTapeWithBarcode, DescribeTapeArchives, DescribeTapes, Failure, ListOperation,
        ListTapes, PageRequest, Scope, Tape, TapeArchive, TapeArn, TapeInfo,
    },
    upstream::{
        Stack, Upstream,
        pagination::{ListContext, ListParams, Paginator, Visibility},
    },
};

/// What has the barcode of a rejected create.
pub(super) enum LookUp {
    /// No tape.
    NoTape,
    /// A tape in the library of another gateway.
    OtherGateway,
    /// A tape of the same gateway, or an archived one.
    Tape(Comparison),
}

/// Looks up the tape with this ARN, and compares it with the one that the create requested. The
/// look-up is part of the create and authorized with it. Its attempts are added to `attempts`.
pub(super) async fn look_up(
    upstream: &Upstream,
    create: &AuthorizedCall<CreateTapeWithBarcode>,
    arn: &TapeArn,
    attempts: &mut Attempts,
) -> Result<LookUp, Failure> {
    let requested = &create.operation.tape;
    let gateway = &requested.gateway;
    let scope = Scope {
        region: gateway.region().clone(),
        account: Some(gateway.account().clone()),
    };
    let tapes: Arc<[TapeArn]> = Arc::new([arn.clone()]);
    let page = PageRequest::default();

    let list = ListTapes {
        scope: scope.clone(),
        tapes: tapes.clone(),
        page: page.clone(),
    };
    let matches = |info: &TapeInfo| info.tape_arn == arn.as_str();
    let infos = rows(&upstream.list_tapes, list, create, attempts, matches).await?;
    // A RETRIEVED tape may be listed twice. The row with its gateway says where it is now.
    let Some(info) = infos.iter().min_by_key(|info| info.gateway_arn.is_none()) else {
        return Ok(LookUp::NoTape);
    };
    let listed = || compare(requested, &info.into(), &["tape_status"]);

    let comparison = match info.gateway_arn.as_deref() {
        Some(other) if other != gateway.as_str() => return Ok(LookUp::OtherGateway),
        Some(_) => {
            let describe = DescribeTapes {
                gateway: gateway.clone(),
                tapes,
                page,
            };
            let matches = |tape: &Tape| tape.tape_arn == arn.as_str();
            let tapes = rows(&upstream.describe_tapes, describe, create, attempts, matches).await?;
            tapes
                .first()
                .map_or_else(listed, |tape| compare(requested, &tape.into(), &[]))
        }
        None => {
            let describe = DescribeTapeArchives { scope, tapes, page };
            let matches = |tape: &TapeArchive| tape.tape_arn == arn.as_str();
            let tapes = rows(
                &upstream.describe_tape_archives,
                describe,
                create,
                attempts,
                matches,
            )
            .await?;
            // An archived tape belongs to no gateway, so not to the requested one.
            let archived = &["gateway_arn"];
            tapes
                .first()
                .map_or_else(listed, |tape| compare(requested, &tape.into(), archived))
        }
    };
    Ok(LookUp::Tape(comparison))
}

/// The matching rows of a list. All pages are read, and they are fresh: a row that is missed is a
/// tape that is reported not to exist.
async fn rows<L: ListOperation>(
    stack: &Stack<L>,
    list: L,
    create: &AuthorizedCall<CreateTapeWithBarcode>,
    attempts: &mut Attempts,
    matches: impl Fn(&L::Row) -> bool,
) -> Result<Vec<L::Row>, Failure> {
    let context = ListContext {
        context: create.context.clone(),
        caller: create.caller.clone(),
        deadline: create.deadline.moment(),
        fresh: true,
        visibility: Visibility::PartOf(create.grant().clone()),
    };
    let mut pages = Paginator::new(stack.clone(), list, ListParams::default(), context);
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        attempts.add(match &page {
            Ok(page) => &page.attempts,
            Err(failure) => &failure.attempts,
        });
        match page {
            Ok(page) => found.extend(page.output.page.rows.iter().filter(|row| matches(row)).cloned()),
            // AWS does not document whether it omits a tape that does not exist or returns this error.
            Err(failure) if is_nested(&failure.fault, "TapeCartridgeNotFound") => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

use std::sync::Arc;

use super::{
    compare::{Comparison, compare},
    is_nested,
};
use crate::{
    access::AuthorizedCall,
    domain::{
        CreateTapeWithBarcode, DescribeTapeArchives, DescribeTapes, Failure, ListTapes, Listing, PageRequest,
        Scope, Tape, TapeArchive, TapeArn, TapeInfo,
    },
    upstream::{
        Stack, Upstream,
        pagination::{ListContext, ListParams, Paginator, Visibility},
    },
};

/// What has the barcode.
pub(super) enum Found {
    Nothing,
    /// A tape in the library of another gateway.
    Elsewhere,
    Tape(Comparison),
}

/// Looks for the tape with this ARN, and compares it with the one that a create asked for. It
/// is part of that create, and allowed with it.
pub(super) async fn look_up(
    upstream: &Upstream,
    create: &AuthorizedCall<CreateTapeWithBarcode>,
    arn: &TapeArn,
) -> Result<Found, Failure> {
    let asked = &create.operation.tape;
    let gateway = &asked.gateway;
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
    let is_it = |info: &TapeInfo| info.tape_arn == arn.as_str();
    let infos = rows(&upstream.list_tapes, list, create, is_it).await?;
    // A RETRIEVED tape may be there twice: where it is says more than where it was.
    let Some(info) = infos.iter().min_by_key(|info| info.gateway_arn.is_none()) else {
        return Ok(Found::Nothing);
    };
    let listed = || compare(asked, &info.into(), &["tape_status"]);

    let found = match info.gateway_arn.as_deref() {
        Some(other) if other != gateway.as_str() => return Ok(Found::Elsewhere),
        Some(_) => {
            let describe = DescribeTapes {
                gateway: gateway.clone(),
                tapes,
                page,
            };
            let is_it = |tape: &Tape| tape.tape_arn == arn.as_str();
            let tapes = rows(&upstream.describe_tapes, describe, create, is_it).await?;
            tapes
                .first()
                .map_or_else(listed, |tape| compare(asked, &tape.into(), &[]))
        }
        None => {
            let describe = DescribeTapeArchives { scope, tapes, page };
            let is_it = |tape: &TapeArchive| tape.tape_arn == arn.as_str();
            let tapes = rows(&upstream.describe_tape_archives, describe, create, is_it).await?;
            // An archived tape is of no gateway, so not of the one that was asked for.
            let elsewhere = &["gateway_arn"];
            tapes
                .first()
                .map_or_else(listed, |tape| compare(asked, &tape.into(), elsewhere))
        }
    };
    Ok(Found::Tape(found))
}

/// The rows of a list that are looked for, asked for now and to the last page: a row that was
/// missed would be a tape that is said not to exist.
async fn rows<L: Listing>(
    stack: &Stack<L>,
    list: L,
    create: &AuthorizedCall<CreateTapeWithBarcode>,
    is_it: impl Fn(&L::Row) -> bool,
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
        match page {
            Ok(page) => found.extend(page.output.rows.iter().filter(|row| is_it(row)).cloned()),
            // AWS documents nowhere whether it leaves out what is not there, or says so.
            Err(failure) if is_nested(&failure.fault, "TapeCartridgeNotFound") => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

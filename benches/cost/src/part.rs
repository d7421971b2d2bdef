//! Parts of what the service does for a call, alone, for callgrind to count.

use std::{hint::black_box, net::Ipv4Addr, sync::Arc, time::Duration};

use clap::ArgMatches;
use tapegate::{
    access::{
        Authority,
        policy::{Policies, PolicyEngine},
    },
    call::{Call, CallContext, Caller},
    domain::{
        CreateTapes, Encryption, Marker, NewTape, Page, Pool, Principal, Proof, TapeInfo, TapeSize,
        TapeSizeBounds, TapeStatus,
    },
    grpc::{codec::Encode, convert::ListMessage, proto::ListTapesResponse},
    upstream::pagination::ListPage,
};
use tokio::time::Instant;

use crate::{site::policies, upstream::TAPES};

/// How many pages there are, also if fewer are converted.
pub(crate) const PAGES: u32 = 200;

/// Does the part of this name so many times.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), String> {
    let word = |name| super::word(matches, name).unwrap_or_default();
    let times = word("times").parse().map_err(|_| "--times is no number")?;
    match word("part") {
        "policies" => decide(times),
        "page" => convert(times, false),
        "shared-page" => convert(times, true),
        other => Err(format!("there is no part {other}")),
    }
}

/// Decides about a create of a caller whose first create was decided about before.
fn decide(times: u32) -> Result<(), String> {
    let faults = |faults: Vec<String>| faults.join("; ");
    let engine = PolicyEngine::open("policy.path", &policies()).map_err(faults)?;
    let policies = Policies::new(Arc::new(engine), None, "GLACIER".to_owned());
    let authority = Authority::Policies(Arc::new(policies));
    let groups = ["tape-operators".to_owned()];
    let proof = Proof::Jwt {
        issuer: "bench".into(),
    };
    let principal = Principal::new("bench".to_owned(), groups, proof).ok_or("no principal")?;
    let caller = Caller::new(principal, Ipv4Addr::LOCALHOST.into());
    let context = Arc::new(CallContext::new("/bench", "request-1", None, None));
    let deadline = Instant::now() + Duration::from_secs(3600);
    for _ in 0..=times {
        let call = Call::new(&context, caller.clone(), create()?, deadline);
        black_box(authority.authorize(call)).map_err(|denied| denied.fault.to_string())?;
    }
    Ok(())
}

fn create() -> Result<CreateTapes, String> {
    let invalid = |_| "an invalid create".to_owned();
    let bounds = TapeSizeBounds::gib(100, 15 * 1024).map_err(|_| "invalid bounds")?;
    Ok(CreateTapes {
        client_token: "bench".parse().map_err(invalid)?,
        count: 1,
        prefix: "TST".parse().map_err(invalid)?,
        tape: NewTape {
            gateway: super::GATEWAY.parse().map_err(invalid)?,
            size: TapeSize::new(107_374_182_400, &bounds).map_err(invalid)?,
            encryption: Encryption::default(),
            pool: None,
            worm: None,
            tags: Arc::new([]),
        },
    })
}

/// Makes responses of pages, and encodes them. Of a page that is shared, the rows were encoded before.
fn convert(times: u32, is_shared: bool) -> Result<(), String> {
    let pages: Vec<_> = (0..PAGES).map(|_| Arc::new(page())).collect();
    let shared = is_shared.then(|| pages[0].clone());
    let mut buffer = Vec::with_capacity(1 << 20);
    for page in pages
        .into_iter()
        .take(usize::try_from(times).unwrap_or(usize::MAX))
    {
        let page = shared.clone().unwrap_or(page);
        let missing = Vec::new();
        let response = ListTapesResponse::response(ListPage { page, missing });
        buffer.clear();
        response
            .encode_to(&mut buffer)
            .map_err(|error| error.to_string())?;
        black_box(&buffer);
    }
    Ok(())
}

fn page() -> Page<TapeInfo> {
    let tape = |number: u64| TapeInfo {
        tape_arn: format!("arn:aws:storagegateway:us-east-1:123456789012:tape/TST{number:06X}"),
        tape_barcode: Some(format!("TST{number:06X}")),
        tape_size_in_bytes: Some(107_374_182_400),
        tape_status: Some(TapeStatus::reported("AVAILABLE")),
        gateway_arn: Some(super::GATEWAY.to_owned()),
        pool_id: Some(Pool::reported("GLACIER")),
        retention_start_date: None,
        pool_entry_date: None,
    };
    Page::new(
        (0..TAPES).map(tape).collect(),
        Marker::reported(Some("next".to_owned())),
    )
}

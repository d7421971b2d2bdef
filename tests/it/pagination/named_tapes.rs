//! The tapes that a list names and does not show: `missing_tape_arns`.

use serde_json::json;
use tapegate::grpc::proto::{DescribeTapeArchivesRequest, DescribeTapesRequest, ListTapesRequest};

use crate::harness::{GATEWAY, Reply, Service, Site, Upstream, bearer, collect, tape_arn};

/// A tape of the library, one of the archive, and one that does not exist.
const AVAILABLE: &str = "TST000001";
const ARCHIVED: &str = "TST000250";
const NOWHERE: &str = "NONE0001";

fn arns(barcodes: &[&str]) -> Vec<String> {
    barcodes.iter().map(|barcode| tape_arn(barcode)).collect()
}

/// The barcodes, the marker and the missing tapes of each message of ListTapes.
async fn listed(service: &Service, request: ListTapesRequest) -> Vec<(Vec<String>, String, Vec<String>)> {
    let pages = collect(service.client().list_tapes(request).await).await.unwrap();
    let shown = pages.into_iter().map(|page| {
        let tapes = page.tape_infos.into_iter().map(|tape| tape.tape_arn);
        (tapes.collect(), page.marker, page.missing_tape_arns)
    });
    shown.collect()
}

#[tokio::test]
async fn each_list_names_the_tapes_that_it_does_not_show() {
    let service = Service::dev(&[]).await;
    let tape_arns = arns(&[NOWHERE, AVAILABLE, ARCHIVED, NOWHERE, AVAILABLE]);
    let library = DescribeTapesRequest {
        gateway_arn: GATEWAY.into(),
        tape_arns: tape_arns.clone(),
        ..Default::default()
    };
    let library = collect(service.client().describe_tapes(library).await)
        .await
        .unwrap();
    assert_eq!(library.len(), 1);
    assert_eq!(library[0].tapes[0].tape_arn, tape_arn(AVAILABLE));
    assert_eq!(library[0].missing_tape_arns, arns(&[NOWHERE, ARCHIVED]));

    let archive = DescribeTapeArchivesRequest {
        tape_arns: tape_arns.clone(),
        ..Default::default()
    };
    let archive = collect(service.client().describe_tape_archives(archive).await)
        .await
        .unwrap();
    assert_eq!(archive.len(), 1);
    assert_eq!(archive[0].missing_tape_arns, arns(&[NOWHERE, AVAILABLE]));

    let all = ListTapesRequest {
        tape_arns,
        ..Default::default()
    };
    let all = listed(&service, all).await;
    assert_eq!(
        all,
        [(arns(&[AVAILABLE, ARCHIVED]), String::new(), arns(&[NOWHERE]))]
    );

    let none = ListTapesRequest {
        tape_arns: arns(&[NOWHERE]),
        ..Default::default()
    };
    assert_eq!(
        listed(&service, none).await,
        [(vec![], String::new(), arns(&[NOWHERE]))]
    );
}

#[tokio::test]
async fn only_the_last_message_of_a_complete_list_names_missing_tapes() {
    let service = Service::dev(&[]).await;
    let tape_arns = arns(&["TST000001", NOWHERE, "TST000002", "TST000003"]);
    let request = |limit, max_items| ListTapesRequest {
        tape_arns: tape_arns.clone(),
        limit,
        max_items,
        ..Default::default()
    };
    let pages = listed(&service, request(1, 0)).await;
    let (last, before) = pages.split_last().unwrap();
    assert_eq!(before.len(), 2);
    assert!(before.iter().all(|(_, _, missing)| missing.is_empty()));
    assert_eq!(last.2, arns(&[NOWHERE]));

    // All that exist are shown, and the list is complete.
    assert_eq!(listed(&service, request(0, 3)).await[0].2, arns(&[NOWHERE]));

    // After two of them nothing is known of the others, and a call that resumes does not know the two.
    let first = listed(&service, request(0, 2)).await;
    let [(shown, marker, missing)] = &first[..] else {
        panic!("{first:?}")
    };
    assert_eq!((shown.len(), missing.len()), (2, 0));
    let rest = ListTapesRequest {
        marker: marker.clone(),
        ..request(0, 0)
    };
    assert_eq!(
        listed(&service, rest).await,
        [(arns(&["TST000003"]), String::new(), vec![])]
    );
}

#[tokio::test]
async fn a_list_that_names_no_tapes_misses_none() {
    let service = Service::dev(&["--emulator-seed-tapes=0"]).await;
    assert_eq!(
        listed(&service, ListTapesRequest::default()).await,
        [(vec![], String::new(), vec![])]
    );
}

#[tokio::test]
async fn a_hidden_tape_is_missing_like_one_that_does_not_exist() {
    let site = Site::new();
    site.policies(
        r#"permit (principal, action == TapeGate::Action::"ListTapes", resource);
           permit (principal in TapeGate::Group::"all", action == TapeGate::Action::"ReadTape", resource);
           permit (principal, action == TapeGate::Action::"ReadTape", resource)
           when { resource.pool == "pool-11111111" };"#,
    );
    let row = |barcode: &str, pool: &str| {
        json!({
            "TapeARN": tape_arn(barcode),
            "TapeBarcode": barcode,
            "PoolId": pool,
            "TapeStatus": "ARCHIVED",
        })
    };
    let rows = [row("MINE0001", "pool-11111111"), row("THEIRS01", "pool-00000000")];
    let upstream = Upstream::always(Reply::ok(&json!({ "TapeInfos": rows }))).await;
    let service = site.over(&upstream, &site.config(), &[]).await;
    let missing = async |groups: &[&str], max_items| {
        let mut client = bearer(service.channel(), Some(&site.jwt("one", groups)));
        let request = ListTapesRequest {
            tape_arns: arns(&["THEIRS01", NOWHERE, "MINE0001"]),
            max_items,
            ..Default::default()
        };
        let pages = collect(client.list_tapes(request).await).await.unwrap();
        pages.last().unwrap().missing_tape_arns.clone()
    };
    assert_eq!(missing(&["all"], 0).await, arns(&[NOWHERE]));
    assert_eq!(missing(&[], 0).await, arns(&["THEIRS01", NOWHERE]));
    // The hidden tape after the last that is shown is not taken for one that was not reached.
    assert_eq!(missing(&[], 1).await, arns(&["THEIRS01", NOWHERE]));
}

/// With the pages of the caller's limit, a hidden tape would be an empty page, and one that does not
/// exist would not.
#[tokio::test]
async fn the_number_of_pages_does_not_tell_whether_a_hidden_tape_exists() {
    let site = Site::new();
    site.policies(
        r#"permit (principal, action == TapeGate::Action::"ListTapes", resource);
           permit (principal in TapeGate::Group::"all", action == TapeGate::Action::"ReadTape", resource);
           permit (principal, action == TapeGate::Action::"ReadTape", resource)
           when { resource.barcode == "TST000001" };"#,
    );
    let service = site.run(&site.config(), &[]).await;
    let [shown, hidden] = ["TST000001", "TST000002"];
    let list = async |groups: &[&str], other: &str| {
        let mut client = bearer(service.channel(), Some(&site.jwt("one", groups)));
        let request = ListTapesRequest {
            tape_arns: arns(&[shown, other]),
            limit: 1,
            ..Default::default()
        };
        let mut stream = client.list_tapes(request).await.unwrap().into_inner();
        let mut pages = Vec::new();
        while let Some(page) = stream.message().await.unwrap() {
            let tapes: Vec<_> = page.tape_infos.into_iter().map(|tape| tape.tape_arn).collect();
            pages.push((tapes, page.marker));
        }
        let trailers = stream.trailers().await.unwrap().unwrap();
        (pages, trailers.get("x-tapegate-attempts").cloned())
    };
    // The tape exists, as a caller who may read all of them sees.
    let (pages, _) = list(&["all"], hidden).await;
    assert_eq!(pages.iter().map(|(tapes, _)| tapes.len()).sum::<usize>(), 2);
    assert_eq!(list(&[], hidden).await, list(&[], NOWHERE).await);
}

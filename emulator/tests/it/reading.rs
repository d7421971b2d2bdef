use std::collections::{BTreeMap, BTreeSet};

use tapegate_emulator::Settings;

use super::{GATEWAY, Running, settings};

/// Barcode to status, of every page of one call.
type Statuses = BTreeMap<String, String>;

fn pair(barcode: Option<&str>, status: Option<&str>) -> (String, String) {
    (barcode.unwrap().to_owned(), status.unwrap().to_owned())
}

async fn everything(emulator: &Running) -> (Statuses, Statuses, Statuses) {
    let client = emulator.client();
    let library = client
        .describe_tapes()
        .gateway_arn(GATEWAY)
        .limit(1000)
        .send()
        .await
        .unwrap();
    let archive = client.describe_tape_archives().limit(1000).send().await.unwrap();
    let list = client.list_tapes().limit(1000).send().await.unwrap();
    assert_eq!(
        (library.marker(), archive.marker(), list.marker()),
        (None, None, None)
    );
    (
        library
            .tapes()
            .iter()
            .map(|tape| pair(tape.tape_barcode(), tape.tape_status()))
            .collect(),
        archive
            .tape_archives()
            .iter()
            .map(|tape| pair(tape.tape_barcode(), tape.tape_status()))
            .collect(),
        list.tape_infos()
            .iter()
            .map(|tape| pair(tape.tape_barcode(), tape.tape_status()))
            .collect(),
    )
}

fn words(statuses: &Statuses) -> BTreeSet<&str> {
    statuses.values().map(String::as_str).collect()
}

#[tokio::test]
async fn each_call_shows_its_own_statuses() {
    let (library, archive, list) = everything(&Running::start(settings()).await).await;
    let in_library = [
        "CREATING",
        "AVAILABLE",
        "IN TRANSIT TO VTS",
        "ARCHIVING",
        "RETRIEVED",
        "RECOVERING",
        "RECOVERED",
        "IRRECOVERABLE",
        "DELETING",
        "DELETED",
    ];
    assert_eq!(words(&library), BTreeSet::from(in_library));
    assert_eq!(
        words(&archive),
        BTreeSet::from(["ARCHIVED", "RETRIEVING", "RETRIEVED", "DELETED"])
    );
    let both: Statuses = library
        .iter()
        .chain(&archive)
        .map(|(b, s)| (b.clone(), s.clone()))
        .collect();
    assert_eq!(list, both);
    for barcode in library.keys().filter(|barcode| archive.contains_key(*barcode)) {
        assert_eq!(library[barcode], "RETRIEVED", "{barcode} is in both");
    }
}

#[tokio::test]
async fn the_default_seed_is_130_tapes_in_the_library_and_250_in_all() {
    let (library, archive, list) = everything(&Running::start(settings()).await).await;
    assert_eq!((library.len(), archive.len(), list.len()), (130, 121, 250)); // one is RETRIEVED
    assert_eq!(list.first_key_value().unwrap().0, "TST000001");
    assert_eq!(list.last_key_value().unwrap().0, "TST000250");
}

#[tokio::test]
async fn any_number_of_tapes_can_be_seeded_beginning_with_every_status() {
    for (tapes, library, archive) in [(0, 0, 0), (1, 1, 0), (17, 12, 6), (100, 95, 6), (900, 130, 771)] {
        let emulator = Running::start(Settings {
            seed_tapes: tapes,
            ..settings()
        })
        .await;
        let (in_library, in_archive, list) = everything(&emulator).await;
        assert_eq!(
            (in_library.len(), in_archive.len(), list.len()),
            (library, archive, tapes)
        );
    }
}

#[tokio::test]
async fn the_seed_is_the_same_in_every_run() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let client = Running::start(settings()).await.client();
        let library = client
            .describe_tapes()
            .gateway_arn(GATEWAY)
            .limit(1000)
            .send()
            .await
            .unwrap();
        let archive = client.describe_tape_archives().limit(1000).send().await.unwrap();
        runs.push((library.tapes().to_vec(), archive.tape_archives().to_vec()));
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn the_seed_shows_every_optional_member_present_and_absent() {
    let client = Running::start(settings()).await.client();
    let library = client
        .describe_tapes()
        .gateway_arn(GATEWAY)
        .limit(1000)
        .send()
        .await
        .unwrap();
    let archive = client.describe_tape_archives().limit(1000).send().await.unwrap();
    let list = client.list_tapes().limit(1000).send().await.unwrap();
    let (tapes, archives, infos) = (library.tapes(), archive.tape_archives(), list.tape_infos());

    let both = |name: &str, seen: Vec<bool>| {
        assert!(seen.contains(&true), "{name} is nowhere");
        assert!(seen.contains(&false), "{name} is everywhere");
    };
    both(
        "VTLDevice",
        tapes.iter().map(|t| t.vtl_device().is_some()).collect(),
    );
    both("Progress", tapes.iter().map(|t| t.progress().is_some()).collect());
    both("KMSKey", tapes.iter().map(|t| t.kms_key().is_some()).collect());
    both(
        "Worm",
        tapes
            .iter()
            .map(aws_sdk_storagegateway::types::Tape::worm)
            .collect(),
    );
    both(
        "TapeUsedInBytes",
        archives
            .iter()
            .map(|t| t.tape_used_in_bytes().is_some())
            .collect(),
    );
    both(
        "RetrievedTo",
        archives.iter().map(|t| t.retrieved_to().is_some()).collect(),
    );
    both("KMSKey", archives.iter().map(|t| t.kms_key().is_some()).collect());
    both(
        "RetentionStartDate",
        archives
            .iter()
            .map(|t| t.retention_start_date().is_some())
            .collect(),
    );
    both(
        "PoolEntryDate",
        archives.iter().map(|t| t.pool_entry_date().is_some()).collect(),
    );
    both(
        "GatewayARN",
        infos.iter().map(|t| t.gateway_arn().is_some()).collect(),
    );
    both(
        "RetentionStartDate",
        infos.iter().map(|t| t.retention_start_date().is_some()).collect(),
    );

    let pools = BTreeSet::from(["GLACIER", "DEEP_ARCHIVE", "pool-12345678"]);
    assert_eq!(
        tapes.iter().filter_map(|t| t.pool_id()).collect::<BTreeSet<_>>(),
        pools
    );
    assert_eq!(
        archives
            .iter()
            .filter_map(|t| t.pool_id())
            .collect::<BTreeSet<_>>(),
        pools
    );
    assert!(
        tapes
            .iter()
            .any(|t| t.tape_created_date().is_some_and(|date| date.subsec_nanos() > 0))
    );
}

#[tokio::test]
async fn a_filter_omits_tapes_that_do_not_exist() {
    let client = Running::start(settings()).await.client();
    let arn = |barcode: &str| format!("arn:aws:storagegateway:us-east-1:123456789012:tape/{barcode}");
    let asked = [
        arn("TST000013"), // archived
        arn("TST000001"), // in the library
        arn("TST000001"), // twice
        arn("NOSUCH1"),
        "arn:aws:storagegateway:eu-west-1:123456789012:tape/TST000002".to_owned(),
        "arn:aws:storagegateway:us-east-1:210987654321:tape/TST000002".to_owned(),
        "arn:aws-cn:storagegateway:us-east-1:123456789012:tape/TST000002".to_owned(),
    ];
    let asked = || Some(asked.to_vec());
    let library = client
        .describe_tapes()
        .gateway_arn(GATEWAY)
        .set_tape_arns(asked())
        .send()
        .await
        .unwrap();
    let found: Vec<_> = library.tapes().iter().filter_map(|t| t.tape_barcode()).collect();
    assert_eq!(found, ["TST000001"]);
    let archive = client
        .describe_tape_archives()
        .set_tape_arns(asked())
        .send()
        .await
        .unwrap();
    let found: Vec<_> = archive
        .tape_archives()
        .iter()
        .filter_map(|t| t.tape_barcode())
        .collect();
    assert_eq!(found, ["TST000013"]);
    let list = client.list_tapes().set_tape_arns(asked()).send().await.unwrap();
    let found: Vec<_> = list
        .tape_infos()
        .iter()
        .filter_map(|t| t.tape_barcode())
        .collect();
    assert_eq!(found, ["TST000001", "TST000013"]);
}

#[tokio::test]
async fn a_region_without_a_gateway_is_empty() {
    let emulator = Running::start(settings()).await;
    let client = emulator.client_of("ap-southeast-2", super::KEY_ID, super::SECRET);
    assert!(client.list_tapes().send().await.unwrap().tape_infos().is_empty());
    assert!(
        client
            .describe_tape_archives()
            .send()
            .await
            .unwrap()
            .tape_archives()
            .is_empty()
    );
}

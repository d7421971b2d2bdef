//! A law: whatever is asked of tapes and however time goes, each call shows exactly the
//! tapes whose status it shows.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_storagegateway::Client;
use proptest::prelude::*;
use tapegate_emulator::{Life, Settings};

use super::{GATEWAY, Running, SIZE, settings};

#[derive(Clone, Debug)]
enum Act {
    Create,
    Write(u64),
    Eject,
    Retrieve,
    Assign(&'static str),
    Delete,
    DeleteArchive,
}

/// A tape, by number; what is done to it; the seconds that pass after it.
fn acts() -> impl Strategy<Value = Vec<(usize, Act, u64)>> {
    let act = prop_oneof![
        2 => Just(Act::Create),
        1 => (0_u64..60).prop_map(|gib| Act::Write(gib << 30)),
        4 => Just(Act::Eject),
        3 => Just(Act::Retrieve),
        1 => proptest::sample::select(vec!["GLACIER", "DEEP_ARCHIVE", "pool-12345678"]).prop_map(Act::Assign),
        1 => Just(Act::Delete),
        1 => Just(Act::DeleteArchive),
    ];
    let pause = prop_oneof![Just(0), 0_u64..900, Just(5 * 3600), Just(12 * 3600)];
    proptest::collection::vec((0_usize..6, act, pause), 1..60)
}

fn arn(tape: usize) -> String {
    format!("arn:aws:storagegateway:us-east-1:123456789012:tape/SHELF{tape}")
}

/// Does it. Whether the emulator lets it is its own affair.
async fn act(emulator: &Running, client: &Client, tape: usize, act: Act) {
    let arn = arn(tape);
    match act {
        Act::Create => {
            let create = client.create_tape_with_barcode().gateway_arn(GATEWAY);
            let create = create
                .tape_size_in_bytes(SIZE)
                .tape_barcode(format!("SHELF{tape}"));
            drop(create.send().await);
        }
        Act::Write(bytes) => drop(emulator.emulator.write(&arn, bytes)),
        Act::Eject => drop(emulator.emulator.eject(&arn)),
        Act::Retrieve => {
            let retrieve = client.retrieve_tape_archive().tape_arn(arn);
            drop(retrieve.gateway_arn(GATEWAY).send().await);
        }
        Act::Assign(pool) => drop(client.assign_tape_pool().tape_arn(arn).pool_id(pool).send().await),
        Act::Delete => drop(
            client
                .delete_tape()
                .tape_arn(arn)
                .gateway_arn(GATEWAY)
                .send()
                .await,
        ),
        Act::DeleteArchive => drop(client.delete_tape_archive().tape_arn(arn).send().await),
    }
}

/// Barcode to status, of one call.
type Statuses = BTreeMap<String, String>;

fn of<'a>(rows: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> Statuses {
    rows.map(|(barcode, status)| (barcode.unwrap().to_owned(), status.unwrap().to_owned()))
        .collect()
}

async fn check(client: &Client) -> Statuses {
    let library = client.describe_tapes().gateway_arn(GATEWAY).send().await.unwrap();
    let library = of(library
        .tapes()
        .iter()
        .map(|t| (t.tape_barcode(), t.tape_status())));
    let archive = client.describe_tape_archives().send().await.unwrap();
    let archive = of(archive
        .tape_archives()
        .iter()
        .map(|t| (t.tape_barcode(), t.tape_status())));
    let list = client.list_tapes().send().await.unwrap();
    let owners: BTreeMap<String, bool> = list
        .tape_infos()
        .iter()
        .map(|t| (t.tape_barcode().unwrap().to_owned(), t.gateway_arn().is_some()))
        .collect();
    let list = of(list
        .tape_infos()
        .iter()
        .map(|t| (t.tape_barcode(), t.tape_status())));

    for (barcode, status) in &list {
        let places = (library.get(barcode), archive.get(barcode));
        let expected = match status.as_str() {
            "CREATING" | "AVAILABLE" | "IN TRANSIT TO VTS" | "ARCHIVING" => (Some(status), None),
            "ARCHIVED" | "RETRIEVING" => (None, Some(status)),
            "RETRIEVED" => (Some(status), Some(status)),
            // Where it was deleted from: in one place, and the gateway says which.
            "DELETING" | "DELETED" if owners[barcode] => (Some(status), None),
            "DELETING" | "DELETED" => (None, Some(status)),
            other => panic!("{barcode} is {other}"),
        };
        assert_eq!(places, expected, "{barcode} is {status}");
        assert_eq!(owners[barcode], places.0.is_some(), "{barcode} is {status}");
    }
    let strays = library
        .keys()
        .chain(archive.keys())
        .find(|barcode| !list.contains_key(*barcode));
    assert_eq!(strays, None, "shown, but not by ListTapes");
    list
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn each_tape_is_shown_by_exactly_the_calls_that_show_its_status(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let emulator = Running::start(Settings {
                seed_tapes: 0,
                time_scale: 0,
                life: Life { creating_time: Duration::from_secs(30), ..Life::default() },
                ..settings()
            })
            .await;
            let client = emulator.client();
            let mut before = Statuses::new();
            for (tape, next, pause) in acts {
                act(&emulator, &client, tape, next).await;
                emulator.emulator.step(Duration::from_secs(pause));
                let now = check(&client).await;
                for (barcode, status) in before {
                    let follows = now.get(&barcode).map(String::as_str);
                    prop_assert!(may_follow(&status, follows), "{barcode}: {status}, then {follows:?}");
                }
                before = now;
            }
            Ok(())
        })?;
    }
}

/// Whether a tape can be in the second status one act and any time after the first.
fn may_follow(status: &str, next: Option<&str>) -> bool {
    const LEAVING: [&str; 3] = ["IN TRANSIT TO VTS", "ARCHIVING", "ARCHIVED"];
    let Some(next) = next else {
        return matches!(status, "DELETING" | "DELETED" | "AVAILABLE" | "ARCHIVED");
    };
    let deleted = ["DELETING", "DELETED"].contains(&next);
    next == status
        || match status {
            "CREATING" => next == "AVAILABLE",
            "AVAILABLE" => LEAVING.contains(&next) || deleted,
            "IN TRANSIT TO VTS" | "ARCHIVING" => LEAVING.contains(&next),
            "ARCHIVED" => ["RETRIEVING", "RETRIEVED"].contains(&next) || deleted,
            "RETRIEVING" => next == "RETRIEVED",
            "RETRIEVED" => next == "ARCHIVED",
            "DELETING" => next == "DELETED",
            _ => false,
        }
}

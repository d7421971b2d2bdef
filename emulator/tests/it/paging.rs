use aws_sdk_storagegateway::Client;
use proptest::prelude::*;
use tapegate_emulator::Settings;

use super::{GATEWAY, Running, SIZE, assert_rejected, settings};

#[derive(Clone, Copy, Debug)]
enum Reading {
    DescribeTapes,
    DescribeTapeArchives,
    ListTapes,
}

const READINGS: [Reading; 3] = [
    Reading::DescribeTapes,
    Reading::DescribeTapeArchives,
    Reading::ListTapes,
];

impl Reading {
    /// One page's barcodes and its marker.
    async fn page(
        self,
        client: &Client,
        limit: Option<i32>,
        marker: Option<String>,
        arns: Option<Vec<String>>,
    ) -> Result<(Vec<String>, Option<String>), (String, String)> {
        let barcodes = |all: Vec<Option<String>>| all.into_iter().map(Option::unwrap).collect();
        match self {
            Self::DescribeTapes => {
                let call = client
                    .describe_tapes()
                    .gateway_arn(GATEWAY)
                    .set_limit(limit)
                    .set_marker(marker);
                let page = call
                    .set_tape_arns(arns)
                    .send()
                    .await
                    .map_err(|e| super::codes(&e))?;
                Ok((
                    barcodes(page.tapes().iter().map(|t| t.tape_barcode.clone()).collect()),
                    page.marker,
                ))
            }
            Self::DescribeTapeArchives => {
                let call = client
                    .describe_tape_archives()
                    .set_limit(limit)
                    .set_marker(marker);
                let page = call
                    .set_tape_arns(arns)
                    .send()
                    .await
                    .map_err(|e| super::codes(&e))?;
                let tapes = page
                    .tape_archives()
                    .iter()
                    .map(|t| t.tape_barcode.clone())
                    .collect();
                Ok((barcodes(tapes), page.marker))
            }
            Self::ListTapes => {
                let call = client.list_tapes().set_limit(limit).set_marker(marker);
                let page = call
                    .set_tape_arns(arns)
                    .send()
                    .await
                    .map_err(|e| super::codes(&e))?;
                Ok((
                    barcodes(page.tape_infos().iter().map(|t| t.tape_barcode.clone()).collect()),
                    page.marker,
                ))
            }
        }
    }

    async fn walk(self, client: &Client, limit: i32) -> Vec<Vec<String>> {
        let (mut pages, mut marker) = (Vec::new(), None);
        loop {
            let (page, next) = self.page(client, Some(limit), marker, None).await.unwrap();
            pages.push(page);
            match next {
                Some(next) => marker = Some(next),
                None => return pages,
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_meets_each_tape_once_and_in_order(
        total in 0_usize..300,
        limit in 1_i32..140,
        reading in proptest::sample::select(&READINGS),
        added in proptest::collection::btree_set("[A-Z0-9]{5,16}", 0..6),
    ) {
        runtime().block_on(async {
            let emulator = Running::start(Settings { seed_tapes: total, ..settings() }).await;
            let client = emulator.client();
            let before: Vec<String> = reading.walk(&client, 1000).await.concat();
            let pages = reading.walk(&client, limit).await;
            assert_eq!(pages.concat(), before);
            let limit = usize::try_from(limit).unwrap();
            let (last, full) = pages.split_last().unwrap();
            assert!(full.iter().all(|page| page.len() == limit));
            assert!(!last.is_empty() || full.is_empty(), "an empty page after a full one");

            // The same with tapes added between the pages.
            let (mut seen, mut marker, mut added) = (Vec::new(), None, added.into_iter());
            loop {
                let page = reading.page(&client, Some(limit.try_into().unwrap()), marker, None).await.unwrap();
                seen.extend(page.0);
                let Some(next) = page.1 else { break };
                marker = Some(next);
                if let Some(barcode) = added.next() {
                    let create = client.create_tape_with_barcode().gateway_arn(GATEWAY);
                    create.tape_size_in_bytes(SIZE).tape_barcode(barcode).send().await.unwrap();
                }
            }
            assert!(seen.is_sorted() && seen.windows(2).all(|two| two[0] != two[1]), "{seen:?}");
            assert!(before.iter().all(|barcode| seen.binary_search(barcode).is_ok()));
        });
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_page_has_100_tapes_by_default_and_at_most_1000() {
    let client = Running::start(Settings {
        seed_tapes: 2500,
        ..settings()
    })
    .await
    .client();
    for reading in [Reading::DescribeTapeArchives, Reading::ListTapes] {
        let (page, marker) = reading.page(&client, None, None, None).await.unwrap();
        assert_eq!((page.len(), marker.is_some()), (100, true), "{reading:?}");
        let (page, marker) = reading.page(&client, Some(i32::MAX), None, None).await.unwrap();
        assert_eq!((page.len(), marker.is_some()), (1000, true), "{reading:?}");
    }
}

#[tokio::test]
async fn a_filter_is_paged_and_its_markers_belong_to_it() {
    let client = Running::start(settings()).await.client();
    let arn = |n: i32| format!("arn:aws:storagegateway:us-east-1:123456789012:tape/TST{n:06}");
    let arns: Vec<String> = (100..=130).rev().map(arn).collect();
    for reading in [Reading::DescribeTapes, Reading::ListTapes] {
        let (mut seen, mut marker) = (Vec::new(), None);
        loop {
            let (page, next) = reading
                .page(&client, Some(7), marker, Some(arns.clone()))
                .await
                .unwrap();
            seen.extend(page);
            if let Some(next) = &next {
                let unfiltered = reading.page(&client, Some(7), Some(next.clone()), None).await;
                assert_eq!(unfiltered.unwrap_err().1, "InvalidParameters");
            } else {
                break;
            }
            marker = next;
        }
        let expected: Vec<String> = (100..=130).map(|n| format!("TST{n:06}")).collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn a_marker_of_another_call_is_rejected() {
    let emulator = Running::start(settings()).await;
    let client = emulator.client();
    for reading in READINGS {
        let (_, marker) = reading.page(&client, Some(2), None, None).await.unwrap();
        let marker = marker.unwrap();
        for other in READINGS {
            let answer = other.page(&client, Some(2), Some(marker.clone()), None).await;
            if std::mem::discriminant(&other) == std::mem::discriminant(&reading) {
                answer.unwrap();
            } else {
                assert_eq!(
                    answer.unwrap_err().1,
                    "InvalidParameters",
                    "{reading:?} to {other:?}"
                );
            }
        }
        for forged in [
            "1",
            "TST000002",
            &marker[1..],
            &format!("{marker}A"),
            &"A".repeat(2000),
            "…",
        ] {
            let answer = reading
                .page(&client, Some(2), Some(forged.to_owned()), None)
                .await;
            assert_eq!(answer.unwrap_err().1, "InvalidParameters", "{forged}");
        }
        let abroad = emulator.client_of("eu-west-1", super::KEY_ID, super::SECRET);
        assert!(reading.page(&abroad, Some(2), Some(marker), None).await.is_err());
    }
    assert_rejected(client.list_tapes().marker("x").send().await, "InvalidParameters");
}

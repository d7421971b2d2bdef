//! What callers receive: each field of a row as AWS sends it, odd values included.

use std::{collections::BTreeSet, fmt::Debug};

use prost_types::Timestamp;
use serde_json::{Value, json};
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapeWithBarcodeResponse, CreateTapesRequest, CreateTapesResponse,
    DescribeTapeArchivesRequest, DescribeTapesRequest, ListTapesRequest, PoolId, Tape, TapeArchive, TapeInfo,
    TapeStatus,
};

use crate::{
    harness::{GATEWAY, Reply, SIZE, Service, Upstream, collect, tape_arn},
    model,
};

/// A value of a field as AWS sends it, and its effect on the message.
type Sent<M> = (Value, Box<dyn Fn(&mut M)>);

/// A field by its name in the model, with values. The last one is used in full rows.
type Member<M> = (&'static str, Vec<Sent<M>>);

fn values<M, T: Clone + 'static>(
    all: impl IntoIterator<Item = (Value, T)>,
    set: fn(&mut M, T),
) -> Vec<Sent<M>>
where
    M: 'static,
{
    let value =
        |(sent, seen): (Value, T)| -> Sent<M> { (sent, Box::new(move |message| set(message, seen.clone()))) };
    // What is null is absent, as everywhere in this protocol.
    let null: Sent<M> = (Value::Null, Box::new(|_| {}));
    std::iter::once(null).chain(all.into_iter().map(value)).collect()
}

fn texts<M: 'static>(set: fn(&mut M, String)) -> Vec<Sent<M>> {
    let long = "x".repeat(3_000);
    let all = ["", " ", "Größe\n本🎞\u{0}", &long, "TEST01"];
    values(all.map(|text| (json!(text), text.to_owned())), set)
}

fn sizes<M: 'static>(set: fn(&mut M, i64)) -> Vec<Sent<M>> {
    let all = [0, -1, i64::MIN, i64::MAX, (1 << 53) + 1, SIZE];
    values(all.map(|size| (json!(size), size)), set)
}

fn times<M: 'static>(set: fn(&mut M, Timestamp)) -> Vec<Sent<M>> {
    let at = |seconds, nanos| Timestamp { seconds, nanos };
    let all = [
        (json!(0), at(0, 0)),
        (json!(1.5), at(1, 500_000_000)),
        (json!(1_700_000_000), at(1_700_000_000, 0)),
        (json!(1.7e9), at(1_700_000_000, 0)),
        (json!(-1), at(-1, 0)),
        (json!(-0.25), at(-1, 750_000_000)),
        (json!(-86_400.5), at(-86_401, 500_000_000)),
        // The first and the last second that the message can say.
        (json!(-62_135_596_800_i64), at(-62_135_596_800, 0)),
        (json!(253_402_300_799_i64), at(253_402_300_799, 0)),
        // AWS sends milliseconds, which a double does not hold exactly.
        (json!(0.3), at(0, 300_000_000)),
        (json!(1_700_000_000.999_999_7), at(1_700_000_001, 0)),
        (json!(-1_700_000_000.001), at(-1_700_000_001, 999_000_000)),
        (json!(1_700_000_000.123), at(1_700_000_000, 123_000_000)),
    ];
    values(all, set)
}

fn pools<M: 'static>(set: fn(&mut M, (PoolId, String))) -> Vec<Sent<M>> {
    let all = [
        ("", PoolId::Unspecified),
        ("pool-12345678", PoolId::Unspecified),
        ("NEW_CLASS", PoolId::Unspecified),
        ("glacier", PoolId::Unspecified),
        ("DEEP_ARCHIVE", PoolId::DeepArchive),
        ("GLACIER", PoolId::Glacier),
    ];
    values(all.map(|(text, id)| (json!(text), (id, text.to_owned()))), set)
}

fn statuses<M: 'static>(set: fn(&mut M, (TapeStatus, String))) -> Vec<Sent<M>> {
    let all = [
        ("", TapeStatus::Unspecified),
        ("HIBERNATING", TapeStatus::Unspecified),
        ("UNSPECIFIED", TapeStatus::Unspecified),
        ("CREATING", TapeStatus::Creating),
        ("AVAILABLE", TapeStatus::Available),
        ("IN TRANSIT TO VTS", TapeStatus::InTransitToVts),
        ("IN_TRANSIT_TO_VTS", TapeStatus::InTransitToVts),
        ("INTRANSITTOVTS", TapeStatus::InTransitToVts),
        ("ARCHIVING", TapeStatus::Archiving),
        ("ARCHIVED", TapeStatus::Archived),
        ("RETRIEVING", TapeStatus::Retrieving),
        ("RETRIEVED", TapeStatus::Retrieved),
        ("RECOVERING", TapeStatus::Recovering),
        ("RECOVERED", TapeStatus::Recovered),
        ("IRRECOVERABLE", TapeStatus::Irrecoverable),
        ("DELETING", TapeStatus::Deleting),
        ("DELETED", TapeStatus::Deleted),
    ];
    values(
        all.map(|(text, status)| (json!(text), (status, text.to_owned()))),
        set,
    )
}

fn worms<M: 'static>(set: fn(&mut M, bool)) -> Vec<Sent<M>> {
    values([false, true].map(|worm| (json!(worm), worm)), set)
}

/// The fields of all three rows, with the same names.
macro_rules! common_members {
    ($message:ty) => {{
        let common: [Member<$message>; 6] = [
            ("TapeBarcode", texts(|m, text| m.tape_barcode = Some(text))),
            (
                "TapeSizeInBytes",
                sizes(|m, size| m.tape_size_in_bytes = Some(size)),
            ),
            (
                "TapeStatus",
                statuses(|m, (status, text)| {
                    (m.tape_status, m.tape_status_text) = (status.into(), Some(text));
                }),
            ),
            (
                "PoolId",
                pools(|m, (pool, text)| (m.pool_id, m.pool_id_text) = (pool.into(), Some(text))),
            ),
            (
                "RetentionStartDate",
                times(|m, at| m.retention_start_date = Some(at)),
            ),
            ("PoolEntryDate", times(|m, at| m.pool_entry_date = Some(at))),
        ];
        common
    }};
}

/// The further fields of library and archive.
macro_rules! detailed_members {
    ($message:ty) => {{
        let detailed: [Member<$message>; 4] = [
            ("TapeCreatedDate", times(|m, at| m.tape_created_date = Some(at))),
            (
                "TapeUsedInBytes",
                sizes(|m, size| m.tape_used_in_bytes = Some(size)),
            ),
            ("KMSKey", texts(|m, key| m.kms_key = Some(key))),
            ("Worm", worms(|m, worm| m.worm = worm)),
        ];
        detailed
    }};
}

/// A row for each value of each field alone, one with a value of every field, and one with none: as AWS
/// sends them, and as callers receive them.
fn rows<M: Clone>(members: &[Member<M>], none: &M) -> (Vec<Value>, Vec<M>) {
    let bare = json!({"TapeARN": tape_arn("TEST01")});
    let (mut full, mut full_seen) = (bare.clone(), none.clone());
    let (mut sent, mut seen) = (vec![bare.clone()], vec![none.clone()]);
    for (name, values) in members {
        for (value, set) in values {
            let (mut row, mut message) = (bare.clone(), none.clone());
            row[*name] = value.clone();
            set(&mut message);
            sent.push(row);
            seen.push(message);
        }
        let (value, set) = values.last().unwrap();
        full[*name] = value.clone();
        set(&mut full_seen);
    }
    sent.push(full);
    seen.push(full_seen);
    (sent, seen)
}

/// Returns the rows of `members` in two pages, and compares what callers receive.
async fn check<M: Clone + Debug + PartialEq>(
    operation: &str,
    list: &str,
    members: &[Member<M>],
    none: &M,
    read: impl AsyncFn(&Service) -> Vec<(Vec<M>, String)>,
) {
    let known: BTreeSet<_> = members.iter().map(|(name, _)| *name).chain(["TapeARN"]).collect();
    assert_eq!(
        known,
        model::row(operation, list),
        "the members that this test knows, and those of {list}"
    );
    assert_eq!(model::answer(operation), BTreeSet::from([list, "Marker"]));

    let (sent, seen) = rows(members, none);
    let pages = [
        json!({list: sent, "Marker": "märk er"}),
        json!({list: [], "Marker": ""}),
    ];
    let upstream = Upstream::script(pages.iter().map(Reply::ok)).await;
    let service = Service::over(&upstream, &[]).await;
    let pages = read(&service).await;
    assert_eq!(upstream.asked()[1].body["Marker"], "märk er");
    for ((sent, expected), row) in sent.iter().zip(&seen).zip(&pages[0].0) {
        assert_eq!(row, expected, "of {sent}");
    }
    assert_eq!(pages, [(seen, "märk er".to_owned()), (vec![], String::new())]);
}

#[tokio::test]
async fn describe_tapes_returns_every_field() {
    let own: [Member<Tape>; 2] = [
        ("VTLDevice", texts(|m, device| m.vtl_device = Some(device))),
        (
            "Progress",
            values(
                [0.0, 100.0, 33.25, 1e-3, 0.1, -1.0, 1e300]
                    .map(|progress| (json!(progress), progress))
                    .into_iter()
                    .chain([(json!(0), 0.0), (json!(100), 100.0), (json!(42), 42.0)]),
                |m, progress| m.progress = Some(progress),
            ),
        ),
    ];
    let members: Vec<_> = common_members!(Tape)
        .into_iter()
        .chain(detailed_members!(Tape))
        .chain(own)
        .collect();
    let none = Tape {
        tape_arn: tape_arn("TEST01"),
        ..Default::default()
    };
    check("DescribeTapes", "Tapes", &members, &none, async |service| {
        let request = DescribeTapesRequest {
            gateway_arn: GATEWAY.into(),
            ..Default::default()
        };
        let pages = collect(service.client().describe_tapes(request).await)
            .await
            .unwrap();
        pages.into_iter().map(|page| (page.tapes, page.marker)).collect()
    })
    .await;
}

#[tokio::test]
async fn describe_tape_archives_returns_every_field() {
    let own: [Member<TapeArchive>; 2] = [
        ("CompletionTime", times(|m, at| m.completion_time = Some(at))),
        ("RetrievedTo", texts(|m, gateway| m.retrieved_to = Some(gateway))),
    ];
    let common = common_members!(TapeArchive).into_iter();
    let members: Vec<_> = common.chain(detailed_members!(TapeArchive)).chain(own).collect();
    let none = TapeArchive {
        tape_arn: tape_arn("TEST01"),
        ..Default::default()
    };
    check(
        "DescribeTapeArchives",
        "TapeArchives",
        &members,
        &none,
        async |service| {
            let request = DescribeTapeArchivesRequest::default();
            let pages = collect(service.client().describe_tape_archives(request).await)
                .await
                .unwrap();
            pages
                .into_iter()
                .map(|page| (page.tape_archives, page.marker))
                .collect()
        },
    )
    .await;
}

#[tokio::test]
async fn list_tapes_returns_every_field() {
    let own: [Member<TapeInfo>; 1] = [("GatewayARN", texts(|m, gateway| m.gateway_arn = Some(gateway)))];
    let members: Vec<_> = common_members!(TapeInfo).into_iter().chain(own).collect();
    let none = TapeInfo {
        tape_arn: tape_arn("TEST01"),
        ..Default::default()
    };
    check("ListTapes", "TapeInfos", &members, &none, async |service| {
        let request = ListTapesRequest::default();
        let pages = collect(service.client().list_tapes(request).await).await.unwrap();
        pages
            .into_iter()
            .map(|page| (page.tape_infos, page.marker))
            .collect()
    })
    .await;
}

#[tokio::test]
async fn creates_return_the_arns() {
    assert_eq!(
        model::answer("CreateTapeWithBarcode"),
        BTreeSet::from(["TapeARN"])
    );
    assert_eq!(model::answer("CreateTapes"), BTreeSet::from(["TapeARNs"]));
    let arns = ["TEST01", "TEST02"].map(tape_arn);
    let answers = [json!({"TapeARN": arns[0]}), json!({"TapeARNs": arns})];
    let upstream = Upstream::script(answers.iter().map(Reply::ok)).await;
    let service = Service::over(&upstream, &[]).await;
    let one = CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: "TEST01".into(),
        ..Default::default()
    };
    let answer = service
        .client()
        .create_tape_with_barcode(one)
        .await
        .unwrap()
        .into_inner();
    let [tape_arn, _] = arns.clone();
    assert_eq!(
        answer,
        CreateTapeWithBarcodeResponse {
            tape_arn,
            ..Default::default()
        }
    );
    let several = CreateTapesRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        client_token: "token".into(),
        num_tapes_to_create: 2,
        tape_barcode_prefix: "TEST".into(),
        ..Default::default()
    };
    let answer = service.client().create_tapes(several).await.unwrap().into_inner();
    assert_eq!(
        answer,
        CreateTapesResponse {
            tape_arns: arns.into(),
            ..Default::default()
        }
    );
}

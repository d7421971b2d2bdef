//! A request with several invalid fields has one violation for each, with its path.

use proptest::{prelude::*, sample::subsequence};
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest, DescribeTapesRequest,
    ListTapesRequest, Tag, create_tape_with_barcode_request as barcode_request,
    create_tapes_request as tapes_request,
};

use super::{Sample, invalid_fields};
use crate::harness::tape_arn;

/// A change that makes a request invalid, and the path of the field.
type Spoil<R> = (&'static str, fn(&mut R));

fn tag(key: &str) -> Tag {
    Tag {
        key: key.into(),
        value: "value".into(),
    }
}

/// The paths of the violations, and the expected ones, both in order.
fn reported<R: Sample>(prepare: fn(&mut R), spoils: &[Spoil<R>]) -> (Vec<String>, Vec<String>) {
    let mut reported = invalid_fields(R::but(|request| {
        prepare(request);
        for (_, spoil) in spoils {
            spoil(request);
        }
    }));
    reported.sort();
    let mut expected: Vec<_> = spoils.iter().map(|(path, _)| (*path).to_owned()).collect();
    expected.sort();
    (reported, expected)
}

fn some_of<R>(all: &'static [Spoil<R>]) -> impl Strategy<Value = Vec<Spoil<R>>> {
    subsequence((0..all.len()).collect::<Vec<_>>(), 0..=all.len())
        .prop_map(|chosen| chosen.into_iter().map(|index| all[index]).collect())
}

const CREATE_TAPES: &[Spoil<CreateTapesRequest>] = &[
    ("gateway_arn", |r| r.gateway_arn.push('/')),
    ("tape_size_in_bytes", |r| r.tape_size_in_bytes += 1),
    ("client_token", |r| r.client_token.clear()),
    ("num_tapes_to_create", |r| r.num_tapes_to_create = 11),
    ("tape_barcode_prefix", |r| r.tape_barcode_prefix.push('X')),
    ("kms_key", |r| r.kms_key = Some("key".into())),
    ("pool_id", |r| r.pool = Some(tapes_request::Pool::PoolId(0))),
    ("tags[0].key", |r| r.tags[0].key = "aws:a".into()),
    ("tags[0].value", |r| r.tags[0].value = "v".repeat(257)),
    ("tags[2].key", |r| r.tags[2].key = r.tags[1].key.clone()),
];

const CREATE_TAPE_WITH_BARCODE: &[Spoil<CreateTapeWithBarcodeRequest>] = &[
    ("gateway_arn", |r| r.gateway_arn.clear()),
    ("tape_size_in_bytes", |r| r.tape_size_in_bytes = 100),
    ("tape_barcode", |r| r.tape_barcode.push('-')),
    ("kms_key", |r| r.kms_encrypted = None),
    ("custom_pool_id", |r| {
        r.pool = Some(barcode_request::Pool::CustomPoolId("my pool".into()));
    }),
    ("tags[1].key", |r| r.tags[1].key = "*".into()),
    ("tags[2].value", |r| r.tags[2].value = "v".repeat(257)),
];

const DESCRIBE_TAPES: &[Spoil<DescribeTapesRequest>] = &[
    ("gateway_arn", |r| r.gateway_arn.insert(0, ' ')),
    ("tape_arns[1]", |r| r.tape_arns[1] = "TEST02".into()),
    ("tape_arns[2]", |r| r.tape_arns[2].clear()),
    ("marker", |r| r.marker = "m".repeat(2_001)),
    ("limit", |r| r.limit = 1_001),
    ("max_items", |r| r.max_items = -1),
];

const DESCRIBE_TAPE_ARCHIVES: &[Spoil<DescribeTapeArchivesRequest>] = &[
    ("tape_arns[0]", |r| r.tape_arns[0].push('x')),
    ("tape_arns[1]", |r| {
        r.tape_arns[1] = r.tape_arns[1].replace(":123456789012:", ":210987654321:");
    }),
    ("tape_arns[2]", |r| {
        r.tape_arns[2] = r.tape_arns[2].replace("us-east-1", "me");
    }),
    ("marker", |r| r.marker = "m".repeat(2_001)),
    ("limit", |r| r.limit = -1),
    ("max_items", |r| r.max_items = i64::MIN),
];

const LIST_TAPES: &[Spoil<ListTapesRequest>] = &[
    ("tape_arns[0]", |r| r.tape_arns[0] = "🎞".into()),
    // Of another region than the call: reported even if the account is invalid, too.
    ("tape_arns[2]", |r| {
        r.tape_arns[2] = r.tape_arns[2].replace("us-east-1", "me");
    }),
    ("limit", |r| r.limit = i32::MAX),
    ("max_items", |r| r.max_items = -1),
    ("account_id", |r| r.account_id = Some("12345".into())),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn create_tapes_reports_each_violation(spoils in some_of(CREATE_TAPES)) {
        let (reported, expected) = reported(|r| {
            r.kms_encrypted = Some(true);
            r.tags = ["a", "b", "c"].map(tag).into();
        }, &spoils);
        prop_assert_eq!(reported, expected);
    }

    #[test]
    fn create_tape_with_barcode_reports_each_violation(spoils in some_of(CREATE_TAPE_WITH_BARCODE)) {
        let (reported, expected) = reported(|r| {
            (r.kms_encrypted, r.kms_key) = (Some(true), Some("alias/key".into()));
            r.tags = ["a", "b", "c"].map(tag).into();
        }, &spoils);
        prop_assert_eq!(reported, expected);
    }

    #[test]
    fn describe_tapes_reports_each_violation(spoils in some_of(DESCRIBE_TAPES)) {
        let (reported, expected) = reported(|r| r.tape_arns = vec![tape_arn("TEST01"); 3], &spoils);
        prop_assert_eq!(reported, expected);
    }

    #[test]
    fn describe_tape_archives_reports_each_violation(spoils in some_of(DESCRIBE_TAPE_ARCHIVES)) {
        let (reported, expected) = reported(|r| {
            r.account_id = Some("123456789012".into());
            r.tape_arns = vec![tape_arn("TEST01"); 3];
        }, &spoils);
        prop_assert_eq!(reported, expected);
    }

    #[test]
    fn list_tapes_reports_each_violation(spoils in some_of(LIST_TAPES)) {
        let (reported, expected) = reported(|r| r.tape_arns = vec![tape_arn("TEST01"); 3], &spoils);
        prop_assert_eq!(reported, expected);
    }
}

/// One field can have two violations.
#[test]
fn an_invalid_key_without_kms_encrypted_has_two_violations() {
    let create =
        CreateTapesRequest::but(|r| (r.kms_encrypted, r.kms_key) = (Some(false), Some("key".into())));
    assert_eq!(invalid_fields(create), ["kms_key", "kms_key"]);
}

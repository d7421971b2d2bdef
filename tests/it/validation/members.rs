//! Each field alone accepts what the service model accepts.

use std::{collections::BTreeSet, sync::LazyLock};

use proptest::{collection::vec, prelude::*, string::string_regex};
use regex::Regex;
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest, DescribeTapesRequest,
    ListTapesRequest, Tag, create_tape_with_barcode_request as barcode_request,
    create_tapes_request as tapes_request,
};

use super::{Sample, invalid_fields, nearly::nearly};
use crate::{
    harness::{GATEWAY, tape_arn},
    model,
};

/// The documented form of an ARN in one of the served regions.
static GATEWAY_ARN: LazyLock<Regex> =
    LazyLock::new(|| arn(r"gateway/[ -.0-\[\]-~]*[!-.0-\[\]-~][ -.0-\[\]-~]*"));
static TAPE_ARN: LazyLock<Regex> = LazyLock::new(|| arn("tape/[0-9A-Z]{5,16}"));

fn arn(resource: &str) -> Regex {
    let partition = "aws(|-cn|-us-gov|-iso[A-Za-z0-9_-]*|-eusc)";
    Regex::new(&format!(
        "^arn:{partition}:storagegateway:(us-east-1|me):[0-9]{{12}}:{resource}$"
    ))
    .unwrap()
}

/// The documented forms of a custom pool ID.
static POOL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^(pool-[A-Za-z0-9-]+|[A-Z][A-Z0-9_]*)$").unwrap());

const PARTITION: &str = "aws|aws-cn|aws-us-gov|aws-iso[A-Za-z0-9_-]{0,3}|aws-eusc";

/// Whether no known partition but that of the regions here is in an ARN.
fn is_in_partition(arn: &str) -> bool {
    const OTHERS: [&str; 7] = [
        "aws-cn",
        "aws-us-gov",
        "aws-iso",
        "aws-iso-b",
        "aws-iso-e",
        "aws-iso-f",
        "aws-eusc",
    ];
    arn.split(':')
        .nth(1)
        .is_none_or(|partition| !OTHERS.contains(&partition))
}

/// The expected invalid fields if this field is accepted or not.
fn only(field: &str, accepted: bool) -> Vec<String> {
    if accepted { vec![] } else { vec![field.to_owned()] }
}

fn gateway_arns() -> impl Strategy<Value = String> {
    let valid = format!(
        "arn:({PARTITION}):storagegateway:(us-east-1|me):[0-9]{{12}}:gateway/([A-Za-z0-9-]{{1,12}}|[a-z_.]{{1,12}})"
    );
    nearly(
        string_regex(&valid).unwrap(),
        model::member("DescribeTapes", "GatewayARN").edges(),
    )
}

fn tape_arns() -> impl Strategy<Value = String> {
    let valid = format!("arn:({PARTITION}):storagegateway:(us-east-1|me):[0-9]{{12}}:tape/[0-9A-Z]{{5,16}}");
    nearly(
        string_regex(&valid).unwrap(),
        model::member("ListTapes", "TapeARNs").edges(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gateways(text in gateway_arns()) {
        let accepted = |operation| {
            let model = model::member(operation, "GatewayARN").accepts(&text);
            only("gateway_arn", model && GATEWAY_ARN.is_match(&text) && is_in_partition(&text))
        };
        let create = CreateTapesRequest::but(|r| r.gateway_arn = text.clone());
        prop_assert_eq!(invalid_fields(create), accepted("CreateTapes"));
        let create = CreateTapeWithBarcodeRequest::but(|r| r.gateway_arn = text.clone());
        prop_assert_eq!(invalid_fields(create), accepted("CreateTapeWithBarcode"));
        let describe = DescribeTapesRequest::but(|r| r.gateway_arn = text.clone());
        prop_assert_eq!(invalid_fields(describe), accepted("DescribeTapes"));
    }

    #[test]
    fn tapes(text in tape_arns()) {
        // A list of texts has its element's rules in the path of the list.
        let accepted = |operation, ours: &str| {
            let model = model::member(operation, "TapeARNs").accepts(&text);
            only("tape_arns[1]", model && TAPE_ARN.is_match(&text) && is_in_partition(&text) && text.contains(ours))
        };
        let arns = || vec![tape_arn("FIRST01"), text.clone()];
        let us = ":us-east-1:";
        let list = ListTapesRequest::but(|r| r.tape_arns = arns());
        prop_assert_eq!(invalid_fields(list), accepted("ListTapes", us));
        let describe = DescribeTapeArchivesRequest::but(|r| r.tape_arns = arns());
        prop_assert_eq!(invalid_fields(describe), accepted("DescribeTapeArchives", us));
        let describe = DescribeTapesRequest::but(|r| r.tape_arns = arns());
        let owner = GATEWAY.split_once("gateway/").unwrap().0;
        prop_assert_eq!(invalid_fields(describe), accepted("DescribeTapes", owner));
        let elsewhere = ListTapesRequest::but(|r| {
            r.tape_arns = vec![text.clone()];
            r.region = Some("me".into());
        });
        let here = accepted("ListTapes", ":me:").is_empty();
        prop_assert_eq!(invalid_fields(elsewhere), only("tape_arns[0]", here));
    }

    #[test]
    fn barcodes(text in nearly("[A-Z0-9]{5,16}", model::member("CreateTapeWithBarcode", "TapeBarcode").edges())) {
        let create = CreateTapeWithBarcodeRequest::but(|r| r.tape_barcode = text.clone());
        let accepted = model::member("CreateTapeWithBarcode", "TapeBarcode").accepts(&text);
        prop_assert_eq!(invalid_fields(create), only("tape_barcode", accepted));
    }

    #[test]
    fn barcode_prefixes(text in nearly("[A-Z]{1,4}", model::member("CreateTapes", "TapeBarcodePrefix").edges())) {
        let create = CreateTapesRequest::but(|r| r.tape_barcode_prefix = text.clone());
        let accepted = model::member("CreateTapes", "TapeBarcodePrefix").accepts(&text);
        prop_assert_eq!(invalid_fields(create), only("tape_barcode_prefix", accepted));
    }

    #[test]
    fn client_tokens(text in nearly(".{5,100}", model::member("CreateTapes", "ClientToken").edges())) {
        let create = CreateTapesRequest::but(|r| r.client_token = text.clone());
        let accepted = model::member("CreateTapes", "ClientToken").accepts(&text);
        prop_assert_eq!(invalid_fields(create), only("client_token", accepted));
    }

    #[test]
    fn kms_keys(text in nearly(
        "arn:(aws|aws-cn|aws-iso-b):kms:[a-zA-Z0-9-]{1,9}:[0-9]{1,12}:(key|alias)/\\S{1,9}|alias/\\S{1,9}",
        model::member("CreateTapes", "KMSKey").edges(),
    )) {
        let accepted = |operation| only("kms_key", model::member(operation, "KMSKey").accepts(&text));
        let create = CreateTapesRequest::but(|r| (r.kms_encrypted, r.kms_key) = (Some(true), Some(text.clone())));
        prop_assert_eq!(invalid_fields(create), accepted("CreateTapes"));
        let create = CreateTapeWithBarcodeRequest::but(
            |r| (r.kms_encrypted, r.kms_key) = (Some(true), Some(text.clone())),
        );
        prop_assert_eq!(invalid_fields(create), accepted("CreateTapeWithBarcode"));
    }

    #[test]
    fn a_kms_key_needs_kms_encrypted(encrypted: Option<bool>, key in proptest::option::of("alias/[a-z]{1,9}")) {
        let accepted = key.is_none() || encrypted == Some(true);
        let create = CreateTapesRequest::but(|r| (r.kms_encrypted, r.kms_key) = (encrypted, key));
        prop_assert_eq!(invalid_fields(create), only("kms_key", accepted));
    }

    #[test]
    fn custom_pools(text in nearly(
        "pool-[a-zA-Z0-9-]{1,12}|[A-Z][A-Z0-9_]{0,12}|pool-[0-9]{95}|POOL_ID_[A-Z]{0,5}",
        model::member("CreateTapes", "PoolId").edges(),
    )) {
        let accepted = |operation| {
            let documented = POOL.is_match(&text) && !text.starts_with("POOL_ID_");
            only("custom_pool_id", model::member(operation, "PoolId").accepts(&text) && documented)
        };
        let pool = tapes_request::Pool::CustomPoolId(text.clone());
        let create = CreateTapesRequest::but(|r| r.pool = Some(pool));
        prop_assert_eq!(invalid_fields(create), accepted("CreateTapes"));
        let pool = barcode_request::Pool::CustomPoolId(text.clone());
        let create = CreateTapeWithBarcodeRequest::but(|r| r.pool = Some(pool));
        prop_assert_eq!(invalid_fields(create), accepted("CreateTapeWithBarcode"));
    }

    #[test]
    fn pools_by_number(number in prop_oneof![-2..5_i32, any::<i32>()]) {
        let create = CreateTapesRequest::but(|r| r.pool = Some(tapes_request::Pool::PoolId(number)));
        prop_assert_eq!(invalid_fields(create), only("pool_id", number == 1 || number == 2));
    }

    #[test]
    fn sizes(size in prop_oneof![
        (99..15_362_i64, -1..2_i64).prop_map(|(gib, more)| (gib << 30) + more),
        (90..110_i64).prop_map(|gib| gib << 30),
        (15_350..15_370_i64).prop_map(|gib| gib << 30),
        any::<i64>(),
        -200..20_000_i64,
    ]) {
        let accepted = size % (1 << 30) == 0 && (100..=15 << 10).contains(&(size >> 30));
        let create = CreateTapesRequest::but(|r| r.tape_size_in_bytes = size);
        prop_assert_eq!(invalid_fields(create), only("tape_size_in_bytes", accepted));
        let create = CreateTapeWithBarcodeRequest::but(|r| r.tape_size_in_bytes = size);
        prop_assert_eq!(invalid_fields(create), only("tape_size_in_bytes", accepted));
    }

    #[test]
    fn numbers_of_tapes(count in prop_oneof![-2..14_i32, 250..260_i32, any::<i32>()]) {
        let accepted = model::member("CreateTapes", "NumTapesToCreate").accepts_number(count.into());
        let create = CreateTapesRequest::but(|r| r.num_tapes_to_create = count);
        prop_assert_eq!(invalid_fields(create), only("num_tapes_to_create", accepted));
    }

    #[test]
    fn markers(text in nearly(".{0,40}", model::member("ListTapes", "Marker").edges())) {
        // The contract writes the absent marker as an empty one.
        let accepted = |operation| {
            only("marker", text.is_empty() || model::member(operation, "Marker").accepts(&text))
        };
        let list = ListTapesRequest::but(|r| r.marker = text.clone());
        prop_assert_eq!(invalid_fields(list), accepted("ListTapes"));
        let list = DescribeTapesRequest::but(|r| r.marker = text.clone());
        prop_assert_eq!(invalid_fields(list), accepted("DescribeTapes"));
        let list = DescribeTapeArchivesRequest::but(|r| r.marker = text.clone());
        prop_assert_eq!(invalid_fields(list), accepted("DescribeTapeArchives"));
    }

    #[test]
    fn limits(limit in prop_oneof![-2..3_i32, 998..1_003_i32, any::<i32>()], max_items in prop_oneof![-2..3_i64, any::<i64>()]) {
        // 0 is the absent limit; 1,000 is this service's own bound.
        let accepted = |operation| {
            let model = model::member(operation, "Limit").accepts_number(limit.into());
            let limit = only("limit", limit == 0 || (model && limit <= 1_000));
            [limit, only("max_items", max_items >= 0)].concat()
        };
        let list = ListTapesRequest::but(|r| (r.limit, r.max_items) = (limit, max_items));
        prop_assert_eq!(invalid_fields(list), accepted("ListTapes"));
        let list = DescribeTapesRequest::but(|r| (r.limit, r.max_items) = (limit, max_items));
        prop_assert_eq!(invalid_fields(list), accepted("DescribeTapes"));
        let list = DescribeTapeArchivesRequest::but(|r| (r.limit, r.max_items) = (limit, max_items));
        prop_assert_eq!(invalid_fields(list), accepted("DescribeTapeArchives"));
    }

    #[test]
    fn tag_keys(text in nearly(
        "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]{1,12}|aws:[a-z]{0,3}|AWS:[a-z]{0,3}",
        model::member("CreateTapes", "Tags.Key").edges(),
    )) {
        let accepted = |operation| {
            let model = model::member(operation, "Tags.Key").accepts(&text);
            only("tags[0].key", model && !text.starts_with("aws:"))
        };
        let tags = vec![Tag { key: text.clone(), value: String::new() }];
        let create = CreateTapesRequest::but(|r| r.tags = tags.clone());
        prop_assert_eq!(invalid_fields(create), accepted("CreateTapes"));
        let create = CreateTapeWithBarcodeRequest::but(|r| r.tags = tags);
        prop_assert_eq!(invalid_fields(create), accepted("CreateTapeWithBarcode"));
    }

    #[test]
    fn tag_values(text in nearly(".{0,40}", model::member("CreateTapes", "Tags.Value").edges())) {
        let accepted = |operation| {
            only("tags[0].value", model::member(operation, "Tags.Value").accepts(&text))
        };
        let tags = vec![Tag { key: "key".into(), value: text.clone() }];
        let create = CreateTapesRequest::but(|r| r.tags = tags.clone());
        prop_assert_eq!(invalid_fields(create), accepted("CreateTapes"));
        let create = CreateTapeWithBarcodeRequest::but(|r| r.tags = tags);
        prop_assert_eq!(invalid_fields(create), accepted("CreateTapeWithBarcode"));
    }

    #[test]
    fn tag_keys_are_unique(keys in vec("[ab]{1,2}", 0..6)) {
        let mut seen = BTreeSet::new();
        let again = keys.iter().enumerate().filter(|(_, key)| !seen.insert(*key));
        let expected: Vec<_> = again.map(|(index, _)| format!("tags[{index}].key")).collect();
        let tags = keys.iter().map(|key| Tag { key: key.clone(), value: String::new() }).collect();
        prop_assert_eq!(invalid_fields(CreateTapesRequest::but(|r| r.tags = tags)), expected);
    }
}

#[test]
fn the_numbers_of_tags_and_tapes_are_limited() {
    for count in [0, 1, 49, 50, 51, 1_000] {
        let tag = |index| Tag {
            key: format!("key {index}"),
            value: String::new(),
        };
        let tags: Vec<_> = (0..count).map(tag).collect();
        let expected = only("tags", count <= 50);
        assert_eq!(
            invalid_fields(CreateTapesRequest::but(|r| r.tags = tags.clone())),
            expected
        );
        assert_eq!(
            invalid_fields(CreateTapeWithBarcodeRequest::but(|r| r.tags = tags)),
            expected
        );
    }
    for count in [0, 1, 999, 1_000, 1_001, 10_000] {
        let arns = vec![tape_arn("TEST01"); count];
        let expected = only("tape_arns", count <= 1_000);
        assert_eq!(
            invalid_fields(ListTapesRequest::but(|r| r.tape_arns = arns.clone())),
            expected
        );
        assert_eq!(
            invalid_fields(DescribeTapesRequest::but(|r| r.tape_arns = arns.clone())),
            expected
        );
        assert_eq!(
            invalid_fields(DescribeTapeArchivesRequest::but(|r| r.tape_arns = arns)),
            expected
        );
    }
}

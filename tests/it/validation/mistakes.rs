//! Mistakes that were seen in public scripts are told what was probably meant.

use tapegate::grpc::{
    convert::Parse,
    proto::{
        CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapesRequest, ListTapesRequest, Tag,
        create_tapes_request::Pool,
    },
};

use super::{Sample, faults, rules};
use crate::harness::{GATEWAY, tape_arn};

#[track_caller]
fn told(request: impl Parse, field: &str, hints: &[&str]) {
    let faults = faults(&rules(), request);
    let [(at, description)] = &faults[..] else {
        panic!("not one fault: {faults:?}")
    };
    assert_eq!(at, field);
    for hint in hints {
        assert!(description.contains(hint), "no {hint:?} in: {description}");
    }
}

fn pool(id: &str) -> CreateTapesRequest {
    CreateTapesRequest::but(|r| r.pool = Some(Pool::CustomPoolId(id.into())))
}

#[test]
fn pools() {
    let name_for_id = ["looks like the name of a pool", "pool-12345678", "ListTapePools"];
    told(pool("Backup Pool 1"), "custom_pool_id", &name_for_id);
    told(pool("my-pool"), "custom_pool_id", &name_for_id);
    told(
        pool("glacier"),
        "custom_pool_id",
        &["did you mean pool_id: POOL_ID_GLACIER?"],
    );
    told(
        pool("Deep Archive"),
        "custom_pool_id",
        &["did you mean pool_id: POOL_ID_DEEP_ARCHIVE?"],
    );
    told(pool(""), "custom_pool_id", &["must not be empty"]);
    let listed = |number| CreateTapesRequest::but(|r| r.pool = Some(Pool::PoolId(number)));
    told(listed(0), "pool_id", &["leave the pool unset"]);
    told(listed(3), "pool_id", &["custom_pool_id"]);
}

/// The text of an enum's name is a form that a storage class could have, but means the enum.
#[test]
fn the_name_of_the_enum_in_place_of_the_word() {
    told(
        pool("POOL_ID_GLACIER"),
        "custom_pool_id",
        &["did you mean pool_id: POOL_ID_GLACIER?"],
    );
    told(
        pool("POOL_ID_DEEP_ARCHIVE"),
        "custom_pool_id",
        &["POOL_ID_DEEP_ARCHIVE?"],
    );
    told(
        pool("POOL_ID_UNSPECIFIED"),
        "custom_pool_id",
        &["leave the pool unset"],
    );
}

#[test]
fn how_many_tapes() {
    let count = |count| CreateTapesRequest::but(|r| r.num_tapes_to_create = count);
    told(
        count(25),
        "num_tapes_to_create",
        &["25 tapes", "several calls", "its own client_token"],
    );
    told(count(0), "num_tapes_to_create", &["1–10"]);
}

#[test]
fn barcodes() {
    let prefix = |prefix: &str| CreateTapesRequest::but(|r| r.tape_barcode_prefix = prefix.into());
    told(
        prefix("BACKUP"),
        "tape_barcode_prefix",
        &["1–4 characters", "CreateTapeWithBarcode"],
    );
    told(prefix("test"), "tape_barcode_prefix", &["did you mean \"TEST\"?"]);
    let barcode = |barcode: &str| CreateTapeWithBarcodeRequest::but(|r| r.tape_barcode = barcode.into());
    told(barcode("test01"), "tape_barcode", &["did you mean \"TEST01\"?"]);
    told(barcode("VTL"), "tape_barcode", &["5–16 characters"]);
}

#[test]
fn arns_of_other_things() {
    let list = |arn: &str| ListTapesRequest::but(|r| r.tape_arns = vec![arn.into()]);
    told(
        list(GATEWAY),
        "tape_arns[0]",
        &["the ARN of a gateway", "DescribeTapes", "gateway_arn"],
    );
    told(list("TEST01"), "tape_arns[0]", &["a barcode", "tape/BARCODE"]);
    let gateway = |arn: &str| DescribeTapesRequest::but(|r| r.gateway_arn = arn.into());
    told(
        gateway("sgw-12A3456B"),
        "gateway_arn",
        &["the ID of a gateway", "gateway/ID"],
    );
    told(
        gateway(&tape_arn("TEST01")),
        "gateway_arn",
        &["the ARN of a tape"],
    );
    told(gateway(""), "gateway_arn", &["required"]);
}

#[test]
fn sizes_in_another_unit() {
    let size = |size| CreateTapesRequest::but(|r| r.tape_size_in_bytes = size);
    told(
        size(100),
        "tape_size_in_bytes",
        &["did you mean 100 GiB (107374182400 bytes)?"],
    );
    told(
        size(100_000_000_000),
        "tape_size_in_bytes",
        &["the nearest valid size is 107374182400"],
    );
    told(
        size(107_374_182_401),
        "tape_size_in_bytes",
        &["the next smaller size is 107374182400"],
    );
    told(
        size(20 << 40),
        "tape_size_in_bytes",
        &["the nearest valid size is 16492674416640"],
    );
}

#[test]
fn tokens_keys_and_tags() {
    told(
        CreateTapesRequest::but(|r| r.client_token.clear()),
        "client_token",
        &["required", "UUID", "before the first attempt"],
    );
    let key = |encrypted, key: &str| {
        CreateTapesRequest::but(|r| (r.kms_encrypted, r.kms_key) = (encrypted, Some(key.into())))
    };
    told(key(None, "alias/key"), "kms_key", &["kms_encrypted: true"]);
    told(key(Some(false), "alias/key"), "kms_key", &["contradicts"]);
    let bare = "1234abcd-12ab-34cd-56ef-1234567890ab";
    told(
        key(Some(true), bare),
        "kms_key",
        &["a bare key ID is not accepted"],
    );
    let tags = vec![
        Tag {
            key: "a".into(),
            value: String::new(),
        };
        2
    ];
    told(
        CreateTapesRequest::but(|r| r.tags = tags),
        "tags[1].key",
        &["tags[0]", "unique"],
    );
}

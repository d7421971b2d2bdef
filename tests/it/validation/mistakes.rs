//! Violations for mistakes seen in public scripts suggest what was probably meant.

use tapegate::grpc::{
    convert::{Parse, Rules},
    proto::{
        CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapesRequest, ListTapesRequest, Tag,
        create_tapes_request::Pool,
    },
};

use super::{Sample, rules, violations};
use crate::harness::{GATEWAY, tape_arn};

#[track_caller]
fn assert_hints(request: impl Parse, field: &str, hints: &[&str]) {
    let violations = violations(&rules(), request);
    let [(at, description)] = &violations[..] else {
        panic!("not one violation: {violations:?}")
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
fn pool_names() {
    let name_for_id = ["looks like the name of a pool", "pool-12345678", "ListTapePools"];
    assert_hints(pool("Backup Pool 1"), "custom_pool_id", &name_for_id);
    assert_hints(pool("my-pool"), "custom_pool_id", &name_for_id);
    assert_hints(
        pool("glacier"),
        "custom_pool_id",
        &["did you mean pool_id: POOL_ID_GLACIER?"],
    );
    assert_hints(
        pool("Deep Archive"),
        "custom_pool_id",
        &["did you mean pool_id: POOL_ID_DEEP_ARCHIVE?"],
    );
    assert_hints(pool(""), "custom_pool_id", &["must not be empty"]);
    let listed = |number| CreateTapesRequest::but(|r| r.pool = Some(Pool::PoolId(number)));
    assert_hints(listed(0), "pool_id", &["leave the pool unset"]);
    assert_hints(listed(3), "pool_id", &["custom_pool_id"]);
}

/// Where the operator requires a pool, the advice is not to leave it unset.
#[test]
fn an_unspecified_pool_where_one_is_required() {
    let rules = Rules {
        require_pool: true,
        ..rules()
    };
    let listed = CreateTapesRequest::but(|r| r.pool = Some(Pool::PoolId(0)));
    for (request, field) in [
        (listed, "pool_id"),
        (pool("POOL_ID_UNSPECIFIED"), "custom_pool_id"),
    ] {
        let violations = violations(&rules, request);
        let [(at, why)] = &violations[..] else {
            panic!("not one violation: {violations:?}")
        };
        assert_eq!(at, field);
        assert!(why.contains("POOL_ID_GLACIER, POOL_ID_DEEP_ARCHIVE"), "{why}");
        assert!(why.contains("require_pool") && !why.contains("unset"), "{why}");
    }
}

/// The name of an enum value has the form of a storage class, but AWS does not know it.
#[test]
fn names_of_the_pool_enum_as_a_custom_pool() {
    assert_hints(
        pool("POOL_ID_GLACIER"),
        "custom_pool_id",
        &["did you mean pool_id: POOL_ID_GLACIER?"],
    );
    assert_hints(
        pool("POOL_ID_DEEP_ARCHIVE"),
        "custom_pool_id",
        &["POOL_ID_DEEP_ARCHIVE?"],
    );
    assert_hints(
        pool("POOL_ID_UNSPECIFIED"),
        "custom_pool_id",
        &["leave the pool unset"],
    );
}

#[test]
fn numbers_of_tapes() {
    let count = |count| CreateTapesRequest::but(|r| r.num_tapes_to_create = count);
    assert_hints(
        count(25),
        "num_tapes_to_create",
        &["25 tapes", "several calls", "its own client_token"],
    );
    assert_hints(count(0), "num_tapes_to_create", &["1–10"]);
}

#[test]
fn barcodes() {
    let prefix = |prefix: &str| CreateTapesRequest::but(|r| r.tape_barcode_prefix = prefix.into());
    assert_hints(
        prefix("BACKUP"),
        "tape_barcode_prefix",
        &["1–4 characters", "CreateTapeWithBarcode"],
    );
    assert_hints(prefix("test"), "tape_barcode_prefix", &["did you mean \"TEST\"?"]);
    let barcode = |barcode: &str| CreateTapeWithBarcodeRequest::but(|r| r.tape_barcode = barcode.into());
    assert_hints(barcode("test01"), "tape_barcode", &["did you mean \"TEST01\"?"]);
    assert_hints(barcode("VTL"), "tape_barcode", &["5–16 characters"]);
}

#[test]
fn arns_of_other_things() {
    let list = |arn: &str| ListTapesRequest::but(|r| r.tape_arns = vec![arn.into()]);
    assert_hints(
        list(GATEWAY),
        "tape_arns[0]",
        &["the ARN of a gateway", "DescribeTapes", "gateway_arn"],
    );
    assert_hints(list("TEST01"), "tape_arns[0]", &["a barcode", "tape/BARCODE"]);
    let gateway = |arn: &str| DescribeTapesRequest::but(|r| r.gateway_arn = arn.into());
    assert_hints(
        gateway("sgw-12A3456B"),
        "gateway_arn",
        &["the ID of a gateway", "gateway/ID"],
    );
    assert_hints(
        gateway(&tape_arn("TEST01")),
        "gateway_arn",
        &["the ARN of a tape"],
    );
    assert_hints(gateway(""), "gateway_arn", &["required"]);
}

#[test]
fn sizes_in_another_unit() {
    let size = |size| CreateTapesRequest::but(|r| r.tape_size_in_bytes = size);
    assert_hints(
        size(100),
        "tape_size_in_bytes",
        &["did you mean 100 GiB (107374182400 bytes)?"],
    );
    assert_hints(
        size(100_000_000_000),
        "tape_size_in_bytes",
        &["the nearest valid size is 107374182400"],
    );
    assert_hints(
        size(107_374_182_401),
        "tape_size_in_bytes",
        &["the next smaller size is 107374182400"],
    );
    assert_hints(
        size(20 << 40),
        "tape_size_in_bytes",
        &["the nearest valid size is 16492674416640"],
    );
}

#[test]
fn tokens_keys_and_tags() {
    assert_hints(
        CreateTapesRequest::but(|r| r.client_token.clear()),
        "client_token",
        &["required", "UUID", "before the first attempt"],
    );
    let key = |encrypted, key: &str| {
        CreateTapesRequest::but(|r| (r.kms_encrypted, r.kms_key) = (encrypted, Some(key.into())))
    };
    assert_hints(key(None, "alias/key"), "kms_key", &["kms_encrypted: true"]);
    assert_hints(key(Some(false), "alias/key"), "kms_key", &["contradicts"]);
    let bare = "1234abcd-12ab-34cd-56ef-1234567890ab";
    assert_hints(
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
    assert_hints(
        CreateTapesRequest::but(|r| r.tags = tags),
        "tags[1].key",
        &["tags[0]", "unique"],
    );
}

//! The required fields are those of the service model.

use std::collections::BTreeSet;

use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest, DescribeTapesRequest,
    ListTapesRequest, Tag, create_tape_with_barcode_request as barcode_request,
    create_tapes_request as tapes_request,
};

use super::{Sample, invalid_fields};
use crate::{harness::tape_arn, model};

/// A member's name in the model, and the request without it: the invalid fields
/// then.
type Without = (&'static str, Vec<String>);

#[test]
fn the_required_fields_are_those_of_the_model() {
    fn full_tapes(clear: fn(&mut CreateTapesRequest)) -> Vec<String> {
        invalid_fields(CreateTapesRequest::but(|r| {
            r.kms_encrypted = Some(true);
            r.kms_key = Some("alias/key".into());
            r.pool = Some(tapes_request::Pool::PoolId(1));
            r.worm = Some(true);
            r.tags = vec![Tag {
                key: "a".into(),
                value: "b".into(),
            }];
            clear(r);
        }))
    }
    fn full_tape(clear: fn(&mut CreateTapeWithBarcodeRequest)) -> Vec<String> {
        invalid_fields(CreateTapeWithBarcodeRequest::but(|r| {
            r.kms_encrypted = Some(true);
            r.kms_key = Some("alias/key".into());
            r.pool = Some(barcode_request::Pool::PoolId(1));
            r.worm = Some(true);
            r.tags = vec![Tag {
                key: "a".into(),
                value: "b".into(),
            }];
            clear(r);
        }))
    }
    fn full_describe(clear: fn(&mut DescribeTapesRequest)) -> Vec<String> {
        invalid_fields(DescribeTapesRequest::but(|r| {
            (r.tape_arns, r.marker, r.limit) = (vec![tape_arn("TEST01")], "m".into(), 7);
            clear(r);
        }))
    }
    fn full_archives(clear: fn(&mut DescribeTapeArchivesRequest)) -> Vec<String> {
        invalid_fields(DescribeTapeArchivesRequest::but(|r| {
            (r.tape_arns, r.marker, r.limit) = (vec![tape_arn("TEST01")], "m".into(), 7);
            clear(r);
        }))
    }
    fn full_list(clear: fn(&mut ListTapesRequest)) -> Vec<String> {
        invalid_fields(ListTapesRequest::but(|r| {
            (r.tape_arns, r.marker, r.limit) = (vec![tape_arn("TEST01")], "m".into(), 7);
            clear(r);
        }))
    }
    let operations: [(&str, Vec<Without>); 5] = [
        (
            "CreateTapeWithBarcode",
            vec![
                ("GatewayARN", full_tape(|r| r.gateway_arn.clear())),
                ("TapeSizeInBytes", full_tape(|r| r.tape_size_in_bytes = 0)),
                ("TapeBarcode", full_tape(|r| r.tape_barcode.clear())),
                // The key requires it, so both are left out.
                (
                    "KMSEncrypted",
                    full_tape(|r| (r.kms_encrypted, r.kms_key) = (None, None)),
                ),
                ("KMSKey", full_tape(|r| r.kms_key = None)),
                ("PoolId", full_tape(|r| r.pool = None)),
                ("Worm", full_tape(|r| r.worm = None)),
                ("Tags", full_tape(|r| r.tags.clear())),
            ],
        ),
        (
            "CreateTapes",
            vec![
                ("GatewayARN", full_tapes(|r| r.gateway_arn.clear())),
                ("TapeSizeInBytes", full_tapes(|r| r.tape_size_in_bytes = 0)),
                ("ClientToken", full_tapes(|r| r.client_token.clear())),
                ("NumTapesToCreate", full_tapes(|r| r.num_tapes_to_create = 0)),
                ("TapeBarcodePrefix", full_tapes(|r| r.tape_barcode_prefix.clear())),
                (
                    "KMSEncrypted",
                    full_tapes(|r| (r.kms_encrypted, r.kms_key) = (None, None)),
                ),
                ("KMSKey", full_tapes(|r| r.kms_key = None)),
                ("PoolId", full_tapes(|r| r.pool = None)),
                ("Worm", full_tapes(|r| r.worm = None)),
                ("Tags", full_tapes(|r| r.tags.clear())),
            ],
        ),
        (
            "DescribeTapes",
            vec![
                ("GatewayARN", full_describe(|r| r.gateway_arn.clear())),
                ("TapeARNs", full_describe(|r| r.tape_arns.clear())),
                ("Marker", full_describe(|r| r.marker.clear())),
                ("Limit", full_describe(|r| r.limit = 0)),
            ],
        ),
        (
            "DescribeTapeArchives",
            vec![
                ("TapeARNs", full_archives(|r| r.tape_arns.clear())),
                ("Marker", full_archives(|r| r.marker.clear())),
                ("Limit", full_archives(|r| r.limit = 0)),
            ],
        ),
        (
            "ListTapes",
            vec![
                ("TapeARNs", full_list(|r| r.tape_arns.clear())),
                ("Marker", full_list(|r| r.marker.clear())),
                ("Limit", full_list(|r| r.limit = 0)),
            ],
        ),
    ];
    let names: BTreeSet<_> = operations.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, model::operations());
    for (operation, members) in operations {
        let invalid_fields = members
            .iter()
            .map(|(member, invalid_fields)| (*member, invalid_fields.len() == 1))
            .collect();
        assert_eq!(model::members(operation), invalid_fields, "{operation}");
    }
}

//! Validation accepts exactly what the service model accepts, within the limits that the project
//! documents. The model is read from the fixture; the documented limits are written out here,
//! independent of the tested code.

mod every_violation;
mod members;
mod mistakes;
mod nearly;
mod required;
mod served;

use tapegate::{
    domain::TapeSizeBounds,
    grpc::{
        convert::{Parse, Rules},
        proto::{
            CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest,
            DescribeTapesRequest, ListTapesRequest,
        },
        violations::Violations,
    },
};

use crate::harness::{GATEWAY, SIZE};

/// The default rules, and a second region whose name is so short that ARNs can have the minimum length
/// of the model.
fn rules() -> Rules {
    Rules {
        region: "us-east-1".parse().unwrap(),
        regions: ["us-east-1", "me"].map(|region| region.parse().unwrap()).into(),
        account_id: None,
        accounts: [].into(),
        tape_sizes: TapeSizeBounds::default(),
        require_pool: false,
    }
}

/// The invalid fields of a request; none if it is accepted.
fn invalid_fields(request: impl Parse) -> Vec<String> {
    invalid_fields_under(&rules(), request)
}

fn invalid_fields_under(rules: &Rules, request: impl Parse) -> Vec<String> {
    violations(rules, request)
        .into_iter()
        .map(|(field, _)| field)
        .collect()
}

/// Field and description of each violation.
fn violations(rules: &Rules, request: impl Parse) -> Vec<(String, String)> {
    let violations = request.parse(rules).err();
    let violations = violations.as_ref().map(Violations::as_slice).unwrap_or_default();
    violations
        .iter()
        .map(|violation| (violation.field.clone(), violation.description.clone()))
        .collect()
}

/// A valid request that is then changed.
trait Sample: Parse {
    fn good() -> Self;

    fn but(change: impl FnOnce(&mut Self)) -> Self {
        let mut request = Self::good();
        change(&mut request);
        request
    }
}

impl Sample for CreateTapeWithBarcodeRequest {
    fn good() -> Self {
        Self {
            gateway_arn: GATEWAY.into(),
            tape_size_in_bytes: SIZE,
            tape_barcode: "TEST01".into(),
            ..Default::default()
        }
    }
}

impl Sample for CreateTapesRequest {
    fn good() -> Self {
        Self {
            gateway_arn: GATEWAY.into(),
            tape_size_in_bytes: SIZE,
            client_token: "token".into(),
            num_tapes_to_create: 1,
            tape_barcode_prefix: "TEST".into(),
            ..Default::default()
        }
    }
}

impl Sample for DescribeTapesRequest {
    fn good() -> Self {
        Self {
            gateway_arn: GATEWAY.into(),
            ..Default::default()
        }
    }
}

impl Sample for DescribeTapeArchivesRequest {
    fn good() -> Self {
        Self::default()
    }
}

impl Sample for ListTapesRequest {
    fn good() -> Self {
        Self::default()
    }
}

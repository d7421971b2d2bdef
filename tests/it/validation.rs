//! Validation accepts exactly what the service model accepts, beyond the bounds that the
//! project documents. The model is read from the fixture; the documented bounds are
//! spelt out here, apart from the code that is tested.

mod every_fault;
mod members;
mod mistakes;
mod nearly;
mod required;
mod served;

use tapegate::{
    domain::TapeSizeBounds,
    grpc::{
        convert::{Parse, Rules, Violations},
        proto::{
            CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest,
            DescribeTapesRequest, ListTapesRequest,
        },
    },
};

use crate::harness::{GATEWAY, SIZE};

/// Rules as a service has them by default, but for a second region with a name so short
/// that ARNs come down to the model's least length.
fn rules() -> Rules {
    Rules {
        region: "us-east-1".parse().unwrap(),
        regions: ["us-east-1", "me"].map(|region| region.parse().unwrap()).into(),
        account_id: None,
        accounts: [].into(),
        tape_sizes: TapeSizeBounds::default(),
    }
}

/// The fields that a request is refused for; none when it is accepted.
fn refused(request: impl Parse) -> Vec<String> {
    refused_under(&rules(), request)
}

fn refused_under(rules: &Rules, request: impl Parse) -> Vec<String> {
    faults(rules, request)
        .into_iter()
        .map(|(field, _)| field)
        .collect()
}

/// Field and description of all that is wrong with a request.
fn faults(rules: &Rules, request: impl Parse) -> Vec<(String, String)> {
    let faults = request.parse(rules).err();
    let faults = faults.as_ref().map(Violations::as_slice).unwrap_or_default();
    faults
        .iter()
        .map(|fault| (fault.field.clone(), fault.description.clone()))
        .collect()
}

/// A request that is in order, and then changed.
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

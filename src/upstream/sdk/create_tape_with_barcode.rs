use aws_sdk_storagegateway::{Client, operation::RequestId};

use super::{SdkOperation, created_tapes, failure::failure, members, report_sending::ReportSending};
use crate::{
    call::{Answer, Transmission},
    domain::{Attempts, CreateTapeWithBarcode, CreatedTape, Failure, KmsKey, NewTape, Pool},
};

impl SdkOperation for CreateTapeWithBarcode {
    async fn send(self, client: &Client, transmission: Transmission) -> Result<Answer<CreatedTape>, Failure> {
        let Self {
            barcode,
            tape:
                NewTape {
                    gateway,
                    size,
                    encryption,
                    pool,
                    worm,
                    tags,
                },
        } = &self;
        let sdk_tags = members::tags(tags).map_err(|fault| fault.after(Attempts::default()))?;
        let output = client
            .create_tape_with_barcode()
            .gateway_arn(gateway.as_str())
            .tape_size_in_bytes(size.bytes())
            .tape_barcode(barcode.as_str())
            .set_kms_encrypted(encryption.kms_encrypted())
            .set_kms_key(encryption.kms_key().map(KmsKey::as_str).map(str::to_owned))
            .set_pool_id(pool.as_ref().map(Pool::as_str).map(str::to_owned))
            .set_worm(*worm)
            .set_tags(sdk_tags)
            .customize()
            .interceptor(ReportSending(transmission))
            .send()
            .await
            .map_err(|error| failure(&error))?;
        let attempts = Attempts::one(output.request_id());
        let checked = created_tapes::check(self.requested(), output.tape_arn.as_slice());
        let created = checked.map(|()| CreatedTape {
            tape_arn: output.tape_arn.unwrap_or_default(),
            // The response does not say that AWS drops them.
            unconfirmed_tags: tags.clone(),
        });
        members::answer(created, attempts)
    }
}

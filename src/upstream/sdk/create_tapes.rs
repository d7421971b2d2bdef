use aws_sdk_storagegateway::{Client, operation::RequestId};

use super::{SdkOperation, created_tapes, failure::failure, members, report_sending::ReportSending};
use crate::{
    call::{Answer, Transmission},
    domain::{Attempts, CreateTapes, CreatedTapes, Failure, KmsKey, NewTape, Pool},
};

impl SdkOperation for CreateTapes {
    async fn send(
        self,
        client: &Client,
        transmission: Transmission,
    ) -> Result<Answer<CreatedTapes>, Failure> {
        let Self {
            client_token,
            count,
            prefix,
            tape,
        } = &self;
        let NewTape {
            gateway,
            size,
            encryption,
            pool,
            worm,
            tags,
        } = tape;
        let tags = members::tags(tags).map_err(|fault| fault.after(Attempts::default()))?;
        let output = client
            .create_tapes()
            .gateway_arn(gateway.as_str())
            .tape_size_in_bytes(size.bytes())
            .client_token(client_token.as_str())
            .num_tapes_to_create((*count).into())
            .tape_barcode_prefix(prefix.as_str())
            .set_kms_encrypted(encryption.kms_encrypted())
            .set_kms_key(encryption.kms_key().map(KmsKey::as_str).map(str::to_owned))
            .set_pool_id(pool.as_ref().map(Pool::as_str).map(str::to_owned))
            .set_worm(*worm)
            .set_tags(tags)
            .customize()
            .interceptor(ReportSending(transmission))
            .send()
            .await
            .map_err(|error| failure(&error))?;
        let attempts = Attempts::one(output.request_id());
        let tape_arns = output.tape_arns.unwrap_or_default();
        let checked = created_tapes::check(self.requested(), &tape_arns);
        members::answer(checked.map(|()| CreatedTapes { tape_arns }), attempts)
    }
}

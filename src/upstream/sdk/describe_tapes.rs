use aws_sdk_storagegateway::{Client, operation::RequestId, types};

use super::{SdkOperation, failure::failure, members, report_sending::ReportSending};
use crate::{
    call::{Answer, Transmission},
    domain::{Attempts, DescribeTapes, Failure, Fault, KmsKey, Page, Pool, Tape, TapeStatus},
};

impl SdkOperation for DescribeTapes {
    async fn send(self, client: &Client, transmission: Transmission) -> Result<Answer<Page<Tape>>, Failure> {
        let Self { gateway, tapes, page } = self;
        let (marker, limit) = members::page_request(page);
        let output = client
            .describe_tapes()
            .gateway_arn(gateway.as_str())
            .set_tape_arns(members::tape_arns(&tapes))
            .set_marker(marker)
            .set_limit(limit)
            .customize()
            .interceptor(ReportSending(transmission))
            .send()
            .await
            .map_err(|error| failure(&error))?;
        let attempts = Attempts::one(output.request_id());
        members::answer(members::page(output.tapes, output.marker, tape), attempts)
    }
}

fn tape(tape: types::Tape) -> Result<Tape, Fault> {
    Ok(Tape {
        tape_arn: members::tape_arn(tape.tape_arn)?,
        tape_barcode: tape.tape_barcode,
        tape_created_date: members::time("TapeCreatedDate", tape.tape_created_date)?,
        tape_size_in_bytes: tape.tape_size_in_bytes,
        tape_status: tape.tape_status.map(TapeStatus::reported),
        vtl_device: tape.vtl_device,
        progress: tape.progress,
        tape_used_in_bytes: tape.tape_used_in_bytes,
        kms_key: tape.kms_key.map(KmsKey::reported),
        pool_id: tape.pool_id.map(Pool::reported),
        worm: tape.worm,
        retention_start_date: members::time("RetentionStartDate", tape.retention_start_date)?,
        pool_entry_date: members::time("PoolEntryDate", tape.pool_entry_date)?,
    })
}

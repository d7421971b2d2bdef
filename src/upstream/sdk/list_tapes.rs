use aws_sdk_storagegateway::{Client, operation::RequestId, types};

use super::{SdkOperation, failure::failure, members, report_sending::ReportSending};
use crate::{
    call::{Answer, Transmission},
    domain::{Attempts, Failure, Fault, ListTapes, Page, Pool, TapeInfo, TapeStatus},
};

impl SdkOperation for ListTapes {
    async fn send(
        self,
        client: &Client,
        transmission: Transmission,
    ) -> Result<Answer<Page<TapeInfo>>, Failure> {
        let Self {
            scope: _,
            tapes,
            page,
        } = self;
        let (marker, limit) = members::page_request(page);
        let output = client
            .list_tapes()
            .set_tape_arns(members::tape_arns(&tapes))
            .set_marker(marker)
            .set_limit(limit)
            .customize()
            .interceptor(ReportSending(transmission))
            .send()
            .await
            .map_err(|error| failure(&error))?;
        let attempts = Attempts::one(output.request_id());
        members::answer(members::page(output.tape_infos, output.marker, tape), attempts)
    }
}

fn tape(tape: types::TapeInfo) -> Result<TapeInfo, Fault> {
    Ok(TapeInfo {
        tape_arn: members::tape_arn(tape.tape_arn)?,
        tape_barcode: tape.tape_barcode,
        tape_size_in_bytes: tape.tape_size_in_bytes,
        tape_status: tape.tape_status.map(TapeStatus::reported),
        gateway_arn: tape.gateway_arn,
        pool_id: tape.pool_id.map(Pool::reported),
        retention_start_date: members::time("RetentionStartDate", tape.retention_start_date)?,
        pool_entry_date: members::time("PoolEntryDate", tape.pool_entry_date)?,
    })
}

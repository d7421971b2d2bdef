use aws_sdk_storagegateway::{Client, operation::RequestId};

use super::{SdkOperation, failure::failure, members, report_sending::ReportSending};
use crate::{
    call::{Answer, Transmission},
    domain::{AddTagsToResource, Attempts, Failure},
};

impl SdkOperation for AddTagsToResource {
    async fn send(self, client: &Client, transmission: Transmission) -> Result<Answer<()>, Failure> {
        let Self { tape, tags } = self;
        let tags = members::tags(&tags).map_err(|fault| fault.after(Attempts::default()))?;
        let output = client
            .add_tags_to_resource()
            .resource_arn(tape.as_str())
            .set_tags(tags)
            .customize()
            .interceptor(ReportSending(transmission))
            .send()
            .await
            .map_err(|error| failure(&error))?;
        Ok(Answer {
            output: (),
            attempts: Attempts::one(output.request_id()),
        })
    }
}

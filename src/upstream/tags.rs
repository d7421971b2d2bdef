//! The tags of CreateTapeWithBarcode.
//!
//! AWS accepts them and drops them (boto/boto3#3089). [`create_with_barcode`] therefore adds them to
//! the new tape by AddTagsToResource, if the operator allows it. The response names those that the tape
//! may lack.

use std::sync::Arc;

use tower::ServiceExt;

use super::{
    Upstream,
    idempotency::{self, ReconcileSettings},
};
use crate::{
    access::AuthorizedCall,
    call::{Answer, Call},
    domain::{AddTagsToResource, CreateTapeWithBarcode, CreatedTape, Failure},
};

/// Creates a tape with a barcode, as [`idempotency::create_with_barcode`] does, and adds its tags if
/// `create.add_tags` is set.
///
/// The tags are added before the call's deadline, as part of the create and authorized with it. That
/// they cannot be added is no failure of the create: it is logged and counted, and the tape has
/// `unconfirmed_tags`.
///
/// # Errors
///
/// Those of [`idempotency::create_with_barcode`].
pub async fn create_with_barcode(
    upstream: &Upstream,
    settings: ReconcileSettings,
    call: AuthorizedCall<CreateTapeWithBarcode>,
) -> Result<Answer<Arc<CreatedTape>>, Failure> {
    let mut created = idempotency::create_with_barcode(upstream, settings, call.clone()).await?;
    let tags = created.output.unconfirmed_tags.clone();
    if !upstream.add_tags || tags.is_empty() {
        return Ok(created);
    }
    let tape = call.operation.tape.gateway.tape(&call.operation.barcode);
    let add = AddTagsToResource { tape, tags };
    let add = Call::new(&call.context, call.caller.clone(), add, call.deadline.moment()).fresh(true);
    let add = call.grant().extend_to(add);
    match upstream.add_tags_to_resource.clone().oneshot(add).await {
        Ok(Answer { attempts, .. }) => {
            created.attempts.add(&attempts);
            let tape_arn = created.output.tape_arn.clone();
            created.output = Arc::new(CreatedTape {
                tape_arn,
                unconfirmed_tags: Arc::default(),
            });
        }
        Err(Failure { fault, attempts, .. }) => {
            created.attempts.add(&attempts);
            upstream.metrics.tags_not_added.add();
            tracing::warn!(
                tape_arn = created.output.tape_arn,
                %fault,
                aws_request_id = attempts.request_id.as_deref(),
                "the tags of a new tape could not be added"
            );
        }
    }
    Ok(created)
}

//! The tonic service: each method checks its request, calls the upstream and converts.

use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use tonic::{Request, Response, Status, async_trait, codegen::BoxStream};
use tower::ServiceExt;

use crate::{
    convert::{Inward, Outward, Rules},
    domain::{Answer, Call, Failure, Listing, Operation, Page},
    inbound::{Deadline, Report},
    paging::{Plan, Walk},
    proto::{self, tape_service_server::TapeService},
    status,
    upstream::{Stack, Upstream},
};

/// The five operations, over the upstream stacks.
#[derive(Clone)]
pub struct Tapes {
    rules: Rules,
    upstream: Upstream,
}

impl Tapes {
    /// The service that holds requests against `rules`.
    pub fn new(rules: Rules, upstream: Upstream) -> Self {
        Self { rules, upstream }
    }

    /// A call with one answer.
    async fn unary<M, O>(
        &self,
        request: Request<M>,
        stack: &Stack<O>,
    ) -> Result<Response<<O::Output as Outward>::Message>, Status>
    where
        M: Inward<Operation = O>,
        O: Operation<Output: Outward>,
    {
        let (deadline, report) = context(&request);
        let operation = request
            .into_inner()
            .inward(&self.rules)
            .map_err(|faults| status::invalid(&faults))?;
        let call = Call {
            operation: operation.clone(),
            deadline,
        };
        report.begin();
        let answer = stack.clone().oneshot(call).await;
        Ok(Response::new(settle(&operation, &report, answer)?))
    }

    /// A call that is answered page by page. The first page is fetched before the answer
    /// begins: once it has, a caller may not repeat the call by itself.
    async fn stream<M, L>(
        &self,
        request: Request<M>,
        stack: &Stack<L>,
    ) -> Result<Response<BoxStream<<Page<L::Row> as Outward>::Message>>, Status>
    where
        M: Inward<Operation = (L, Plan)>,
        L: Listing,
        Page<L::Row>: Outward<Message: Send>,
    {
        let (deadline, report) = context(&request);
        let (list, plan) = request
            .into_inner()
            .inward(&self.rules)
            .map_err(|faults| status::invalid(&faults))?;
        let mut walk = Walk::new(stack.clone(), list.clone(), plan, deadline);
        report.begin();
        let first = walk.next().await;
        let first = first.map(|answer| settle(&list, &report, answer)).transpose()?;
        let rest = stream::unfold(walk, |mut walk| async { Some((walk.next().await?, walk)) });
        let rest = rest.map(move |answer| settle(&list, &report, answer));
        Ok(Response::new(Box::pin(stream::iter(first.map(Ok)).chain(rest))))
    }
}

/// What the inbound layers know of a call.
fn context<M>(request: &Request<M>) -> (Option<Instant>, Report) {
    let extensions = request.extensions();
    let deadline = extensions.get::<Deadline>().map(|deadline| deadline.ours);
    (deadline, extensions.get().cloned().unwrap_or_default())
}

/// The message for what the upstream said, which the report is told.
fn settle<O: Operation, T: Outward>(
    operation: &O,
    report: &Report,
    answer: Result<Answer<T>, Failure>,
) -> Result<T::Message, Status> {
    match answer {
        Ok(Answer { output, attempts }) => {
            report.add(&attempts);
            Ok(output.outward())
        }
        Err(failure) => {
            let failure = report.fail(failure);
            Err(status::failed(operation, &failure))
        }
    }
}

#[async_trait]
impl TapeService for Tapes {
    async fn create_tape_with_barcode(
        &self,
        request: Request<proto::CreateTapeWithBarcodeRequest>,
    ) -> Result<Response<proto::CreateTapeWithBarcodeResponse>, Status> {
        self.unary(request, &self.upstream.create_tape_with_barcode).await
    }

    async fn create_tapes(
        &self,
        request: Request<proto::CreateTapesRequest>,
    ) -> Result<Response<proto::CreateTapesResponse>, Status> {
        self.unary(request, &self.upstream.create_tapes).await
    }

    type DescribeTapeArchivesStream = BoxStream<proto::DescribeTapeArchivesResponse>;

    async fn describe_tape_archives(
        &self,
        request: Request<proto::DescribeTapeArchivesRequest>,
    ) -> Result<Response<Self::DescribeTapeArchivesStream>, Status> {
        self.stream(request, &self.upstream.describe_tape_archives).await
    }

    type DescribeTapesStream = BoxStream<proto::DescribeTapesResponse>;

    async fn describe_tapes(
        &self,
        request: Request<proto::DescribeTapesRequest>,
    ) -> Result<Response<Self::DescribeTapesStream>, Status> {
        self.stream(request, &self.upstream.describe_tapes).await
    }

    type ListTapesStream = BoxStream<proto::ListTapesResponse>;

    async fn list_tapes(
        &self,
        request: Request<proto::ListTapesRequest>,
    ) -> Result<Response<Self::ListTapesStream>, Status> {
        self.stream(request, &self.upstream.list_tapes).await
    }
}

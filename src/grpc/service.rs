//! The tonic service: each method checks its request, calls the upstream and converts.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tonic::{Request, Response, Status, async_trait, codegen::BoxStream};

use crate::{
    domain::{self, Answer, Call, Caller, Failure, Listing, Operation, Outcome, Page},
    grpc::{
        convert::{Parse, Rules},
        inbound::{self, Deadline, Report},
        proto::{self, tape_service_server::TapeService},
        status,
    },
    upstream::{
        Stack, Upstream, idempotency,
        pagination::{ListContext, ListParams, Paginator, Visibility},
    },
};

/// The five operations, over the upstream stacks.
#[derive(Clone)]
pub struct Tapes {
    rules: Rules,
    creating: idempotency::ReconcileSettings,
    upstream: Upstream,
}

impl Tapes {
    /// The service that holds requests against `rules`.
    pub fn new(rules: Rules, creating: idempotency::ReconcileSettings, upstream: Upstream) -> Self {
        Self {
            rules,
            creating,
            upstream,
        }
    }

    /// A call that makes tapes, by `create`.
    async fn create<M, O, R, F>(
        &self,
        request: Request<M>,
        create: impl FnOnce(Call<O>) -> F,
    ) -> Result<Response<R>, Status>
    where
        M: Parse<Operation = O>,
        O: Operation,
        R: From<O::Output>,
        F: Future<Output = Result<Answer<Arc<O::Output>>, Failure>>,
    {
        let context = Context::of(&request)?;
        let operation = request
            .into_inner()
            .parse(&self.rules)
            .map_err(|faults| status::invalid(&faults))?;
        context.report.begin();
        let call = context.call(operation.clone());
        context.report.step().is_at(&call.progress);
        let answer = create(call).await;
        // What became of a call that its caller's library sent before is not this service's doing.
        if let Err(Failure { outcome, fault, .. }) = &answer
            && *outcome == Outcome::Unknown
            && (!context.resent || fault.outcome() == Outcome::Unknown)
        {
            self.upstream.metrics.creates_unclear.add();
        }
        Ok(Response::new(settle(&operation, &context.report, answer)?))
    }

    /// A call that is answered page by page. The first page is fetched before the answer
    /// begins: once it has, a caller may not repeat the call by itself.
    async fn stream<M, L, R>(
        &self,
        request: Request<M>,
        stack: &Stack<L>,
    ) -> Result<Response<BoxStream<R>>, Status>
    where
        M: Parse<Operation = (L, ListParams)>,
        L: Listing,
        R: From<Page<L::Row>> + Send + 'static,
    {
        let Context {
            caller,
            deadline,
            fresh,
            report,
            ..
        } = Context::of(&request)?;
        let (list, plan) = request
            .into_inner()
            .parse(&self.rules)
            .map_err(|faults| status::invalid(&faults))?;
        let terms = ListContext {
            caller,
            deadline,
            fresh,
            allowed: Visibility::By(self.upstream.authority.clone()),
        };
        let mut walk = Paginator::new(stack.clone(), list.clone(), plan, terms).telling(report.step());
        report.begin();
        let metrics = self.upstream.metrics.clone();
        let shown = move |answer: &Result<Answer<Arc<Page<L::Row>>>, Failure>| {
            if let Ok(Answer { output, .. }) = answer {
                metrics.shown::<L>(output.rows.len());
            }
        };
        let first = walk.next().await.inspect(&shown);
        let first = first.map(|answer| settle(&list, &report, answer)).transpose()?;
        let rest = stream::unfold(walk, |mut walk| async { Some((walk.next().await?, walk)) });
        let rest = rest
            .inspect(shown)
            .map(move |answer| settle(&list, &report, answer));
        Ok(Response::new(Box::pin(stream::iter(first.map(Ok)).chain(rest))))
    }
}

/// What holds for a call beside its request.
struct Context {
    caller: Caller,
    deadline: domain::Deadline,
    /// `cache-control: no-cache`.
    fresh: bool,
    /// `grpc-previous-rpc-attempts` above 0 (gRFC A6).
    resent: bool,
    report: Report,
}

impl Context {
    fn of<M>(request: &Request<M>) -> Result<Self, Status> {
        let (metadata, extensions) = (request.metadata(), request.extensions());
        let deadline = extensions.get::<Deadline>();
        let deadline = deadline.ok_or_else(|| status::internal("the call was given no deadline"))?;
        let caller = extensions.get::<Caller>();
        let caller = caller.ok_or_else(|| status::internal("nobody found out who calls"))?;
        let text = |name| metadata.get(name).and_then(|value| value.to_str().ok());
        let mut directives = text("cache-control").unwrap_or_default().split(',');
        Ok(Self {
            caller: caller.clone(),
            deadline: domain::Deadline::at(deadline.ours),
            fresh: directives.any(|word| word.trim().eq_ignore_ascii_case("no-cache")),
            resent: inbound::is_resent(metadata.as_ref()),
            report: extensions.get().cloned().unwrap_or_default(),
        })
    }

    fn call<O>(&self, operation: O) -> Call<O> {
        Call::new(self.caller.clone(), operation, self.deadline.clone())
            .fresh(self.fresh)
            .resent(self.resent)
    }
}

/// The message for what the upstream said, which the report is told.
fn settle<O: Operation, T: Clone, R: From<T>>(
    operation: &O,
    report: &Report,
    answer: Result<Answer<Arc<T>>, Failure>,
) -> Result<R, Status> {
    match answer {
        Ok(Answer { output, attempts }) => {
            report.add(&attempts);
            // Copied only where others have the answer too.
            Ok(Arc::unwrap_or_clone(output).into())
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
        let create = |call| idempotency::create_with_barcode(&self.upstream, self.creating, call);
        self.create(request, create).await
    }

    async fn create_tapes(
        &self,
        request: Request<proto::CreateTapesRequest>,
    ) -> Result<Response<proto::CreateTapesResponse>, Status> {
        let create = |call| idempotency::create_tapes(&self.upstream, call);
        self.create(request, create).await
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

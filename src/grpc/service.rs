//! The tonic service. Each method parses its request, calls the upstream stack and converts the
//! result.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use tonic::{Request, Response, Status, async_trait, codegen::BoxStream};

use crate::{
    access::AuthorizedCall,
    call::{Answer, Call, CallContext, Caller},
    domain::{Failure, ListOperation, Operation, Outcome},
    grpc::{
        connection::Sending,
        convert::{Created, ListMessage, Parse, Rules},
        inbound,
        list_response::{
            DescribeTapeArchivesResponse, DescribeTapesResponse, ListResponse, ListTapesResponse,
        },
        proto::{self, tape_service_server::TapeService},
        status,
    },
    upstream::{
        Stack, Upstream, idempotency,
        pagination::{ListContext, ListPage, ListParams, Paginator, Visibility},
        tags,
    },
};

/// The tape service: the five operations over the upstream stacks.
#[derive(Clone)]
pub struct Tapes {
    rules: Rules,
    reconcile: idempotency::ReconcileSettings,
    upstream: Upstream,
}

impl Tapes {
    /// The service that validates requests by `rules`.
    pub fn new(rules: Rules, reconcile: idempotency::ReconcileSettings, upstream: Upstream) -> Self {
        Self {
            rules,
            reconcile,
            upstream,
        }
    }

    /// Handles a create, which `create` sends.
    async fn create<M, O, R, F>(
        &self,
        request: Request<M>,
        create: impl FnOnce(AuthorizedCall<O>) -> F,
    ) -> Result<Response<R>, Status>
    where
        M: Parse<Operation = O>,
        O: Operation,
        R: From<Created<O>>,
        F: Future<Output = Result<Answer<Arc<O::Output>>, Failure>>,
    {
        let CallParts {
            context,
            caller,
            deadline,
            fresh,
            resent,
        } = CallParts::of(&request)?;
        let operation = request
            .into_inner()
            .parse(&self.rules)
            .map_err(|faults| status::invalid(&faults))?;
        context.dispatch(operation.scope(), operation.lookup_hint());
        let call = Call::new(&context, caller, operation.clone(), deadline)
            .fresh(fresh)
            .resent(resent);
        context.enter_step(&call.live);
        let answer = match self.upstream.authority.authorize(call) {
            Ok(call) => create(call).await,
            Err(denied) => Err(denied),
        };
        context.record_create(match &answer {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.outcome),
        });
        // For a resent call, the outcome may be unknown only because of earlier calls.
        if let Err(Failure { outcome, fault, .. }) = &answer
            && *outcome == Outcome::Unknown
            && (!resent || fault.outcome() == Outcome::Unknown)
        {
            self.upstream.metrics.creates_unclear.add();
        }
        let output = Arc::unwrap_or_clone(finish(&operation, &context, answer)?);
        Ok(Response::new(Created { operation, output }.into()))
    }

    /// Handles a list, which is streamed page by page. The first page is fetched before the response
    /// begins, because gRPC libraries do not retry a call whose response has begun.
    async fn stream<M, L, R>(
        &self,
        request: Request<M>,
        stack: &Stack<L>,
    ) -> Result<Response<BoxStream<ListResponse<R>>>, Status>
    where
        M: Parse<Operation = (L, ListParams)>,
        L: ListOperation,
        R: ListMessage<Row = L::Row> + 'static,
    {
        let CallParts {
            context,
            caller,
            deadline,
            fresh,
            resent: _,
        } = CallParts::of(&request)?;
        let (list, params) = request
            .into_inner()
            .parse(&self.rules)
            .map_err(|faults| status::invalid(&faults))?;
        let list_context = ListContext {
            context: context.clone(),
            caller,
            deadline,
            fresh,
            visibility: Visibility::By(self.upstream.authority.clone()),
        };
        let mut pages = Paginator::new(stack.clone(), list.clone(), params, list_context);
        context.dispatch(list.scope(), String::new());
        let metrics = self.upstream.metrics.clone();
        let record = move |answer: &Result<Answer<ListPage<L::Row>>, Failure>| {
            if let Ok(Answer { output, .. }) = answer {
                metrics.record_page::<L>(output.page.rows.len());
            }
        };
        let first = pages.next().await.inspect(&record);
        let first = first.map(|answer| finish(&list, &context, answer)).transpose()?;
        let first = first.map(R::response);
        Sending::holds(first.as_ref().map_or(0, ListResponse::encoded_len));
        let rest = stream::unfold(pages, |mut pages| async { Some((pages.next().await?, pages)) });
        let rest = rest
            .inspect(record)
            .map(move |answer| finish(&list, &context, answer));
        let rest = rest.map(|page| page.map(R::response));
        Ok(Response::new(Box::pin(stream::iter(first.map(Ok)).chain(rest))))
    }
}

/// What the service needs of a call's context and metadata.
struct CallParts {
    context: Arc<CallContext>,
    caller: Caller,
    deadline: Instant,
    /// `cache-control: no-cache`.
    fresh: bool,
    /// `grpc-previous-rpc-attempts` above 0 (gRFC A6).
    resent: bool,
}

impl CallParts {
    fn of<M>(request: &Request<M>) -> Result<Self, Status> {
        let metadata = request.metadata();
        let context: Option<&Arc<CallContext>> = request.extensions().get();
        let context = context.ok_or_else(|| status::internal("the call has no context"))?;
        let deadline = context.deadline();
        let deadline = deadline.ok_or_else(|| status::internal("the call has no deadline"))?;
        let caller = context.caller();
        let caller = caller.ok_or_else(|| status::internal("the caller was not authenticated"))?;
        let text = |name| metadata.get(name).and_then(|value| value.to_str().ok());
        let mut directives = text("cache-control").unwrap_or_default().split(',');
        Ok(Self {
            context: context.clone(),
            caller: caller.clone(),
            deadline: deadline.ours,
            fresh: directives.any(|word| word.trim().eq_ignore_ascii_case("no-cache")),
            resent: inbound::is_resent(metadata.as_ref()),
        })
    }
}

/// Adds a result to the call's context, and converts a failure to a status.
fn finish<O: Operation, T>(
    operation: &O,
    context: &CallContext,
    answer: Result<Answer<T>, Failure>,
) -> Result<T, Status> {
    match answer {
        Ok(Answer { output, attempts }) => {
            context.add_attempts(&attempts);
            Ok(output)
        }
        Err(failure) => {
            let failure = context.fail(failure);
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
        let create = |call| tags::create_with_barcode(&self.upstream, self.reconcile, call);
        self.create(request, create).await
    }

    async fn create_tapes(
        &self,
        request: Request<proto::CreateTapesRequest>,
    ) -> Result<Response<proto::CreateTapesResponse>, Status> {
        let create = |call| idempotency::create_tapes(&self.upstream, call);
        self.create(request, create).await
    }

    type DescribeTapeArchivesStream = BoxStream<DescribeTapeArchivesResponse>;

    async fn describe_tape_archives(
        &self,
        request: Request<proto::DescribeTapeArchivesRequest>,
    ) -> Result<Response<Self::DescribeTapeArchivesStream>, Status> {
        self.stream(request, &self.upstream.describe_tape_archives).await
    }

    type DescribeTapesStream = BoxStream<DescribeTapesResponse>;

    async fn describe_tapes(
        &self,
        request: Request<proto::DescribeTapesRequest>,
    ) -> Result<Response<Self::DescribeTapesStream>, Status> {
        self.stream(request, &self.upstream.describe_tapes).await
    }

    type ListTapesStream = BoxStream<ListTapesResponse>;

    async fn list_tapes(
        &self,
        request: Request<proto::ListTapesRequest>,
    ) -> Result<Response<Self::ListTapesStream>, Status> {
        self.stream(request, &self.upstream.list_tapes).await
    }
}

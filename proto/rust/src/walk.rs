use std::{future::Future, time::Duration};

use futures_util::{Stream, TryStreamExt, stream::try_unfold};
use tokio::time::timeout;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    client::GrpcService,
    codegen::{Body as HttpBody, Bytes, StdError},
};

use super::{
    Error,
    pb::{
        DescribeTapeArchivesRequest, DescribeTapeArchivesResponse, DescribeTapesRequest,
        DescribeTapesResponse, ListTapesRequest, ListTapesResponse, tape_service_client::TapeServiceClient,
    },
    repeat::Waits,
};

/// A request for a list: one of the three methods that stream.
pub trait List: Clone + Send + 'static {
    /// One message of its response.
    type Page: Send;

    /// Changes the request so that it goes on after this page. Returns false if nothing is left to ask for.
    fn resume_after(&mut self, page: &Self::Page) -> bool;

    /// Calls the method.
    fn call<S: Channel>(
        request: Request<Self>,
        client: &mut TapeServiceClient<S>,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Page>>, Status>> + Send;
}

/// What calls go over: a [`tonic::transport::Channel`], or one with layers.
pub trait Channel:
    GrpcService<Body, Error: Into<StdError>, ResponseBody = Self::Bytes, Future: Send> + Clone + Send + 'static
{
    /// The body of a response.
    type Bytes: HttpBody<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static;
}

impl<S> Channel for S
where
    S: GrpcService<Body> + Clone + Send + 'static,
    S::Error: Into<StdError>,
    S::Future: Send,
    S::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    type Bytes = S::ResponseBody;
}

/// Lists tapes page by page, to the end. When the list is cut, it goes on after the last page that has arrived, so
/// no page is shown twice. A tape that changes while it is listed can be on two pages, as in AWS.
///
/// `give_up` is the deadline of each call, and how long to try when no page arrives; [`GIVE_UP`](super::GIVE_UP) is two
/// minutes.
///
/// A list that has ended without an error is complete. `missing_tape_arns` are only in a list that was not cut, as the
/// service knows them only for one call.
///
/// # Errors
///
/// That of the last call, if the list may not be resumed, or no page has arrived for `give_up`.
pub fn walk<L: List, S: Channel>(
    client: TapeServiceClient<S>,
    request: L,
    give_up: Duration,
) -> impl Stream<Item = Result<L::Page, Error>> {
    let walk = Walk {
        client,
        request,
        pages: None,
        waits: Waits::new(give_up),
        is_complete: false,
    };
    try_unfold(walk, |mut walk| async move {
        let page = walk.next().await?;
        Ok(page.map(|page| (page, walk)))
    })
}

struct Walk<L: List, S> {
    client: TapeServiceClient<S>,
    request: L,
    pages: Option<Streaming<L::Page>>,
    waits: Waits,
    /// The last page has arrived. What follows is the status of the call.
    is_complete: bool,
}

impl<L: List, S: Channel> Walk<L, S> {
    async fn next(&mut self) -> Result<Option<L::Page>, Error> {
        // What the reader does between two pages does not count.
        self.waits.reset();
        loop {
            match self.next_of_call().await {
                Ok(Some(page)) => {
                    self.is_complete |= !self.request.resume_after(&page);
                    return Ok(Some(page));
                }
                Ok(None) => return Ok(None),
                // Nothing is missing but the status.
                Err(_) if self.is_complete => return Ok(None),
                Err(status) => {
                    self.pages = None;
                    self.waits.before_next(status.into()).await?;
                }
            }
        }
    }

    async fn next_of_call(&mut self) -> Result<Option<L::Page>, Status> {
        let pages = match &mut self.pages {
            Some(pages) => pages,
            none => {
                let mut request = Request::new(self.request.clone());
                request.set_timeout(self.waits.left());
                let response = L::call(request, &mut self.client).await?;
                none.insert(response.into_inner())
            }
        };
        // The service ends the stream before; a connection that hangs does not.
        let next = timeout(self.waits.left(), pages.try_next()).await;
        next.unwrap_or_else(|_| Err(Status::deadline_exceeded("no page arrived in time")))
    }
}

macro_rules! list {
    ($request:ty, $page:ty, $method:ident, $tapes:ident) => {
        impl List for $request {
            type Page = $page;

            fn resume_after(&mut self, page: &Self::Page) -> bool {
                self.marker.clone_from(&page.marker);
                if self.max_items > 0 {
                    let shown = i64::try_from(page.$tapes.len()).unwrap_or(i64::MAX);
                    self.max_items -= shown;
                    return !page.marker.is_empty() && self.max_items > 0;
                }
                !page.marker.is_empty()
            }

            async fn call<S: Channel>(
                request: Request<Self>,
                client: &mut TapeServiceClient<S>,
            ) -> Result<Response<Streaming<Self::Page>>, Status> {
                client.$method(request).await
            }
        }
    };
}

list!(ListTapesRequest, ListTapesResponse, list_tapes, tape_infos);
list!(DescribeTapesRequest, DescribeTapesResponse, describe_tapes, tapes);
list!(
    DescribeTapeArchivesRequest,
    DescribeTapeArchivesResponse,
    describe_tape_archives,
    tape_archives
);

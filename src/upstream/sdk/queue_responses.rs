//! Lets large responses wait for a processor before the SDK reads them.
//!
//! Such a response is milliseconds of work, and worker threads take up tasks in the order in which they are
//! ready. If many responses were ready at once, new calls, and even their rejection, would wait behind them.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::{sync::OwnedSemaphorePermit, task::yield_now};
use tokio_util::sync::ReusableBoxFuture;

use crate::call::Room;

/// Responses with fewer bytes are read at once. Those of creates have fewer.
const LARGE: usize = 16 * 1024;

/// The same client, whose large responses end when `processors` has a place for them.
pub fn queue_responses(client: SharedHttpClient, processors: Room) -> SharedHttpClient {
    SharedHttpClient::new(Queueing {
        inner: client,
        processors,
    })
}

#[derive(Debug)]
struct Queueing<T> {
    inner: T,
    processors: Room,
}

impl HttpClient for Queueing<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Queueing {
            inner: self.inner.http_connector(settings, components),
            processors: self.processors.clone(),
        })
    }
}

impl HttpConnector for Queueing<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (response, processors) = (self.inner.call(request), self.processors.clone());
        HttpConnectorFuture::new(async move {
            let response = response.await?;
            Ok(response.map(|body| {
                SdkBody::from_body_1_x(QueuedBody {
                    body,
                    length: 0,
                    turn: Turn::Reading(processors.clone()),
                })
            }))
        })
    }
}

/// Waits for a place, and then for the tasks that are ready already. A worker thread would take up the task
/// that gets the place first, and so one response after the other.
async fn turn(processors: Room) -> OwnedSemaphorePermit {
    let place = processors.place().await;
    yield_now().await;
    place
}

/// A body that ends when it is its turn, and holds its place until it is dropped.
struct QueuedBody {
    body: SdkBody,
    length: usize,
    turn: Turn,
}

enum Turn {
    Reading(Room),
    Waiting(ReusableBoxFuture<'static, OwnedSemaphorePermit>),
    Taken { _place: OwnedSemaphorePermit },
}

impl Body for QueuedBody {
    type Data = Bytes;
    type Error = aws_smithy_types::body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        loop {
            match &mut this.turn {
                Turn::Reading(processors) => match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        this.length += frame.data_ref().map_or(0, Bytes::len);
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    None if this.length >= LARGE => {
                        this.turn = Turn::Waiting(ReusableBoxFuture::new(turn(processors.clone())));
                    }
                    end => return Poll::Ready(end),
                },
                Turn::Waiting(turn) => {
                    let place = ready!(turn.poll(cx));
                    this.turn = Turn::Taken { _place: place };
                }
                Turn::Taken { .. } => return Poll::Ready(None),
            }
        }
    }
}

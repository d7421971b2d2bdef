//! Bounds the bytes of requests that have not arrived as a whole.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};
use tower::Service;

use super::{admission::ShedCalls, context_of, method};
use crate::{
    call::{CallContext, middleware::Middleware},
    grpc::status::{self, Overload},
};

/// Ends calls whose requests do not arrive as a whole, when such requests hold more than
/// `max_arriving_bytes`: first the one that began to arrive before all others. A request that only takes its
/// time on a slow network is younger than one that never ends.
#[derive(Clone, Debug)]
pub struct BoundRequests {
    arriving: Arc<Arriving>,
    shed: Arc<ShedCalls>,
}

impl BoundRequests {
    /// Bounds them to `max` bytes; `shed` counts the calls that are ended.
    pub(super) fn new(max: usize, shed: Arc<ShedCalls>) -> Self {
        let arriving = Arc::new(Arriving {
            max,
            requests: Mutex::default(),
        });
        Self { arriving, shed }
    }
}

impl<S, R> Middleware<S, Request<Body>> for BoundRequests
where
    S: Service<Request<Body>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Future = S::Future;

    fn call(&self, inner: &mut S, request: Request<Body>) -> S::Future {
        // The messages of other services have a few KiB at most.
        if method::kind(request.uri().path()).is_none() {
            return inner.call(request);
        }
        let context = context_of(&request).cloned();
        let Self { arriving, shed } = self.clone();
        inner.call(request.map(|body| {
            Body::new(BoundedBody {
                body,
                place: Place { arriving, id: None },
                shed,
                context,
            })
        }))
    }
}

/// The requests of which a part has arrived.
#[derive(Debug)]
struct Arriving {
    max: usize,
    requests: Mutex<Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    last_id: u64,
    bytes: usize,
    /// In the order in which they began to arrive. A request that has to end is no longer among them.
    by_id: BTreeMap<u64, Part>,
}

/// What has arrived of a request.
#[derive(Debug, Default)]
struct Part {
    bytes: usize,
    waker: Option<Waker>,
}

impl Arriving {
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a request among those that arrive, left when this is dropped.
#[derive(Debug)]
struct Place {
    arriving: Arc<Arriving>,
    /// `None` before a part has arrived.
    id: Option<u64>,
}

impl Place {
    /// Records that a part has arrived, and ends others if that is too much.
    fn add(&mut self, bytes: usize) {
        let mut requests = self.arriving.lock();
        let id = *self.id.get_or_insert_with(|| {
            requests.last_id += 1;
            let id = requests.last_id;
            requests.by_id.insert(id, Part::default());
            id
        });
        if let Some(part) = requests.by_id.get_mut(&id) {
            part.bytes += bytes;
            requests.bytes += bytes;
        }
        let mut ended = Vec::new();
        while requests.bytes > self.arriving.max
            && let Some((_, part)) = requests.by_id.pop_first()
        {
            requests.bytes -= part.bytes;
            ended.extend(part.waker);
        }
        drop(requests);
        ended.into_iter().for_each(Waker::wake);
    }

    /// Whether the request may go on. If so, `waker` is woken when it has to end.
    fn may_go_on(&self, waker: &Waker) -> bool {
        let Some(id) = self.id else {
            return true;
        };
        match self.arriving.lock().by_id.get_mut(&id) {
            Some(part) => {
                part.waker = Some(waker.clone());
                true
            }
            None => false,
        }
    }

    fn leave(&mut self) {
        if let Some(id) = self.id.take() {
            let mut requests = self.arriving.lock();
            if let Some(part) = requests.by_id.remove(&id) {
                requests.bytes -= part.bytes;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The body of a request that must not arrive for too long.
struct BoundedBody {
    body: Body,
    place: Place,
    shed: Arc<ShedCalls>,
    context: Option<Arc<CallContext>>,
}

impl http_body::Body for BoundedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.place.may_go_on(cx.waker()) {
            self.shed.add(Overload::Requests);
            if let Some(context) = &self.context {
                context.reject(&Overload::Requests.to_string());
            }
            // What is left of it is read away.
            self.body = Body::empty();
            self.place.leave();
            return Poll::Ready(Some(Err(status::overloaded(Overload::Requests))));
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(frame))) if !self.body.is_end_stream() => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.place.add(bytes);
            }
            Poll::Ready(_) => self.place.leave(),
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

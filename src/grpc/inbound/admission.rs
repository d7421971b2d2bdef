use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use futures_util::future::{Either, Ready, ready};
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use super::{
    by_address::{PlaceByAddress, RoomByAddress},
    context_of, method,
    pressure::Pressure,
    wrap::{Guard, GuardedBody, Wrapping},
};
use crate::{
    call::middleware::Middleware,
    domain::OperationKind,
    grpc::status::{self, Overload},
    observability::metrics::Count,
};

/// Limits the calls in progress, up to the last byte of their responses. Other calls are shed at
/// once, because a waiting call uses memory too.
///
/// Creates and reads each have a room that the others cannot fill, and one that they share, so that a
/// flood of lists does not keep creates out. Reflection streams and health watches may stay open forever,
/// so they have separate, smaller rooms, which the callers of one address cannot fill. Health checks are not
/// limited over all, so that a busy replica does not look dead, but for each address.
#[derive(Clone, Debug)]
pub struct Admission {
    creates: Rooms,
    reads: Rooms,
    reflection: RoomByAddress,
    watches: RoomByAddress,
    checks: RoomByAddress,
    pressure: Arc<Pressure>,
    shed: Arc<ShedCalls>,
}

/// Counts shed calls by the setting whose limit was reached.
#[derive(Debug, Default)]
pub struct ShedCalls([Count; Overload::ALL.len()]);

impl ShedCalls {
    pub(super) fn add(&self, overload: Overload) {
        self.0[overload as usize].add();
    }

    /// How many calls were shed by each limit.
    pub fn by_limit(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.iter().map(Count::get);
        Overload::ALL.map(Overload::setting).into_iter().zip(counts)
    }
}

/// The rooms that calls of one kind may use, in this order.
type Rooms = Vec<Arc<Semaphore>>;

/// The part of `max_concurrent_calls` that only creates can use, and again that only reads can use.
const OWN_ROOM: usize = 4;

/// The part of `max_concurrent_calls` that is the limit of reflection streams, and again of health watches.
const ENDLESS: usize = 10;

/// The part of that which the callers of one address can use.
const OF_ADDRESS: usize = 4;

/// How many health checks at once the callers of one address can have at least.
const MIN_CHECKS: usize = 16;

impl Admission {
    /// Admits `max_calls` calls, and fewer under `pressure`; `shed` counts the calls that are not admitted.
    pub(super) fn new(max_calls: usize, pressure: Arc<Pressure>, shed: Arc<ShedCalls>) -> Self {
        let room = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        let own = max_calls / OWN_ROOM;
        let shared = room(max_calls - 2 * own);
        let endless = max_calls.div_ceil(ENDLESS);
        let of_address = endless.div_ceil(OF_ADDRESS);
        Self {
            creates: vec![room(own), shared.clone()],
            reads: vec![room(own), shared],
            reflection: RoomByAddress::new(endless, of_address),
            watches: RoomByAddress::new(endless, of_address),
            checks: RoomByAddress::new(usize::MAX, of_address.max(MIN_CHECKS)),
            pressure,
            shed,
        }
    }

    /// Takes a place for a call with this path, whose caller is at this address.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn admit(&self, path: &str, address: IpAddr) -> Result<Permit, Overload> {
        let in_room = |room: &RoomByAddress| room.take(address).map(Permit::ByAddress);
        let permit = if method::is_watch(path) {
            in_room(&self.watches)
        } else if method::is_health(path) {
            in_room(&self.checks)
        } else if method::is_reflection(path) {
            in_room(&self.reflection)
        } else {
            let kind = method::kind(path);
            if let Some(kind) = kind {
                self.pressure.admit(kind)?;
            }
            let rooms = match kind {
                Some(OperationKind::Create) => &self.creates,
                _ => &self.reads,
            };
            let mut rooms = rooms.iter();
            let permit = rooms.find_map(|room| room.clone().try_acquire_owned().ok());
            permit.map(Permit::OfKind)
        };
        permit.ok_or(Overload::Calls)
    }
}

/// The place of a call.
#[derive(Debug, Default)]
pub enum Permit {
    /// None: the call was not admitted.
    #[default]
    None,
    /// In one of the rooms of its kind.
    OfKind(OwnedSemaphorePermit),
    /// In a room with a limit for each address.
    ByAddress(PlaceByAddress),
}

impl<S, B, R> Middleware<S, Request<B>> for Admission
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<GuardedBody<R, Permit>>;
    type Future = Either<Wrapping<S::Future, Guard<Permit>>, Ready<Result<Self::Response, S::Error>>>;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let address = context_of(&request).and_then(|context| context.address());
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let permit = match self.admit(request.uri().path(), address) {
            Ok(permit) => permit,
            Err(overload) => {
                self.shed.add(overload);
                if let Some(context) = context_of(&request) {
                    context.reject(&overload.to_string());
                }
                return Either::Right(ready(Ok(status::overloaded(overload).into_http())));
            }
        };
        Either::Left(Wrapping::new(inner.call(request), Guard(permit)))
    }
}

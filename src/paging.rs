//! Pages, fetched as the reader asks for them.
//!
//! A [`Walk`] asks for one page at a time, and for the next only when it is told to:
//! nothing runs ahead of the reader, and dropping the walk ends it. A list is whole or
//! it is an error: an upstream that repeats a marker would make an endless list, or,
//! taken for an end, a short one.

use std::{num::NonZeroU32, sync::Arc};

use tower::{Service, ServiceExt};

use crate::domain::{Answer, Call, Deadline, Failure, Fault, Listing, Marker, Page, PageRequest};

/// What AWS puts on a page when it is not told (service model).
const DEFAULT_LIMIT: NonZeroU32 = NonZeroU32::new(100).expect("100 is not 0");

/// Which part of a list is asked for, and in what pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Where to start; `None` is the beginning.
    pub marker: Option<Marker>,
    /// The most rows of a page; `None` leaves that to the upstream.
    pub limit: Option<NonZeroU32>,
    /// The most rows in all, above 0; `None` is no bound.
    pub max_items: Option<u64>,
}

/// A list on its way, page by page.
pub struct Walk<L, S> {
    upstream: S,
    list: L,
    deadline: Deadline,
    fresh: bool,
    limit: Option<NonZeroU32>,
    remaining: Option<u64>,
    position: Position,
    circles: CircleGuard,
}

enum Position {
    At(Option<Marker>),
    Ended,
}

impl<L, S> Walk<L, S>
where
    L: Listing,
    S: Service<Call<L>, Response = Answer<Arc<Page<L::Row>>>, Error = Failure> + Clone,
{
    /// A walk over `list` that has asked for nothing yet.
    pub fn new(upstream: S, list: L, plan: Plan, deadline: Deadline, fresh: bool) -> Self {
        let Plan {
            marker,
            limit,
            max_items,
        } = plan;
        let circles = CircleGuard::starting_at(marker.clone());
        Self {
            upstream,
            list,
            deadline,
            fresh,
            limit,
            remaining: max_items,
            position: Position::At(marker),
            circles,
        }
    }

    /// The next page; `None` after the last one, and after a failure.
    ///
    /// # Errors
    ///
    /// Those of the upstream, and [`Fault::MarkerRepeated`] and [`Fault::PageTooLong`].
    pub async fn next(&mut self) -> Option<Result<Answer<Arc<Page<L::Row>>>, Failure>> {
        let Position::At(marker) = std::mem::replace(&mut self.position, Position::Ended) else {
            return None;
        };
        let limit = self.page_limit();
        let page = self.list.at(PageRequest {
            marker: marker.clone(),
            limit,
        });
        let call = Call::new(page, self.deadline.clone()).fresh(self.fresh);
        let answer = match self.upstream.clone().oneshot(call).await {
            Ok(answer) => answer,
            Err(failure) => return Some(Err(failure)),
        };
        Some(match self.advance(&marker, limit, &answer.output) {
            Ok(()) => Ok(answer),
            Err(fault) => Err(fault.after(answer.attempts)),
        })
    }

    /// The last page of a bounded walk is asked for at exactly what remains, so that its
    /// marker stands right behind the last row shown.
    fn page_limit(&self) -> Option<NonZeroU32> {
        let Some(remaining) = self.remaining else {
            return self.limit;
        };
        let remaining = NonZeroU32::new(u32::try_from(remaining).unwrap_or(u32::MAX));
        Some(remaining.map_or(NonZeroU32::MIN, |remaining| {
            self.limit.unwrap_or(DEFAULT_LIMIT).min(remaining)
        }))
    }

    fn advance(
        &mut self,
        marker: &Option<Marker>,
        limit: Option<NonZeroU32>,
        page: &Page<L::Row>,
    ) -> Result<(), Fault> {
        if let (Some(remaining), Some(limit)) = (&mut self.remaining, limit) {
            let limit = limit.get();
            let shown = u32::try_from(page.rows.len()).ok().filter(|rows| *rows <= limit);
            *remaining -= u64::from(shown.ok_or(Fault::PageTooLong {
                rows: page.rows.len(),
                limit,
            })?);
        }
        let Some(next) = &page.next else { return Ok(()) };
        if marker.as_ref() == Some(next) || !self.circles.admit(next) {
            return Err(Fault::MarkerRepeated);
        }
        if self.remaining != Some(0) {
            self.position = Position::At(Some(next.clone()));
        }
        Ok(())
    }
}

/// Finds that markers go in circles, in constant space (Brent's algorithm): one marker
/// is kept and compared with all that follow; the kept one is replaced after 1, 2, 4, 8…
/// steps, so a circle of any length is met within three times its length.
struct CircleGuard {
    kept: Option<Marker>,
    steps: u64,
    until: u64,
}

impl CircleGuard {
    fn starting_at(marker: Option<Marker>) -> Self {
        Self {
            kept: marker,
            steps: 0,
            until: 1,
        }
    }

    /// Whether the walk may go on at this marker.
    fn admit(&mut self, marker: &Marker) -> bool {
        if self.kept.as_ref() == Some(marker) {
            return false;
        }
        self.steps += 1;
        if self.steps == self.until {
            *self = Self {
                kept: Some(marker.clone()),
                steps: 0,
                until: self.until.saturating_mul(2),
            };
        }
        true
    }
}

//! Pages, fetched as the reader asks for them.
//!
//! A [`Paginator`] asks for one page at a time, and for the next only when it is told to:
//! nothing runs ahead of the reader, and dropping the walk ends it. A list is whole or
//! it is an error: an upstream that repeats a marker would make an endless list, or,
//! taken for an end, a short one.
//!
//! A reader who may not see every tape is shown the pages without the others. Then the bound
//! on rows is of those shown, pages are asked for whole, and a walk that ends inside one gives
//! a marker of this service, which says how far into AWS's page it got.

mod cycle_detector;

use std::{num::NonZeroU32, sync::Arc};

use tokio::time::Instant;
use tower::{Service, ServiceExt};
use tracing::{Instrument, field::Empty, info_span};

use self::cycle_detector::CycleDetector;
use crate::{
    access::{
        Authority, AuthorizedCall, Grant,
        policy::{RowFilter, TapeView},
    },
    call::{Answer, Call, CallContext, Caller},
    domain::{Cursor, Failure, Fault, Listing, Marker, Page, PageRequest, Row, TapeStatus},
    observability::telemetry::SPAN_TARGET,
};

/// What AWS puts on a page when it is not told (service model).
const DEFAULT_LIMIT: NonZeroU32 = NonZeroU32::new(100).expect("100 is not 0");

/// Which part of a list is asked for, and in what pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListParams {
    /// Where to start.
    pub start: Cursor,
    /// The most rows of a page; `None` leaves that to the upstream.
    pub limit: Option<NonZeroU32>,
    /// The most rows in all, above 0; `None` is no bound.
    pub max_items: Option<u64>,
}

/// Whom a list is for, and how it is fetched.
#[derive(Clone, Debug)]
pub struct ListContext {
    /// The gRPC call that it is part of.
    pub context: Arc<CallContext>,
    /// Its reader.
    pub caller: Caller,
    /// When it must have ended.
    pub deadline: Instant,
    /// Whether every page must be asked for now.
    pub fresh: bool,
    /// What the reader may see.
    pub visibility: Visibility,
}

/// What the reader of a list may see.
#[derive(Clone, Debug)]
pub enum Visibility {
    /// What this authority allows, page by page and row by row.
    By(Authority),
    /// All of it: the list is part of a call that is allowed.
    PartOf(Grant),
}

/// A list on its way, page by page.
pub struct Paginator<L, S> {
    upstream: S,
    list: L,
    context: ListContext,
    limit: Option<NonZeroU32>,
    remaining: Option<u64>,
    position: Position,
    cycles: CycleDetector,
}

enum Position {
    At(Cursor),
    Ended,
}

impl<L, S> Paginator<L, S>
where
    L: Listing,
    S: Service<AuthorizedCall<L>, Response = Answer<Arc<Page<L::Row>>>, Error = Failure> + Clone,
{
    /// A walk over `list` that has asked for nothing yet.
    pub fn new(upstream: S, list: L, params: ListParams, context: ListContext) -> Self {
        let ListParams {
            start,
            limit,
            max_items,
        } = params;
        let cycles = CycleDetector::starting_at(start.marker.clone());
        Self {
            upstream,
            list,
            context,
            limit,
            remaining: max_items,
            position: Position::At(start),
            cycles,
        }
    }

    /// The next page; `None` after the last one, and after a failure.
    ///
    /// # Errors
    ///
    /// Those of the upstream, and [`Fault::MarkerRepeated`] and [`Fault::PageTooLong`].
    pub async fn next(&mut self) -> Option<Result<Answer<Arc<Page<L::Row>>>, Failure>> {
        let Position::At(place) = std::mem::replace(&mut self.position, Position::Ended) else {
            return None;
        };
        let filter = match &self.context.visibility {
            Visibility::By(authority) => authority.row_filter(&self.context.caller, &self.list),
            Visibility::PartOf(_) => None,
        };
        // Of a page that is not shown whole, as many rows as remain need not be enough.
        let is_whole = filter.is_none() && place.skip == 0;
        let limit = if is_whole { self.page_limit() } else { self.limit };
        let answer = match self.fetch(place.marker.clone(), limit).await {
            Ok(answer) => answer,
            Err(failure) => return Some(Err(failure)),
        };
        let Answer { output, attempts } = answer;
        if let Some(what) = self.of_another_scope(&output) {
            return Some(Err(Fault::Unreadable { what }.after(attempts)));
        }
        let shown = match is_whole {
            true => self.take(limit, output),
            false => Ok(self.filter(&place, filter.as_ref(), &output)),
        };
        Some(match shown.and_then(|shown| self.advance(&place, shown)) {
            Ok(output) => Ok(Answer { output, attempts }),
            Err(fault) => Err(fault.after(attempts)),
        })
    }

    async fn fetch(
        &self,
        marker: Option<Marker>,
        limit: Option<NonZeroU32>,
    ) -> Result<Answer<Arc<Page<L::Row>>>, Failure> {
        let ListContext {
            context,
            caller,
            deadline,
            fresh,
            visibility,
        } = &self.context;
        let trace = info_span!(target: SPAN_TARGET, "page", tapegate.operation = L::NAME, tapegate.page.tapes = Empty);
        let page = self.list.at(PageRequest { marker, limit });
        let call = Call::new(context, caller.clone(), page, *deadline).fresh(*fresh);
        let call = match visibility {
            Visibility::By(authority) => authority.authorize(call)?,
            Visibility::PartOf(grant) => grant.extend_to(call),
        };
        if let Visibility::By(_) = visibility {
            context.enter_step(&call.live);
        }
        let upstream = self.upstream.clone();
        // Within the span from its first moment on, so that its parts are in it.
        let fetched = async move { upstream.oneshot(call).await };
        let answer = fetched.instrument(trace.clone()).await;
        if let Ok(Answer { output, .. }) = &answer {
            trace.record("tapegate.page.tapes", output.rows.len());
        }
        answer
    }

    /// What is wrong where AWS shows tapes of another account or region than the list is of: those
    /// of the account whose credentials signed, whatever account the caller named. Policies
    /// were asked of the one that it named.
    fn of_another_scope(&self, page: &Page<L::Row>) -> Option<String> {
        let Visibility::By(Authority::Policies(_)) = &self.context.visibility else {
            return None;
        };
        let (region, account) = (self.list.region(), self.list.account()?);
        page.rows.iter().find_map(|row| {
            let mut parts = view(row).arn.split(':').skip(3);
            let (of_region, of_account) = (parts.next()?, parts.next()?);
            let is_other = of_region != region.as_str() || of_account != account.as_str();
            is_other.then(|| {
                format!(
                    "it lists tapes of {of_account}/{of_region}, where {account}/{region} was asked for; \
                     check account_id and accounts, and whose the AWS credentials are"
                )
            })
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

    /// A page that is shown as it came.
    fn take(&mut self, limit: Option<NonZeroU32>, page: Arc<Page<L::Row>>) -> Result<Shown<L::Row>, Fault> {
        if let (Some(remaining), Some(limit)) = (&mut self.remaining, limit) {
            let limit = limit.get();
            let shown = u32::try_from(page.rows.len()).ok().filter(|rows| *rows <= limit);
            *remaining -= u64::from(shown.ok_or(Fault::PageTooLong {
                rows: page.rows.len(),
                limit,
            })?);
        }
        Ok(Shown {
            next: page.next.clone().map(Cursor::at),
            page,
            is_cut: false,
        })
    }

    /// What is shown of a page: rows after those that were seen, that the reader may see, and
    /// no more than remain.
    fn filter(&mut self, place: &Cursor, filter: Option<&RowFilter>, page: &Page<L::Row>) -> Shown<L::Row> {
        let length = u64::try_from(page.rows.len()).unwrap_or(u64::MAX);
        let behind = page.next.clone().map(|marker| Cursor {
            marker: Some(marker),
            // Of a longer page all these were seen.
            skip: place.skip.saturating_sub(length),
        });
        let (mut shown, mut cut, mut hidden, mut differing) = (Vec::new(), None, 0, 0);
        for (index, row) in (0..).zip(&page.rows).skip_while(|(index, _)| *index < place.skip) {
            let (may_show, differs) = filter.map_or((true, false), |filter| filter.may_show(&view(row)));
            differing += u64::from(differs);
            if !may_show {
                hidden += 1;
                continue;
            }
            if self.remaining == Some(0) {
                // More of this page can be shown, to whoever asks again.
                cut = Some(Cursor {
                    marker: place.marker.clone(),
                    skip: index,
                });
                break;
            }
            shown.push(row.clone());
            self.remaining = self.remaining.map(|remaining| remaining - 1);
        }
        if let Visibility::By(authority) = &self.context.visibility {
            self.context.context.hide(hidden);
            authority.record_filtering(&self.context.caller, hidden, differing);
        }
        let is_cut = cut.is_some();
        let next = cut.or(behind);
        Shown {
            page: Arc::new(Page {
                rows: shown,
                next: next.clone().map(Marker::from),
            }),
            next,
            is_cut,
        }
    }

    /// Goes on behind what is shown, unless that was the last.
    fn advance(&mut self, place: &Cursor, shown: Shown<L::Row>) -> Result<Arc<Page<L::Row>>, Fault> {
        let Shown { page, next, is_cut } = shown;
        let Some(next) = next.filter(|_| !is_cut) else {
            return Ok(page);
        };
        let is_new = |marker| place.marker.as_ref() != Some(marker) && self.cycles.admit(marker);
        if !next.marker.as_ref().is_some_and(is_new) {
            return Err(Fault::MarkerRepeated);
        }
        if self.remaining != Some(0) {
            self.position = Position::At(next);
        }
        Ok(page)
    }
}

/// What is shown of a page, and where the list goes on.
struct Shown<R> {
    page: Arc<Page<R>>,
    next: Option<Cursor>,
    /// Whether that is inside the upstream's page, where the walk has shown all that it may.
    is_cut: bool,
}

/// A row as policies see it.
fn view<R: Row>(row: &R) -> TapeView<'_> {
    TapeView {
        arn: row.tape_arn(),
        barcode: row.barcode().unwrap_or_default(),
        pool: row.pool().map_or("", |pool| pool.as_str()),
        status: row.status().map(TapeStatus::underscored).unwrap_or_default(),
        gateway: row.gateway(),
    }
}
